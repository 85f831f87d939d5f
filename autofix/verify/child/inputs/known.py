"""What the source says of one parameter, as the proposals ask for it."""

from __future__ import annotations

from typing import Any

import torch


class Known:
    """What the source says of one parameter, or of a part of one."""

    def __init__(self, record: dict[str, Any] | None) -> None:
        record = record or {}
        self.facts: dict[str, Any] = record.get("facts", {})
        self.annotation: str | None = record.get("annotation")
        self.shapes: list[list[Any]] = record.get("shapes", [])
        self.attributes: dict[str, Known] = {}
        self.keys: dict[str, Known] = {}
        self.items: dict[int, Known] = {}
        self.each: Known | None = None
        for kind, key, inner in record.get("parts", []):
            if kind == "attr":
                self.attributes[key] = Known(inner)
            elif kind == "key":
                self.keys[key] = Known(inner)
            elif kind == "item":
                self.items[key] = Known(inner)
            else:
                self.each = Known(inner)

    def says(self, *facts: str) -> bool:
        return any(self.facts.get(fact) for fact in facts)

    @property
    def own(self) -> dict[str, Known]:
        """Attributes that no tensor has."""
        return {k: v for k, v in self.attributes.items() if not hasattr(torch.Tensor, k)}
