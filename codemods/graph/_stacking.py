"""`torch.tensor([a, b, 0.5])` rebuilt as `torch.stack(...)`, exact in value, shape and dtype."""

from __future__ import annotations

import ast
import struct
from dataclasses import dataclass, field

import libcst as cst

from autofix.flow.facts import Facts
from autofix.flow.frame import contents
from autofix.flow.index import last_name
from autofix.flow.op_dtypes import dtype_name
from autofix.flow.syntax import keyword
from autofix.flow.values import FLOATING, Graph, Kind, Value
from autofix.flow.walk import walk
from autofix.model import Edit
from autofix.rewrite.names import spell, unused_name
from autofix.rewrite.nodes import bare, call, expression, method


class CannotStack(Exception):
    """The data holds something that no stack can hold; the message says what."""


@dataclass(slots=True)
class Stacker:
    """Builds the stack for the data of one constructor call."""

    facts: Facts
    near: ast.Call
    like: str | None
    """Code for a tensor of the elements' dtype and device, to lift numbers with."""
    device_like: str | None
    """Code for any floating tensor among the elements, to put numbers where it is."""
    dtypes: frozenset[str | None]
    """The dtypes of the elements that are tensors."""
    trusted: bool = False
    """A backward pass that has nothing else to run through proves that elements are tensors."""
    exact: bool = True
    """False once something was taken on trust: a value whose kind is not known."""
    edits: list[Edit] = field(default_factory=list)

    def torch(self, name: str) -> str:
        spelling = spell(self.facts, f"torch.{name}", self.near)
        self.edits.extend(edit for edit in spelling.edits if edit not in self.edits)
        return spelling.code

    def stack(self, node: ast.expr) -> cst.BaseExpression:
        """The stack of a list, tuple, comprehension, or of any expression that gives one."""
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return call(self.torch("stack"), self._display(node, elements))
            case ast.ListComp():
                return call(self.torch("stack"), self._comprehension(node))
            case ast.Call(func=ast.Name(id="list" | "tuple"), args=[ast.GeneratorExp() as inner]):
                tree = expression(self.facts, node)
                assert isinstance(tree, cst.Call)
                changed = self._comprehension(inner, tree.args[0].value)
                argument = tree.args[0].with_changes(value=changed)
                return call(self.torch("stack"), tree.with_changes(args=[argument]))
        value = self.facts.value(node)
        tree = expression(self.facts, node)
        if value.ref is not None and value.elem is not None and value.elem.is_tensor:
            tree = call("list", bare(tree))  # a deque, a ParameterList: stack wants a list
        stacked = self._sequence(tree, value.elem)
        return self._unless_empty(node, stacked) if value.may_be_empty else stacked

    def _display(self, node: ast.expr, elements: list[ast.expr]) -> cst.BaseExpression:
        tree = expression(self.facts, node)
        assert isinstance(tree, (cst.List, cst.Tuple))
        changed = []
        for element, old in zip(elements, tree.elements, strict=True):
            if isinstance(element, ast.Starred):
                value = self._starred(element, old.value)
            else:
                value = self._element(element, old.value)
            changed.append(old.with_changes(value=value))
        if isinstance(tree, cst.Tuple) and not tree.lpar:
            tree = tree.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        return tree.with_changes(elements=changed)

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp, tree: cst.BaseExpression | None = None
    ) -> cst.BaseExpression:
        tree = expression(self.facts, node) if tree is None else tree
        assert isinstance(tree, (cst.ListComp, cst.GeneratorExp))
        return tree.with_changes(elt=self._element(node.elt, tree.elt))

    def _starred(self, node: ast.Starred, tree: cst.BaseExpression) -> cst.BaseExpression:
        value = self.facts.value(node.value)
        if value.is_tensor:
            if value.rank == 1:
                return tree  # unpacking a vector gives 0-d tensors
            raise CannotStack("the rank of what is unpacked is not known")
        elem = value.elem
        if elem is not None and elem.is_scalar:
            return tree
        return self._each(tree, elem)

    def _sequence(self, tree: cst.BaseExpression, elem: Value | None) -> cst.BaseExpression:
        """The stack of a list that is only known by what its elements are."""
        if elem is not None and elem.is_scalar:
            return call(self.torch("stack"), bare(tree))
        if elem is not None and elem.is_tensor and elem.shape == (1,):
            return call(self.torch("cat"), bare(tree))
        return call(self.torch("stack"), self._each(tree, elem))

    def _unless_empty(self, node: ast.expr, stacked: cst.BaseExpression) -> cst.BaseExpression:
        """`stack([])` raises where `torch.tensor([])` gives an empty tensor."""
        if not _plain(node):
            self.exact = False
            return stacked
        original = expression(self.facts, self.near)
        either = cst.IfExp(expression(self.facts, node), stacked, original)
        return either.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])

    def _each(self, tree: cst.BaseExpression, elem: Value | None) -> cst.BaseExpression:
        """`[<element> for v in tree]`."""
        name = unused_name(self.facts, "row" if _is_row(elem) else "value", self.near)
        one = self._known(cst.Name(name), elem)
        loop = cst.CompFor(cst.Name(name), bare(tree))
        return cst.ListComp(one, loop)

    def _element(self, node: ast.expr, tree: cst.BaseExpression) -> cst.BaseExpression:
        value = self.facts.value(node)
        if value.kind == Kind.SEQUENCE:
            return self.stack(node)
        if value.kind == Kind.NUMBER:
            inner = exported_tensor(node, self.facts)
            if inner is None:
                return self._lift(node, value, tree)
            self.exact = False
            return self._known(expression(self.facts, inner), self.facts.value(inner))
        return self._known(tree, value)

    def _known(self, tree: cst.BaseExpression, value: Value | None) -> cst.BaseExpression:
        """An element as a 0-d tensor, by what is known of it."""
        if value is None:
            raise CannotStack("nothing is known of its elements")
        if value.kind == Kind.SEQUENCE:
            return self._sequence(tree, value.elem)
        tensor_bits = value.kind & ~Kind.NONE
        if tensor_bits == Kind.TENSOR:
            if value.shape is not None and any(isinstance(d, int) and d != 1 for d in value.shape):
                raise CannotStack("an element holds more than one value")
            return tree if value.is_scalar else method(tree, "reshape", "()")
        if value.kind & Kind.SEQUENCE or value.kind & (Kind.NUMPY | Kind.STRING | Kind.MODULE):
            raise CannotStack("an element may be something other than a tensor or a number")
        if value.kind == Kind.UNKNOWN and self.trusted:
            self.exact = False
            return method(tree, "reshape", "()")
        exact = self._fits(value.const)
        wanted = None if exact else self._wanted()
        if value.kind & Kind.UNKNOWN or not (exact or wanted):
            self.exact = False
        as_tensor = self.torch("as_tensor")
        if wanted is not None:
            lifted = call(as_tensor, bare(tree), dtype=wanted)
        elif exact or self.like is None:
            lifted = call(as_tensor, bare(tree))
        else:
            like = self.like
            lifted = call(as_tensor, bare(tree), dtype=f"{like}.dtype", device=f"{like}.device")
        may_have_rank = value.kind & (Kind.TENSOR | Kind.UNKNOWN) and value.shape != ()
        return method(lifted, "reshape", "()") if may_have_rank else lifted

    def _fits(self, const: object) -> bool:
        """Is a number the same as a tensor of the default dtype and in the dtype of the stack?"""
        if isinstance(const, int) or (isinstance(const, float) and _fits_float32(const)):
            return True
        # A module made in the default dtype can be cast as a whole, out of this call's sight.
        text = self.facts.source.text
        return self.dtypes <= _NOT_WIDER and not ("double" in text or "float64" in text)

    def _wanted(self) -> str | None:
        """Code for the dtype that the call asks for: in float32 a number would lose digits."""
        if last_name(self.near.func) == "DoubleTensor":
            return self.torch("float64")
        dtype = keyword(self.near, "dtype")
        if dtype is None or not _plain(dtype):
            return None
        value = self.facts.value(dtype)
        if dtype_name(value) in _NOT_WIDER or value.kind == Kind.LIBRARY:
            return None
        return self.facts.source.segment(dtype)

    def _lift(self, node: ast.expr, value: Value, tree: cst.BaseExpression) -> cst.BaseExpression:
        """A Python number as a 0-d tensor: exact in the dtype that the stack will have."""
        const = None if isinstance(value.const, bool) else value.const
        if self.device_like is not None and const in (0, 1) and not _negative_zero(const):
            # 0 and 1 are the same in every dtype
            maker = "new_zeros" if const == 0 else "new_ones"
            return method(cst.parse_expression(self.device_like), maker, "()")
        wanted = None if self._fits(value.const) else self._wanted()
        if self.like is not None:
            kept = {"dtype": wanted} if wanted is not None else {}
            return method(cst.parse_expression(self.like), "new_tensor", bare(tree), **kept)
        if wanted is not None:
            return call(self.torch("tensor"), bare(tree), dtype=wanted)
        if not self._fits(value.const):
            self.exact = False
        return call(self.torch("tensor"), bare(tree))


def _is_row(elem: Value | None) -> bool:
    return elem is not None and elem.kind == Kind.SEQUENCE


def _fits_float32(const: float) -> bool:
    try:
        return bool(struct.unpack("f", struct.pack("f", const))[0] == const)
    except OverflowError:
        return False


def _negative_zero(const: object) -> bool:
    return isinstance(const, float) and str(const).startswith("-")


def exported_tensor(node: ast.expr, facts: Facts) -> ast.expr | None:
    """`x` of `x.item()` and `float(x)`, where x is a tensor with a graph."""
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr="item"), args=[]):
            pass
        case ast.Call(func=ast.Name(id="float"), args=[inner]):
            pass
        case _:
            return None
    value = facts.value(inner)
    return inner if value.is_tensor and value.graph > Graph.NO else None


def element_dtypes(data: ast.expr, facts: Facts) -> frozenset[str | None]:
    return frozenset(v.dtype for v in _tensors_of(data, facts))


def like_what(data: ast.expr, facts: Facts, exact: bool = True) -> str | None:
    """Code for a floating tensor that stands in `data` and can be named again at no cost: numbers
    beside it take its device, and its dtype, which is that of all elements if `exact`."""
    local = _bound_inside(data)
    dtypes = element_dtypes(data, facts)
    for node in walk(data):
        if not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
            continue
        if any(isinstance(n, ast.Name) and n.id in local for n in walk(node)):
            continue
        if not _plain(node):
            continue
        value = facts.value(node)
        floating = value.graph == Graph.YES or value.dtype in FLOATING
        if dtypes & _HALF or not (value.is_tensor and floating):
            continue
        if (
            not exact
            or value.dtype == "float64"
            or (value.dtype in dtypes and len(dtypes) == 1)
            or (len(dtypes) == 1 and value.dtype is None)
        ):
            return facts.source.segment(node)
    return None


_NOT_WIDER = frozenset({"default", "float16", "bfloat16", "float32"})
_HALF = frozenset({"float16", "bfloat16"})
"""Beside a Python float, `torch.tensor` gives the default dtype for these."""


def _plain(node: ast.expr) -> bool:
    """A dotted name: reading it twice does nothing twice."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _bound_inside(data: ast.expr) -> set[str]:
    names = (n for n in walk(data) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}


def _tensors_of(data: ast.expr, facts: Facts) -> list[Value]:
    """The tensor elements of a list display, nested ones too."""
    if isinstance(data, (ast.List, ast.Tuple)):
        return [value for e in data.elts for value in _tensors_of(e, facts)]
    value = contents(facts.value(data))
    return [value] if value is not None and value.kind & Kind.TENSOR else []
