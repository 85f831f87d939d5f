"""How to spell a library name at a place: by what the file imports, else by a new import."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from autofix.flow.index import FUNCTIONS
from autofix.model import Edit

if TYPE_CHECKING:
    from autofix.flow.facts import Facts


@dataclass(frozen=True, slots=True)
class Spelling:
    """Code that refers to a library name, and the import it may need."""

    code: str
    edits: tuple[Edit, ...] = ()


def spell(facts: Facts, name: str, near: ast.AST) -> Spelling:
    """Code for the dotted `name` (``torch.stack``) that is valid where `near` stands."""
    module, _, attribute = name.rpartition(".")
    hidden = _rebound_around(facts, near)
    visible = _bound_libraries(facts, near)
    prefix, rest = module, attribute
    while prefix:
        for bound, target in visible.items():
            if target == prefix and bound not in hidden:
                return Spelling(f"{bound}.{rest}")
        prefix, _, last = prefix.rpartition(".")
        rest = f"{last}.{rest}"
    for bound, target in visible.items():
        if target == name and bound not in hidden:
            return Spelling(bound)
    root, _, inner = name.partition(".")
    if root in hidden or visible.get(root, root) != root or root in _own_names(facts):
        known = next(
            each for n in range(1, 99) if (each := "_" * n + root) not in {*visible, *hidden}
        )
        return Spelling(f"{known}.{inner}", (_import(facts, root, known),))
    return Spelling(name, (_import(facts, root),))


def _own_names(facts: Facts) -> set[str]:
    """What the file itself binds at its top level, but for imports."""
    names: set[str] = set()
    for node in facts.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            names |= {n.id for n in ast.walk(node) if _is_bound(n)}
    return names


def _is_bound(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _bound_libraries(facts: Facts, near: ast.AST) -> dict[str, str]:
    """Names that surely refer to a library where `near` stands."""
    found = dict(facts.libraries)
    for owner in facts.index.ancestors(near):
        if isinstance(owner, FUNCTIONS):
            for statement in owner.body:
                if isinstance(statement, ast.Import) and statement.lineno < _line(near):
                    for alias in statement.names:
                        target = alias.name if alias.asname else alias.name.partition(".")[0]
                        found[alias.asname or target] = target
    return found


def _rebound_around(facts: Facts, near: ast.AST) -> set[str]:
    """Names that an enclosing function gives another meaning."""
    names: set[str] = set()
    for owner in facts.index.ancestors(near):
        if not isinstance(owner, (*FUNCTIONS, ast.Lambda)):
            continue
        for node in facts.index.body_nodes(owner):
            if _is_bound(node):
                names.add(node.id)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
    return names


def _line(node: ast.AST) -> int:
    line: int = getattr(node, "lineno", 0)
    return line


def _import(facts: Facts, root: str, known: str | None = None) -> Edit:
    """`import root`, before the first import that mentions it (so never before a docstring)."""
    code = f"import {root}" if known is None else f"import {root} as {known}"
    imports = [n for n in facts.tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    usual = [n for n in imports if not (isinstance(n, ast.ImportFrom) and n.module == "__future__")]
    of_root = [
        n
        for n in usual
        if isinstance(n, ast.ImportFrom) and (n.module or "").partition(".")[0] == root
    ]
    anchor = next(iter(of_root or usual), None)
    if anchor is None:
        body = facts.tree.body
        has_docstring = bool(body) and isinstance(body[0], ast.Expr)
        after = body[0] if has_docstring else imports[-1] if imports else None
        at = facts.source.span(after)[1] if after is not None else 0
        return Edit(at, at, f"\n{code}\n" if after is not None else f"{code}\n")
    at = facts.source.span(anchor)[0]
    return Edit(at, at, f"{code}\n")


def unused_name(facts: Facts, wanted: str, near: ast.AST) -> str:
    """`wanted`, or a name like it, that means nothing yet in the function around `near`."""
    owner = facts.index.function_of(near)
    nodes = facts.index.body_nodes(owner) if owner is not None else list(ast.walk(facts.tree))
    taken = {n.id for n in nodes if isinstance(n, ast.Name)} | {
        n.arg for n in nodes if isinstance(n, ast.arg)
    }
    candidates = [wanted, *(f"{wanted}_{i}" for i in range(2, 100))]
    return next(name for name in candidates if name not in taken)
