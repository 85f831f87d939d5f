"""What an error text says should change in the kind and the values of a tensor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import Moves, Rule
    from .vocabulary import Spec


def whole(spec: Spec, match: re.Match[str]) -> Moves:
    if spec["dtype"] != "long":
        yield 4.0, {**spec, "dtype": "long", "below": 2}


def floating(spec: Spec, match: re.Match[str]) -> Moves:
    if spec["dtype"] not in ("float", "double"):
        yield 3.0, {**spec, "dtype": "float", "values": "unit"}


def boolean(spec: Spec, match: re.Match[str]) -> Moves:
    if spec["dtype"] != "bool":
        yield 3.5, {**spec, "dtype": "bool"}


def imaginary(spec: Spec, match: re.Match[str]) -> Moves:
    if spec["dtype"] != "complex":
        yield 2.5, {**spec, "dtype": "complex"}


def named(spec: Spec, match: re.Match[str]) -> Moves:
    text = match.group(0).lower()
    for word, dtype in (("double", "double"), ("float", "float"), ("long", "long")):
        if word in text and spec["dtype"] != dtype:
            yield 2.5, {**spec, "dtype": dtype, "below": spec.get("below", 2)}


def smaller(spec: Spec, match: re.Match[str]) -> Moves:
    if spec["dtype"] == "long":
        yield 4.0, {**spec, "below": max(1, spec.get("below", 2) - 1)}
        yield 3.5, {**spec, "below": max(1, spec.get("below", 2) // 2)}
        yield 3.0, {**spec, "below": 1}


def with_values(values: str) -> Rule:
    def rule(spec: Spec, match: re.Match[str]) -> Moves:
        if spec.get("values") != values:
            yield 4.0, {**spec, "values": values}

    return rule


def well(spec: Spec, match: re.Match[str]) -> Moves:
    yield from with_values("well")(spec, match)
    if len(spec["shape"]) >= 2:
        yield 3.0, {**spec, "shape": [*spec["shape"][:-2], 3, 3], "values": "well"}


def counted(spec: Spec, match: re.Match[str]) -> Moves:
    """A mean over no rows: as many classes as there are names for."""
    if spec["dtype"] == "long":
        for place, below in enumerate((2, 4, 5)):
            yield 3.0 - 0.2 * place, {**spec, "below": below}
    elif spec.get("values") != "well":
        yield 1.5, {**spec, "values": "well"}


def below(spec: Spec, match: re.Match[str]) -> Moves:
    if spec["dtype"] == "long":
        yield 4.0, {**spec, "below": int(match.group(1)) + 1}


def elsewhere(spec: Spec, match: re.Match[str]) -> Moves:
    """On the other side of a kink or a bound the result may depend on it."""
    for place, values in enumerate(("signed", "large")):
        if spec["dtype"] == "float" and spec.get("values") != values:
            yield 3.0 - 0.2 * place, {**spec, "values": values}
