"""What memory the result of an operation shares, and what memory it writes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from autofix.flow import shapes
from autofix.flow.frame import Frame, all_cuts
from autofix.flow.index import last_name
from autofix.flow.torch_api import Op
from autofix.flow.values import (
    Graph,
    Kind,
    Value,
    tensor,
)
from autofix.flow.writes import NOT_WRITES, is_unseen

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments


def asks_in_place(op: Op, given: Arguments) -> bool:
    """`F.relu(x, inplace=True)`"""
    flag = given.named("inplace", op.args) if "inplace" in op.args else None
    return flag is not None and flag.const is True


SPREADING = frozenset({"expand", "expand_as", "broadcast_to"})


def shared(
    op: Op,
    name: str,
    first: Value | None,
    tensors: list[Value],
    shape: tuple[Any, ...] | None,
    dtype: str | None,
    given: Arguments,
    frame: Frame,
) -> dict[str, Any]:
    """What a result shares with its input: memory, an unknown shape, being a Parameter."""
    more: dict[str, Any] = {}
    if first is None or not first.kind & Kind.TENSOR:
        return more
    writes = frame.program.writes
    if name in SPREADING and not (shape is not None and shape == first.shape):
        more["storage"] = writes.mark(writes.expanded, first.storage, given.node)
    elif op.alias == "view":
        more["storage"] = first.storage
    elif (
        op.alias == "maybe"
        and "inplace" not in op.args  # what drops out makes a copy
        and first.storage.isdisjoint(writes.expanded)  # what is spread is copied for sure
        and not _differ(first.dtype, dtype)  # so is what is cast
    ):
        more["storage"] = writes.doubt(first.storage)
    if shape is None and first.shape is None:
        if op.shape == "same":
            more["shape_id"] = first.shape_id
        elif op.shape == "broadcast":
            kept = shapes.kept_shape_id(tensors)
            if kept is not None:
                more["shape_id"] = kept
    return more


def _differ(a: str | None, b: str | None) -> bool:
    """Are two dtypes surely not the same?"""
    return a != b and not {a, b} & {None, "default", "float", "complex"}


def write_in_place(
    first: Value, inputs: list[Value], is_method: bool, given: Arguments, frame: Frame
) -> Value:
    """`x.add_(y)`, `F.relu_(x)`: the memory of x is written, and x comes back."""
    from autofix.flow.stores import write_into

    others = [v for v in inputs[1:] if v.kind & Kind.TENSOR]
    numbers = [v for v in inputs[1:] if v.is_number]
    for other in others:
        frame.program.cuts.memory.written(first, other)
    written = tensor(
        max([v.graph for v in others], default=Graph.NO) if frame.state.grad else Graph.NO,
        cuts=frozenset().union(*(all_cuts(v) for v in (*others, *numbers))),
        why=others[0].why if others else None,
    )
    target = given.node.func
    if last_name(target) in NOT_WRITES:
        return first
    node: ast.expr = given.node
    if is_method and isinstance(target, ast.Attribute):
        node = target.value
    elif given.node.args:
        node = given.node.args[0]
    write_into(node, first, written, frame)
    if isinstance(node, ast.Name):
        current = frame.name(node.id)
        if current.kind & Kind.TENSOR:
            return current
    if is_unseen(node):
        return first
    return first.but(graph=max(first.graph, written.graph), cuts=first.cuts | written.cuts)
