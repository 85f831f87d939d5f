"""How a value is held by what contains it, above all by named tuples."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property

from autofix.flow.index import last_name
from autofix.flow.reaching import Names

NOT, INSIDE, FIRST = 0, 1, 2
"""How a value is held: as itself, in a container, in a tuple as its first, second ... element. A
negative number stands for the key of a dict: see `Records.by_key`."""
CONTAINERS = frozenset(
    {"list", "tuple", "dict", "set", "OrderedDict", "deque", "sorted", "reversed"}
    | {"iter", "enumerate", "zip", "chain"}
)
_PAIRING = frozenset({"enumerate", "zip", "items"})
_OF_TENSORS = frozenset({"data", "grad", "shape", "dtype", "device", "T", "size"})


def held_by_result(call: ast.Call, held: int) -> int | None:
    """How what `call` gives holds its argument, or what its argument held, if it surely does."""
    name = last_name(call.func)
    if not isinstance(call.func, ast.Name):
        return INSIDE if name == "chain" else None
    if name in CONTAINERS:
        return INSIDE
    if not held:
        return None
    joins = len(call.args) == 2 and isinstance(call.args[1], (ast.List, ast.Tuple))
    if name == "filter" or (name == "sum" and joins):  # `sum(lists, [])`
        return INSIDE
    return NOT if name == "next" else None


def held_by_element(container: ast.expr) -> int:
    """How what a loop over `container` takes out of it, under one name, holds what is in there:
    `for pair in zip(a, b)`."""
    pairs = isinstance(container, ast.Call) and last_name(container.func) in _PAIRING
    return INSIDE if pairs else NOT


@dataclass(eq=False)
class Records:
    """The named tuples that a module defines, by their syntax."""

    names: Names
    _keys: dict[str, int] = field(default_factory=dict)

    def by_key(self, index: ast.expr | None) -> int:
        """How a dict holds what is stored in it by that key."""
        if isinstance(index, ast.Constant) and isinstance(index.value, str):
            return self._keys.setdefault(index.value, -1 - len(self._keys))
        return INSIDE

    def another(self, index: ast.expr, held: int) -> bool:
        """Is `index` surely that of another element than the one where the value is?"""
        match index:
            case ast.Constant(value=int(at)) if held >= FIRST:
                return at >= 0 and at != held - FIRST
            case ast.Constant(value=str()) if held < NOT:
                return self.by_key(index) != held
        return False

    @cached_property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """The fields of each `Pair = namedtuple("Pair", "a b")`."""
        found: dict[str, tuple[str, ...]] = {}
        for call in self.names.calls.get("namedtuple", ()):
            match self.names.index.parents.get(call), call.args:
                case ast.Assign(targets=[ast.Name(id=name)]), [_, ast.Constant(value=str(text))]:
                    found[name] = tuple(text.replace(",", " ").split())
                case ast.Assign(targets=[ast.Name(id=name)]), [_, ast.List() | ast.Tuple() as all_]:
                    texts = [e.value for e in all_.elts if isinstance(e, ast.Constant)]
                    found[name] = tuple(t for t in texts if isinstance(t, str))
        return found

    @cached_property
    def places(self) -> dict[str, set[int]]:
        """Where the records have each of their fields; of no name that a tensor has, too."""
        found: dict[str, set[int]] = {}
        for fields in self.fields.values():
            for place, name in enumerate(fields):
                if name not in _OF_TENSORS:
                    found.setdefault(name, set()).add(place)
        return found

    def held_by(self, node: ast.expr, call: ast.Call, keyword: str | None) -> int:
        """How the record that `call` makes holds its argument `node`."""
        fields = self.fields.get(getattr(call.func, "id", ""), ())
        if keyword in fields:
            return FIRST + fields.index(keyword)
        plain = node in call.args and not any(isinstance(a, ast.Starred) for a in call.args)
        return FIRST + call.args.index(node) if plain else INSIDE
