"""What the source says of the inputs of a function, for the side that will make them.

Nothing is run: annotations, docstrings, what the body does with each parameter, and the calls
that the file itself makes. `child.inputs` turns the result into values.
"""

from __future__ import annotations

import ast
from typing import Any

from autofix.verify import call_sites
from autofix.verify.child.reading import facts
from autofix.verify.child.reading.parts import statements

Hints = dict[str, Any]


def for_function(tree: ast.Module, qualname: str) -> Hints:
    """JSON-able hints for `f`, `Net.forward`, `Net.__init__` or `Plain.method` of a module.

    `functions` has, for every function of the file (the target may need an instance of any
    class of it), a record for each parameter; `calls` the arguments the file itself gives to
    the functions and classes of the file, where they can be read off.
    """
    known = facts.of_module(tree)
    return {
        "target": qualname,
        "functions": known,
        "calls": call_sites.of_module(tree, facts.imported(tree)),
        "classes": _classes(tree, known),
    }


def _classes(tree: ast.Module, known: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """The bases of each class of the file, and the attributes that its methods set."""
    found = {}
    for node in statements(tree):
        if isinstance(node, ast.ClassDef):
            records = [r for name, r in known.items() if name.startswith(f"{node.name}.")]
            attributes = {a for record in records for a in record["attributes"]}
            bases = [ast.unparse(base) for base in node.bases]
            found[node.name] = {"bases": bases, "attributes": sorted(attributes)}
    return found
