"""What each kind of expression evaluates to."""

from __future__ import annotations

import ast
from typing import Any

from autofix.flow import distributions, shapes, torch_api
from autofix.flow.frame import Frame, all_cuts, expression
from autofix.flow.objects import ClassInfo, Closure, Instance
from autofix.flow.saved import save_operator
from autofix.flow.stores import assign
from autofix.flow.values import (
    FLOATING,
    NONE,
    NUMBER,
    OTHER,
    STRING,
    UNKNOWN,
    Graph,
    Kind,
    Value,
    fresh,
    join,
    join_all,
    library,
    number,
    promote,
    sequence,
    tensor,
)


@expression(ast.Constant)
def _constant(node: ast.Constant, frame: Frame) -> Value:
    if node.value is None:
        return NONE
    if isinstance(node.value, str):
        return Value(Kind.STRING, const=node.value)
    if isinstance(node.value, (bool, int, float, complex)):
        return Value(Kind.NUMBER, const=node.value)
    return OTHER


@expression(ast.Name)
def _name(node: ast.Name, frame: Frame) -> Value:
    return frame.name(node.id)


@expression(ast.JoinedStr, ast.FormattedValue)
def _formatted(node: ast.JoinedStr, frame: Frame) -> Value:
    for child in ast.walk(node):
        if isinstance(child, ast.FormattedValue):
            frame.eval(child.value)
    return STRING


@expression(ast.Tuple, ast.List, ast.Set)
def _display(node: ast.Tuple | ast.List, frame: Frame) -> Value:
    items: list[Value] = []
    exact = True
    for element in node.elts:
        if isinstance(element, ast.Starred):
            value = frame.eval(element.value)
            if value.items is not None:
                items.extend(value.items)
            else:
                exact = False
                items.append(iterate(value, frame, element.value))
        else:
            items.append(frame.eval(element))
    identity = frozenset({fresh()}) if isinstance(node, ast.List) else frozenset()
    value = sequence(tuple(items) if exact else None, join_all(items))
    if identity:
        value = value.but(aliases=identity)
        frame.state.bound[next(iter(identity))] = value
    return value


@expression(ast.Dict)
def _dict(node: ast.Dict, frame: Frame) -> Value:
    entries: dict[Any, Value] | None = {}
    elem: Value | None = None
    for key, value_node in zip(node.keys, node.values, strict=True):
        value = frame.eval(value_node)
        if key is None:
            entries = None
            elem = join(elem, value.elem or UNKNOWN)
            continue
        const = frame.eval(key).const
        if entries is not None and isinstance(const, (str, int)):
            entries[const] = value
        else:
            entries = None
        elem = join(elem, value)
    identity = fresh()
    result = Value(Kind.DICT, elem=elem, entries=entries, aliases=frozenset({identity}))
    frame.state.bound[identity] = result
    return result


@expression(ast.ListComp, ast.GeneratorExp, ast.SetComp)
def _comprehension(node: ast.ListComp, frame: Frame) -> Value:
    outer = frame.state
    frame.state = outer.fork()
    single = len(node.generators) == 1 and not node.generators[0].ifs
    source = _generators(node.generators, frame)
    items = None
    if single and source is not None and source.items is not None and len(source.items) <= 8:
        parts = []
        for item in source.items:
            assign(node.generators[0].target, item, frame)
            parts.append(frame.eval(node.elt))
        items = tuple(parts)
    value = sequence(items, None if items is not None else frame.eval(node.elt))
    frame.state = outer
    return value


def _generators(generators: list[ast.comprehension], frame: Frame) -> Value | None:
    from autofix.flow.narrowing import narrow

    first: Value | None = None
    for generator in generators:
        source = frame.eval(generator.iter)
        first = first or source
        assign(generator.target, iterate(source, frame, generator.iter), frame)
        for condition in generator.ifs:
            frame.eval(condition)
            narrow(condition, True, frame)
    return first


@expression(ast.DictComp)
def _dict_comprehension(node: ast.DictComp, frame: Frame) -> Value:
    outer = frame.state
    frame.state = outer.fork()
    _generators(node.generators, frame)
    frame.eval(node.key)
    value = Value(Kind.DICT, elem=frame.eval(node.value))
    frame.state = outer
    return value


@expression(ast.IfExp)
def _conditional(node: ast.IfExp, frame: Frame) -> Value:
    from autofix.flow.narrowing import narrow

    frame.eval(node.test)
    outer = frame.state
    values = []
    for branch, holds in ((node.body, True), (node.orelse, False)):
        frame.state = outer.fork()
        if narrow(node.test, holds, frame) is not None:
            values.append(frame.eval(branch))
    frame.state = outer
    return join_all(values) or UNKNOWN


@expression(ast.BoolOp)
def _bool_op(node: ast.BoolOp, frame: Frame) -> Value:
    return join_all([frame.eval(value) for value in node.values]) or UNKNOWN


@expression(ast.NamedExpr)
def _walrus(node: ast.NamedExpr, frame: Frame) -> Value:
    value = frame.eval(node.value)
    assign(node.target, value, frame)
    return value


@expression(ast.Lambda)
def _lambda(node: ast.Lambda, frame: Frame) -> Value:
    return Value(Kind.FUNCTION, ref=Closure(node, (frame, *frame.scopes)))


@expression(ast.Await, ast.Starred)
def _inner(node: ast.Await, frame: Frame) -> Value:
    return frame.eval(node.value)


@expression(ast.Yield, ast.YieldFrom)
def _yield(node: ast.Yield, frame: Frame) -> Value:
    if node.value is not None:
        value = frame.eval(node.value)
        if frame.needed is not None:
            frame.program.need(value, frame.needed, node.lineno)
        frame.yielded.append(value)
    return UNKNOWN


@expression(ast.UnaryOp)
def _unary(node: ast.UnaryOp, frame: Frame) -> Value:
    value = frame.eval(node.operand)
    if isinstance(node.op, ast.Not):
        return NUMBER
    if value.is_tensor:
        return (
            frame.derive("`-`", node, [value], value.shape, value.dtype, shape_id=value.shape_id)
            if value.shape is None
            else frame.derive("`-`", node, [value], value.shape, value.dtype)
        )
    if value.is_number and isinstance(node.op, ast.USub) and isinstance(value.const, (int, float)):
        return value.but(const=-value.const, symbol=None)
    return value.but(const=None)


@expression(ast.Compare)
def _compare(node: ast.Compare, frame: Frame) -> Value:
    values = [frame.eval(node.left), *(frame.eval(c) for c in node.comparators)]
    if any(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops):
        return NUMBER
    if any(v.is_tensor for v in values):
        return tensor(Graph.NO, shapes.broadcast(values), "bool")
    if any(v.kind & (Kind.UNKNOWN | Kind.NUMPY | Kind.TENSOR) for v in values):
        return Value(Kind.OTHER)
    return NUMBER


_SIGNS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.MatMult: "@",
    ast.Pow: "**",
    ast.Mod: "%",
    ast.FloorDiv: "//",
}


@expression(ast.BinOp)
def _bin_op(node: ast.BinOp, frame: Frame) -> Value:
    return operate(node, frame.eval(node.left), frame.eval(node.right), node.op, frame)


def operate(node: ast.AST, a: Value, b: Value, op: ast.operator, frame: Frame) -> Value:
    """The result of `a op b`."""
    kinds = a.kind | b.kind
    if a.kind & Kind.SEQUENCE and b.kind & (Kind.SEQUENCE | Kind.NUMBER):
        return _sequence_op(a, b, op)
    if kinds & Kind.TENSOR and not kinds & (Kind.SEQUENCE | Kind.DICT | Kind.STRING):
        return _tensor_op(node, a, b, op, frame)
    if kinds == Kind.NUMBER:
        return _number_op(a, b, op)
    if kinds & Kind.NUMPY:
        return Value(Kind.NUMPY, cuts=a.cuts | b.cuts)
    if kinds & Kind.STRING and not kinds & Kind.TENSOR:
        return STRING
    return Value(
        Kind.UNKNOWN,
        max(a.graph, b.graph) if frame.state.grad else Graph.NO,
        cuts=a.cuts | b.cuts,
        why=a.why or b.why,
    )


def _sequence_op(a: Value, b: Value, op: ast.operator) -> Value:
    if isinstance(op, ast.Mult):
        count = b.const
        if a.items is not None and isinstance(count, int) and 0 <= count * len(a.items) <= 16:
            return sequence(a.items * count)
        return sequence(None, a.elem)
    if a.items is not None and b.items is not None:
        return sequence(a.items + b.items)
    if a.kind != Kind.SEQUENCE:
        return UNKNOWN
    return sequence(None, join(a.elem, b.elem) if a.elem and b.elem else a.elem or b.elem)


def _number_op(a: Value, b: Value, op: ast.operator) -> Value:
    const = None
    if isinstance(a.const, (int, float)) and isinstance(b.const, (int, float)):
        try:
            const = _FOLD[type(op)](a.const, b.const)
        except (KeyError, ArithmeticError, ValueError, TypeError):
            const = None
    return number(const, cuts=a.cuts | b.cuts)


_FOLD: dict[type[ast.operator], Any] = {
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y if abs(x) < 1e9 and abs(y) < 1e9 else None,
    ast.Div: lambda x, y: x / y,
    ast.FloorDiv: lambda x, y: x // y,
    ast.Mod: lambda x, y: x % y,
}


def _tensor_op(node: ast.AST, a: Value, b: Value, op: ast.operator, frame: Frame) -> Value:
    sign = _SIGNS.get(type(op), "")
    if isinstance(op, (ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)):
        return tensor(Graph.NO, shapes.broadcast([a, b]), promote(a.dtype, b.dtype))
    if isinstance(op, ast.MatMult):
        shape = shapes.matmul(a.shape, b.shape)
        if a.cuts or b.cuts:
            frame.program.multiplied(a, b)
        product = frame.derive("`@`", node, [a, b], shape, promote(a.dtype, b.dtype))
        save_operator(node, op, a, b, product, frame)
        return product
    shape = shapes.broadcast([a, b])
    more: dict[str, Any] = {}
    if shape is None:
        more["shape_id"] = shapes.kept_shape_id([a, b])
        if more["shape_id"] is None:
            del more["shape_id"]
    dtype = binary_dtype(a, b, op)
    kind = Kind.TENSOR
    if isinstance(op, ast.Pow):
        frame.program.distance(a)
    if isinstance(op, (ast.Mult, ast.Div)) and (a.cuts or b.cuts):
        frame.program.multiplied(a, b)
    result = frame.derive(f"`{sign}`", node, [a, b], shape, dtype, **more)
    save_operator(node, op, a, b, result, frame)
    if isinstance(op, ast.Sub):
        frame.program.subtracted(a, b, result)
    if (a.kind | b.kind) & Kind.NUMBER and a.kind != Kind.TENSOR and b.kind != Kind.TENSOR:
        kind |= Kind.NUMBER  # both may be numbers on some path
    return result if kind == Kind.TENSOR else result.but(kind=kind)


def binary_dtype(a: Value, b: Value, op: ast.operator) -> str | None:
    """The dtype of elementwise arithmetic, as torch promotes it."""
    if a.is_number or b.is_number:
        tensor_dtype = b.dtype if a.is_number else a.dtype
        other = a.const if a.is_number else b.const
        if tensor_dtype in FLOATING:
            return tensor_dtype
        if isinstance(op, ast.Div) or isinstance(other, float):
            return "float" if tensor_dtype is None else "default"
        return tensor_dtype if isinstance(other, int) else None
    if not (a.is_tensor and b.is_tensor):
        floating = isinstance(op, ast.Div) or a.dtype in FLOATING or b.dtype in FLOATING
        return "float" if floating else None
    dtype = promote(a.dtype, b.dtype)
    if dtype is None and (a.dtype in FLOATING or b.dtype in FLOATING or isinstance(op, ast.Div)):
        return "float"
    if dtype is not None and dtype not in FLOATING and isinstance(op, ast.Div):
        return "default"
    return dtype


@expression(ast.Subscript)
def _subscript(node: ast.Subscript, frame: Frame) -> Value:
    owner = frame.eval(node.value)
    index = frame.eval(node.slice)
    if owner.is_tensor:
        shape = shapes.index(owner.shape, node.slice, frame)
        return frame.derive("an index", node, [owner], shape, owner.dtype, **_view_of(owner, index))
    if owner.kind == Kind.SEQUENCE:
        return _element(owner, node.slice, index)
    if owner.kind == Kind.DICT:
        if owner.entries is not None and index.const in owner.entries:
            return frame.state.look(owner.entries[index.const])
        return frame.state.look(owner.elem) if owner.elem is not None else UNKNOWN
    if owner.kind == Kind.MODULE and owner.elem is not None:
        if owner.items is not None and isinstance(index.const, int):
            at = index.const
            return owner.items[at] if -len(owner.items) <= at < len(owner.items) else owner.elem
        return owner.elem if not isinstance(node.slice, ast.Slice) else owner
    if owner.kind == Kind.NUMPY:
        return Value(Kind.NUMPY, cuts=owner.cuts)
    if owner.kind in (Kind.LIBRARY, Kind.CLASS):
        return owner  # Generic[...], nn.Module[...]: the class itself
    return Value(
        Kind.UNKNOWN,
        Graph.MAYBE if frame.state.grad else Graph.NO,
        cuts=all_cuts(owner),
        why=owner.why,
    )


def _view_of(owner: Value, index: Value) -> dict[str, Any]:
    """Basic indexing is a view; an index tensor or list makes a copy."""
    parts = index.items if index.items is not None else (index,)
    copied = any(part.kind & (Kind.TENSOR | Kind.SEQUENCE | Kind.NUMPY) for part in parts)
    return {} if copied else {"storage": owner.storage}


def _element(owner: Value, slice_node: ast.expr, index: Value) -> Value:
    if isinstance(slice_node, ast.Slice):
        low, high, step = slice_node.lower, slice_node.upper, slice_node.step
        parts: list[Any] = [getattr(p, "value", None) for p in (low, high, step)]
        known = all(p is None or isinstance(p, ast.Constant) for p in (low, high, step))
        if owner.items is not None and known:
            return sequence(owner.items[slice(*parts)])
        return sequence(None, owner.elem)
    if owner.items is not None and isinstance(index.const, int):
        at = index.const
        if -len(owner.items) <= at < len(owner.items):
            return owner.items[at]
    if owner.entries is not None and index.const in owner.entries:  # `x.shape[0]`
        return owner.entries[index.const]
    return owner.elem or UNKNOWN


@expression(ast.Slice)
def _slice(node: ast.Slice, frame: Frame) -> Value:
    for part in (node.lower, node.upper, node.step):
        if part is not None:
            frame.eval(part)
    return OTHER


@expression(ast.Attribute)
def _attribute(node: ast.Attribute, frame: Frame) -> Value:
    return attribute(frame.eval(node.value), node, frame)


def attribute(owner: Value, node: ast.Attribute, frame: Frame) -> Value:
    """`owner.attr`, read."""
    from autofix.flow.functions import call_closure, class_attribute

    name = node.attr
    if isinstance(owner.ref, Instance):
        found = class_attribute(owner, name, frame)
        if found is not None and isinstance(found.ref, Closure) and _is_property(found.ref):
            return call_closure(found.ref.bind(owner), [], {}, node, frame)
        if found is not None:
            return frame.state.look(found)
    if owner.kind == Kind.LIBRARY and owner.ref:
        return _library_attribute(f"{owner.ref}.{name}")
    if isinstance(owner.ref, ClassInfo):
        return owner.ref.find(name) or UNKNOWN
    if owner.is_tensor:
        return tensor_attribute(owner, name, node, frame)
    if owner.kind == Kind.NUMPY:
        return Value(Kind.NUMPY, cuts=owner.cuts)
    if owner.kind == Kind.MODULE and name in ("weight", "bias") and isinstance(owner.ref, str):
        return tensor(
            Graph.YES, leaf=True, dtype="default", storage=frozenset({hash((id(owner.ref), name))})
        )
    if distributions.is_distribution(owner):
        return distributions.member(owner, name, (), node, frame) or UNKNOWN
    if owner.kind in (Kind.NUMBER, Kind.STRING, Kind.OTHER, Kind.OPTIMIZER):
        return OTHER
    if name == "shape":
        return shapes.sizes(owner)
    return Value(Kind.UNKNOWN, Graph.MAYBE if frame.state.grad else Graph.NO, cuts=owner.cuts)


def _is_property(closure: Closure) -> bool:
    if isinstance(closure.node, ast.Lambda):
        return False
    for decorator in closure.node.decorator_list:
        last = (
            decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
        )
        if last in {"property", "cached_property"}:
            return True
    return False


_CONSTANTS = frozenset(
    {
        "math.pi",
        "math.e",
        "math.tau",
        "math.inf",
        "math.nan",
        "torch.pi",
        "torch.inf",
        "torch.nan",
        "torch.e",
        "numpy.pi",
        "numpy.e",
        "numpy.inf",
        "numpy.nan",
        "numpy.newaxis",
    }
)
_DTYPES = frozenset(
    {
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "float",
        "double",
        "half",
        "int8",
        "int16",
        "int32",
        "int64",
        "int",
        "long",
        "short",
        "uint8",
        "bool",
        "complex64",
        "complex128",
        "cfloat",
        "cdouble",
    }
)


def _library_attribute(dotted: str) -> Value:
    if dotted in _CONSTANTS:
        return number()
    if dotted.startswith("torch.") and dotted[6:] in _DTYPES:
        return Value(Kind.OTHER, ref=dotted)
    return library(dotted)


def tensor_attribute(owner: Value, name: str, node: ast.AST, frame: Frame) -> Value:
    if name == "shape":
        return shapes.sizes(owner)
    if name == "data":
        cuts = frame.cut(node, owner)
        return tensor(Graph.NO, owner.shape, owner.dtype, storage=owner.storage, cuts=cuts)
    op = torch_api.property_(name)
    if name in ("ndim", "requires_grad") or (op is not None and op.ret in ("number", "bool")):
        return number(owner.rank if name == "ndim" else None)
    if op is None or op.ret != "tensor":
        return OTHER
    if name == "grad":
        if owner.leaf:
            frame.program.optimized |= owner.cuts
        return tensor(Graph.NO, owner.shape, owner.dtype)
    shape = shapes.transposed(owner.shape) if name in ("T", "mT", "H", "mH") else owner.shape
    return frame.derive(
        f"`.{name}`",
        node,
        [owner],
        shape,
        owner.dtype,
        storage=owner.storage,
        differentiable=op.grad,
    )


def iterate(value: Value, frame: Frame, node: ast.expr | None) -> Value:
    """One element of an iterable."""
    if value.kind & Kind.SEQUENCE:
        return frame.state.look(value.elem) if value.elem is not None else UNKNOWN
    if value.is_tensor:
        shape = value.shape[1:] if value.shape else None
        where = node if node is not None else ast.Constant(None)
        return frame.derive("iteration", where, [value], shape, value.dtype, storage=value.storage)
    if value.kind == Kind.MODULE:
        return value.elem or UNKNOWN
    if value.kind == Kind.DICT:
        return STRING if value.entries else OTHER
    if value.kind == Kind.NUMPY:
        return Value(Kind.NUMPY, cuts=value.cuts)
    grad = Graph.NO if value.graph == Graph.NO or not frame.state.grad else Graph.MAYBE
    return Value(Kind.UNKNOWN, grad, cuts=all_cuts(value), why=value.why)
