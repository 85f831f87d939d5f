"""A parameter as a tree of its parts, with what is known of each."""

from __future__ import annotations

from typing import Any

Step = tuple[str, Any]
Path = tuple[Step, ...]


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
