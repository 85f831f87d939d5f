"""What a condition says of names once it is known to hold, or not to hold."""

from __future__ import annotations

import ast
import functools
import operator

from autofix.flow.flags import by_flag
from autofix.flow.frame import Frame
from autofix.flow.index import last_name
from autofix.flow.joins import sequence
from autofix.flow.objects import ClassInfo, Instance, instance_value
from autofix.flow.stores import assign
from autofix.flow.values import EMPTY, UNKNOWN, Graph, Kind, Value, number, tensor
from autofix.flow.walk import walk

_NUMBER_TYPES = frozenset(
    {"int", "float", "bool", "complex", "Number", "Real", "Integral", "integer", "floating"}
)
_SEQUENCE_TYPES = frozenset({"list", "tuple", "Sequence", "Iterable", "Size"})


def narrow(test: ast.expr, holds: bool, frame: Frame) -> bool | None:
    """Refine the frame's state by `test`. None if this branch cannot be taken."""
    match test:
        case ast.Name(id=name) if name in frame.conditions:
            return narrow(frame.conditions[name], holds, frame)
        case ast.Attribute(attr="requires_grad", value=subject):
            if not holds:
                _without_graph(subject, frame)
        case ast.Name(id=name) if name in frame.chosen and _flag(name, frame) is not None:
            return True if _flag(name, frame) == holds else None
        case ast.Name() | ast.Attribute():
            if isinstance(test, ast.Attribute):
                by_flag(test, holds, frame)
            return _nonempty(test, holds, frame)
        case ast.Call(func=ast.Name(id="len"), args=[subject]):
            return _nonempty(subject, holds, frame)
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="len"), args=[subject]),
            ops=[ast.Gt() | ast.NotEq() | ast.Eq() as op],
            comparators=[ast.Constant(value=0)],
        ):
            return _nonempty(subject, holds != isinstance(op, ast.Eq), frame)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return narrow(inner, not holds, frame)
        case ast.BoolOp(op=ast.And(), values=parts) if holds:
            return _all(parts, holds, frame)
        case ast.BoolOp(op=ast.Or(), values=parts) if not holds:
            return _all(parts, holds, frame)
        case ast.BoolOp(op=ast.Or(), values=parts) if (types := _either_type(parts)) is not None:
            assert isinstance(parts[0], ast.Call)
            return _isinstance(parts[0].args[0], types, holds, frame)
        case ast.Call(func=ast.Name(id="isinstance"), args=[subject, types]):
            return _isinstance(subject, types, holds, frame)
        case ast.Call(func=ast.Attribute(attr="is_grad_enabled"), args=[]) if not holds:
            frame.state.grad, frame.state.off = False, None
        case ast.Call(func=ast.Attribute(attr="is_tensor"), args=[subject]):
            return _keep(subject, Kind.TENSOR, holds, frame)
        case ast.Call(func=ast.Name(id="is_tensor"), args=[subject]):
            return _keep(subject, Kind.TENSOR, holds, frame)
        case ast.Compare(
            left=subject, ops=[ast.Is() | ast.IsNot() as op], comparators=[ast.Constant(value=None)]
        ):
            return _keep(subject, Kind.NONE, holds == isinstance(op, ast.Is), frame)
        case ast.Compare(
            left=ast.Name(id=name),
            ops=[ast.Eq() | ast.NotEq() as op],
            comparators=[ast.Constant(value=int() | str() as wanted)],
        ) if name in frame.chosen:
            return _equals(frame.name(name), wanted, holds != isinstance(op, ast.NotEq))
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="type"), args=[subject]),
            ops=[ast.Eq() | ast.Is()],
            comparators=[types],
        ):
            return _isinstance(subject, types, holds, frame) if holds else True
    return True


def remember(target: ast.expr, value: ast.expr, frame: Frame) -> None:
    """What a name holds, for when it is asked for. What was said of a name that is now bound again
    (`flag = flag and other`) holds no longer."""
    bound = _names_in(target)
    stale = [n for n, held in frame.conditions.items() if n in bound or bound & _names_in(held)]
    for name in stale:
        del frame.conditions[name]
    told = isinstance(value, (ast.Call, ast.Compare, ast.UnaryOp, ast.BoolOp))
    if told and isinstance(target, ast.Name) and not bound & _names_in(value):
        frame.conditions[target.id] = value


@functools.lru_cache(maxsize=256)  # each condition is asked again at every assignment
def _names_in(node: ast.expr) -> frozenset[str]:
    return frozenset(n.id for n in walk(node) if isinstance(n, ast.Name))


def _equals(value: Value | None, wanted: int | str, holds: bool) -> bool | None:
    """`if channels == 3:` in a function that this call gives 1."""
    if value is None or value.kind not in (Kind.NUMBER, Kind.STRING):
        return True
    if value.const is None or isinstance(value.const, str) != isinstance(wanted, str):
        return True
    return True if (value.const == wanted) == holds else None


def _without_graph(subject: ast.expr, frame: Frame) -> None:
    """The path without the clone of `if x.requires_grad: x = x.clone()`: x may be written there,
    whatever has kept its memory."""
    value = _current(subject, frame)
    if value is not None and value.kind == Kind.TENSOR and isinstance(subject, ast.Name):
        assign(subject, value.but(graph=Graph.NO, leaf=False, storage=frozenset()), frame)


def _flag(name: str, frame: Frame) -> bool | None:
    """What `if augment:` finds in a function that this call gives no True."""
    value = frame.name(name)
    return value.const if value.kind == Kind.NUMBER and isinstance(value.const, bool) else None


def _nonempty(subject: ast.expr, holds: bool, frame: Frame) -> bool:
    """`if xs:` where xs is a list: it holds something in one branch, and nothing in the other."""
    value = _current(subject, frame)
    if value is not None and value.kind == Kind.SEQUENCE and value.may_be_empty:
        contents = value.but(empty=False) if holds else sequence(())
        if value.items == () and holds:
            return True
        assert isinstance(subject, (ast.Name, ast.Attribute))
        assign(subject, contents.but(aliases=EMPTY), frame)
    return True


def _current(subject: ast.expr, frame: Frame) -> Value | None:
    if isinstance(subject, ast.Name):
        return frame.name(subject.id)
    return frame.program.values.get(subject) if isinstance(subject, ast.Attribute) else None


def _all(parts: list[ast.expr], holds: bool, frame: Frame) -> bool | None:
    results = [narrow(part, holds, frame) for part in parts]
    return None if None in results else True


def _either_type(parts: list[ast.expr]) -> ast.Tuple | None:
    """The types of `isinstance(x, int) or isinstance(x, float)`."""
    types: list[ast.expr] = []
    subjects = set()
    for part in parts:
        match part:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), kinds]):
                types += kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
                subjects.add(name)
            case _:
                return None
    return ast.Tuple(types, ast.Load()) if len(subjects) == 1 else None


def _isinstance(subject: ast.expr, types: ast.expr, holds: bool, frame: Frame) -> bool | None:
    kinds = types.elts if isinstance(types, ast.Tuple) else [types]
    if holds and len(kinds) == 1 and _of_class(subject, kinds[0], frame):
        return True
    found = [_kind_of(kind) for kind in kinds]
    if not holds and [last_name(kind) for kind in kinds] == ["Parameter"]:
        return _no_parameter(subject, frame)
    if all(found):
        return _keep(subject, functools.reduce(operator.or_, found), holds, frame)
    if holds and all(
        not known & Kind.TENSOR if known else _is_tensor_type(kind, frame) is False
        for kind, known in zip(kinds, found, strict=True)
    ):
        return _foreign(subject, frame)
    if holds and all(_is_tensor_type(kind, frame) for kind in kinds):
        return _keep(subject, Kind.TENSOR, holds, frame)
    return True


def _no_parameter(subject: ast.expr, frame: Frame) -> bool:
    """`elif` behind `if isinstance(self.scale, nn.Parameter)`: a buffer, say."""
    value = _current(subject, frame)
    if value is not None and value.leaf and isinstance(subject, (ast.Name, ast.Attribute)):
        assign(subject, value.but(leaf=False, parameter=False, storage=frozenset()), frame)
    return True


def _of_class(subject: ast.expr, kind: ast.expr, frame: Frame) -> bool:
    """`[m for m in model.modules() if isinstance(m, Gate)]` with a class of the project: what was
    not known is one of its objects."""
    value = _current(subject, frame)
    if value is None or value.ref is not None or not value.kind & (Kind.UNKNOWN | Kind.MODULE):
        return False
    info = frame.name(kind.id).ref if isinstance(kind, ast.Name) else None
    if not isinstance(info, ClassInfo) or not isinstance(subject, (ast.Name, ast.Attribute)):
        return False
    assign(subject, instance_value(info.any_of_them), frame)
    return True


def _is_tensor_type(kind: ast.expr, frame: Frame) -> bool | None:
    """`torch.Tensor`, `nn.Parameter`, `DTensor`; None if the name of the type does not tell."""
    value = frame.program.values.get(kind)
    if value is not None and isinstance(value.ref, str) and value.ref.startswith("numpy."):
        return False  # `np.generic`
    name = (last_name(kind) or "").lstrip("_")
    if name.endswith(("Tensor", "Parameter", "Variable")):
        return True
    return False if name[:1].isupper() and not name.isupper() else None


def _foreign(subject: ast.expr, frame: Frame) -> bool | None:
    """A type that is not known here, and no tensor. An argument of this type is not the tensor that
    its annotation or its use promises."""
    value = _current(subject, frame)
    if value is None or not value.is_tensor:
        return True
    if not value.assumed and isinstance(subject, ast.Name):
        return None
    assert isinstance(subject, (ast.Name, ast.Attribute))
    assign(subject, UNKNOWN, frame)
    return True


def _kind_of(node: ast.expr) -> int:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, right = _kind_of(node.left), _kind_of(node.right)
        return left | right if left and right else 0
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    if name in _NUMBER_TYPES:
        return Kind.NUMBER
    if name in _SEQUENCE_TYPES:
        return Kind.SEQUENCE
    return {
        "Tensor": Kind.TENSOR,
        "str": Kind.STRING,
        "dict": Kind.DICT,
        "ndarray": Kind.NUMPY,
        "Module": Kind.MODULE,
        "NoneType": Kind.NONE,
    }.get(name, 0)


def _keep(subject: ast.expr, bits: int, holds: bool, frame: Frame) -> bool | None:
    """Keep (or drop) the kinds `bits` of what the name or attribute `subject` refers to."""
    if isinstance(subject, ast.NamedExpr):
        subject = subject.target
    value = _current(subject, frame)
    if value is None or not isinstance(subject, (ast.Name, ast.Attribute)):
        return True
    narrowed = _restricted(value, bits) if holds else _excluded(value, bits)
    if value.kind & Kind.UNKNOWN and frame.program.skims and not holds:
        narrowed = value  # no tensor, but a list of tensors perhaps: the callers will tell
    if narrowed is None:
        # Another method may have set the attribute since: only a local name is certain.
        if isinstance(subject, ast.Attribute) and holds and bits == Kind.NUMBER:
            _hold_number(subject, frame)
        return None if isinstance(subject, ast.Name) else True
    if narrowed is not value:
        assign(subject, narrowed, frame)
    return True


def _hold_number(subject: ast.Attribute, frame: Frame) -> None:
    """`if isinstance(self.v, float):` before `self.v` becomes a tensor: here it is none yet."""
    owner = frame.program.values.get(subject.value)
    if owner is not None and isinstance(owner.ref, Instance):
        frame.state.bound[owner.ref.identity, subject.attr] = number()


def _restricted(value: Value, bits: int) -> Value | None:
    if value.kind & Kind.UNKNOWN:
        if bits == Kind.TENSOR:
            return tensor(
                max(value.graph, Graph.MAYBE), cuts=value.cuts, why=value.why, storage=value.storage
            )
        return _of_kinds(Value(bits, value.graph, cuts=value.cuts, why=value.why), bits)
    kept = value.kind & bits
    if not kept:
        return None
    return value if kept == value.kind else _of_kinds(value, kept)


def _of_kinds(value: Value, kinds: int) -> Value:
    """The value, known to be of these kinds: a number has no graph, and no shape."""
    if kinds & (Kind.TENSOR | Kind.UNKNOWN | Kind.SEQUENCE | Kind.DICT):
        return value.but(kind=kinds)
    return Value(kinds, cuts=value.cuts, ref=value.ref, const=value.const)


def _excluded(value: Value, bits: int) -> Value | None:
    kept = value.kind & ~bits
    if not kept:
        return None
    if value.kind & Kind.UNKNOWN and bits & Kind.TENSOR:
        return value.but(kind=kept & ~Kind.UNKNOWN | Kind.OTHER, graph=Graph.NO)
    return value if kept == value.kind else _of_kinds(value, kept)
