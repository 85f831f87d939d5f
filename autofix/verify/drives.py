"""What could exercise the changes of a program: the program itself, or calls of its functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from autofix.verify.changes import Change

MOST_CALLS = 6
Function = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CALLERS = frozenset("__name__ globals vars eval exec Fire main run_module".split())
"""What may call functions that nothing names."""


@dataclass(frozen=True, slots=True)
class Drive:
    """One way to run a program: as it stands, or by a call of `target`."""

    target: str = ""
    host: str = ""
    """Another script is run, which imports the file."""

    @property
    def called(self) -> bool:
        return bool(self.target)

    def __str__(self) -> str:
        if self.host:
            return f"a run of `{PurePath(self.host).name}`"
        return f"a call of `{self.target}`" if self.called else "a run of the program"


def drives(tree: ast.Module, changes: Sequence[Change], host: str = "") -> Iterator[Drive]:
    """Ways to reach the changes, the most telling first; `tree` is the rewritten version. What
    looks like a program may do no more than to set up a log: others run it then."""
    units = list(dict.fromkeys(_unit(tree, change) for change in changes if not change.imports))
    if runs(tree) and _may_reach(tree, units):
        yield Drive()
    if host:
        yield Drive(host=host)
    targets = _targets(tree, [unit for unit in units if unit is not None])
    for target in targets[: MOST_CALLS * max(1, len(units))]:
        yield Drive(target)


def runs(tree: ast.Module) -> bool:
    """Whether running the file does more than to define things."""
    return any(
        isinstance(node, (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.AugAssign))
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        or (
            isinstance(node, ast.Assign)
            and any(isinstance(n, ast.Call) for n in ast.walk(node.value))
        )
        for node in tree.body
    )


def _may_reach(tree: ast.Module, units: Sequence[str | None]) -> bool:
    """Whether running the file could call one of the functions: it is named where the file does
    something, or in what is named there."""
    named = {name for node in tree.body for part in _at_import(node) for name in _names(part)}
    if None in units or named & _CALLERS:
        return True
    inner = {node.name: _names(node) for node in tree.body if isinstance(node, _DEFINITIONS)}
    todo = [*named]
    while todo:
        further = inner.pop(todo.pop(), set()) - named
        named |= further
        todo += further
    return any(unit is not None and unit.split(".")[0] in named for unit in units)


def _at_import(node: ast.stmt) -> Iterator[ast.AST]:
    """What is evaluated of a statement when the file is run."""
    if isinstance(node, Function):
        yield from [*node.decorator_list, node.args]
    elif isinstance(node, ast.ClassDef):
        yield from [*node.decorator_list, *node.bases, *node.keywords]
        for child in node.body:
            yield from _at_import(child)
    else:
        yield node


def _names(node: ast.AST) -> set[str]:
    return {
        child.id if isinstance(child, ast.Name) else child.attr
        for child in ast.walk(node)
        if isinstance(child, (ast.Name, ast.Attribute))
    }


def _unit(tree: ast.Module, change: Change) -> str | None:
    """The function to call for a change; for a line of a class body the class's constructor."""
    if change.unit is not None:
        return change.unit
    line = change.after[0]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and _first(node) <= line <= (node.end_lineno or line):
            return f"{node.name}.__init__"
        if isinstance(node, Function) and _first(node) <= line <= (node.end_lineno or line):
            return node.name
    return None


def _first(node: ast.ClassDef | Function) -> int:
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _targets(tree: ast.Module, units: Sequence[str]) -> list[str]:
    """Callables in which the changed functions run, those that run more of them first."""
    if not units:
        return []
    callees = _callees(tree)
    own = [name for unit in units for name in _own_targets(tree, unit)]
    callers = [name for name in callees if name not in own and not name.startswith("test_")]
    reach = {name: _reached(name, callees) for name in [*own, *callers]}
    wanted = {_last(unit) for unit in units} | {unit.split(".")[0] for unit in units if "." in unit}

    def covered(name: str) -> int:
        return len(wanted & (reach[name] | {_last(name), name.split(".")[0]}))

    useful = [name for name in dict.fromkeys([*own, *callers]) if covered(name) or name in own]
    best = max(map(covered, own))
    return sorted(
        useful,
        key=lambda name: (-covered(name) if covered(name) > best else -best, name not in own),
    )


def _own_targets(tree: ast.Module, unit: str) -> Iterator[str]:
    """Ways to call one function: a method by itself, or by its class's `forward`."""
    owner, _, method = unit.rpartition(".")
    node = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == owner), None)
    if node is None:
        yield unit
        return
    inherits = any("Module" in ast.unparse(base) for base in node.bases)
    constructs = method in ("__init__", "__post_init__")
    whole = list(_with_forward(tree, node))
    if method != "forward" and not constructs:
        if any(_uses(node, user, method) for user in ("forward", "__init__")):
            yield from whole
        yield unit
    yield from whole
    if not whole and (constructs or inherits):
        yield f"{owner}.__init__"


def _with_forward(tree: ast.Module, node: ast.ClassDef) -> Iterator[str]:
    """The `forward` of a class, or else of a class that is made from it."""
    if any(isinstance(child, Function) and child.name == "forward" for child in node.body):
        yield f"{node.name}.forward"
        return
    for other in tree.body:
        if isinstance(other, ast.ClassDef) and other is not node and node.name in _bases(other):
            yield from _with_forward(tree, other)


def _bases(node: ast.ClassDef) -> list[str]:
    return [base.id for base in node.bases if isinstance(base, ast.Name)]


def _uses(node: ast.ClassDef, user: str, method: str) -> bool:
    return any(
        isinstance(child, Function) and child.name == user and f".{method}(" in ast.unparse(child)
        for child in node.body
    )


def _callees(tree: ast.Module) -> dict[str, set[str]]:
    """The names that each function of the module calls."""
    found: dict[str, set[str]] = {}
    for node in tree.body:
        if isinstance(node, Function):
            found[node.name] = _called(node)
        elif isinstance(node, ast.ClassDef):
            methods = [child for child in node.body if isinstance(child, Function)]
            # What the constructor makes and keeps, any method may call.
            made = {name for one in methods if one.name == "__init__" for name in _called(one)}
            for child in methods:
                if not child.name.startswith("__"):
                    found[f"{node.name}.{child.name}"] = _called(child) | made
    return found


def _called(node: Function) -> set[str]:
    names: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Call):
            func = child.func
            names.add(func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", ""))
        elif isinstance(child, ast.Name):
            names.add(child.id)
    return names


def _reached(name: str, callees: dict[str, set[str]], depth: int = 4) -> set[str]:
    """The last names of everything that a call of `name` may call."""
    seen = set(callees.get(name, ()))
    for _ in range(depth):
        further = {
            called
            for other, called_by in callees.items()
            if _last(other) in seen
            for called in called_by
        }
        if further <= seen:
            break
        seen |= further
    return seen


def _last(name: str) -> str:
    return name.rpartition(".")[2]
