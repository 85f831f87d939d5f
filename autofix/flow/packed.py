"""Packed sequences: their `data` is a tensor with the graph of what was packed, and no cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autofix.flow.frame import Frame, contents
from autofix.flow.values import OTHER, UNKNOWN, Kind, Value, tensor

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

_PACKED = "torch.nn.utils.rnn.PackedSequence"
PACKING = tuple(
    f"torch.nn.utils.rnn.{name}"
    for name in ("pack_padded_sequence", "pack_sequence", "PackedSequence")
)


def pack(given: Arguments, frame: Frame) -> Value:
    data = given.get(0, "input") or given.get(0, "sequences") or given.get(0, "data")
    return packed(contents(data) or UNKNOWN) if data is not None else UNKNOWN


def packed(data: Value) -> Value:
    return Value(Kind.UNKNOWN, data.graph, ref=_PACKED, cuts=data.cuts, why=data.why)


def is_packed(value: Value | None) -> bool:
    return value is not None and value.ref == _PACKED


def member(owner: Value, name: str) -> Value:
    return tensor(owner.graph, cuts=owner.cuts, why=owner.why) if name == "data" else OTHER
