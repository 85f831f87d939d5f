"""What is used as a leaf of its own: optimized, asked for its `.grad`, or differentiated for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autofix.flow.frame import all_cuts
from autofix.flow.objects import Instance
from autofix.flow.values import EMPTY, Kind, Value
from autofix.flow.writes import memory_in

if TYPE_CHECKING:
    from autofix.flow.frame import Frame


def note_parameters(module: Value, memory: frozenset[int], frame: Frame) -> None:
    """`memory` stands for all parameters of a module, also for those with a cut behind them."""
    cuts = _cuts_of_parts(module, frame)
    known = frame.program.cuts.of_parameters
    for number in memory if cuts else ():
        known[number] = known.get(number, EMPTY) | cuts


def use_as_leaf(value: Value, frame: Frame) -> None:
    """What is in `value` is no step on the way to something else."""
    known = frame.program.cuts.of_parameters
    behind = (known.get(number, EMPTY) for number in memory_in(value))
    purposes = frame.program.purposes
    purposes.optimized = purposes.optimized.union(all_cuts(value), *behind)


def _cuts_of_parts(module: Value, frame: Frame, depth: int = 3) -> frozenset[int]:
    found = EMPTY
    if not depth or not module.kind & Kind.MODULE:
        return found
    if isinstance(module.ref, Instance):
        mine = module.ref.identity
        for key, value in frame.state.bound.items():
            if not isinstance(key, tuple) or key[0] != mine:
                continue
            if value.kind & Kind.MODULE:
                found |= _cuts_of_parts(value, frame, depth - 1)
            elif value.leaf or not value.is_tensor:
                found |= all_cuts(value)
    return found.union(*(_cuts_of_parts(inner, frame, depth - 1) for inner in module.inner))
