"""A parameter as a tree of its parts, with what is known of each."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from typing import Any

Step = tuple[str, Any]
Path = tuple[Step, ...]


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Every statement, the outer ones first: as `ast.walk`, without the expressions."""
    todo = deque([tree])
    while todo:
        node = todo.popleft()
        if isinstance(node, ast.stmt):
            yield node
        for name in ("body", "handlers", "orelse", "finalbody", "cases"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                todo.extend(block)


class Node:
    """A parameter or a part of one."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.parts: dict[Step, Node] = {}

    def at(self, path: Path) -> Node:
        node = self
        for step in path:
            node = node.parts.setdefault(step, Node())
        return node

    def note(self, fact: str, content: Any = True) -> None:
        known = self.facts.get(fact)
        if isinstance(content, list):
            merged = list(known or [])
            merged += [c for c in content if c not in merged]
            self.facts[fact] = merged
        elif isinstance(content, bool) or known is None:
            self.facts[fact] = content
        else:
            self.facts[fact] = max(known, content)

    def take(self, other: Node) -> None:
        """Add what another node knows."""
        for fact, content in other.facts.items():
            self.note(fact, content)
        for step, part in list(other.parts.items()):
            self.at((step,)).take(part)

    def json(self) -> dict[str, Any]:
        parts = [[kind, key, node.json()] for (kind, key), node in self.parts.items()]
        return {"facts": self.facts, "parts": parts}


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def constant_step(index: ast.AST) -> Step | None:
    if isinstance(index, ast.Constant) and isinstance(index.value, str):
        return ("key", index.value)
    if isinstance(index, ast.Constant) and type(index.value) is int and index.value < 64:
        return ("item", index.value)
    return None


def heads(statement: ast.stmt) -> list[ast.expr]:
    """The expressions of the statement itself, without those of the statements inside it."""
    return [c for c in ast.iter_child_nodes(statement) if isinstance(c, ast.expr)] + [
        item.context_expr for item in getattr(statement, "items", [])
    ]


def bound(statement: ast.stmt) -> list[str]:
    targets: list[Any] = list(getattr(statement, "targets", []))
    targets += [getattr(statement, "target", None)]
    names = [n for t in targets if t is not None for n in ast.walk(t)]
    return [n.id for n in names if isinstance(n, ast.Name)]
