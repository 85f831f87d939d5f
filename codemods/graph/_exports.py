"""Where a value leaves torch for Python or numpy: `x.item()`, `float(x)`, `x.detach().numpy()`."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum

from autofix.flow.facts import Facts
from autofix.flow.index import last_name


class Form(Enum):
    """What a value is before it is a tensor again."""

    NUMBER = "number"
    ARRAY = "array"
    NUMBERS = "list of numbers"
    """A Python list, whose elements are to be tensors."""


@dataclass(frozen=True, slots=True)
class Export:
    """One way out of torch."""

    cut: ast.expr
    """Where the graph ends."""
    whole: ast.expr
    """The number, list or array."""
    source: ast.expr
    """The tensor in front of the cut."""
    read: ast.expr
    """The tensor that becomes a number or array: the source, or what is computed of it first, as
    in `x.detach().exp().numpy()`."""
    form: Form
    how: str
    """The code that does the same to a tensor, as a suffix."""

    @property
    def is_bare(self) -> bool:
        """`x.numpy()` as it stands raises where x has a graph, so it has none if it is data."""
        func = self.cut.func if isinstance(self.cut, ast.Call) else None
        return isinstance(func, ast.Attribute) and func.attr == "numpy"


_ON = frozenset({"detach", "cpu", "numpy", "item", "tolist", "data", "clone", "squeeze"})
_COMPUTED = frozenset(
    "abs add clamp clamp_max clamp_min contiguous cos div double exp expand flatten float log "
    "log1p mul neg permute pow relu repeat reshape rsqrt sigmoid sin softmax sqrt square squeeze "
    "sub t tan tanh to transpose unsqueeze view".split()
)
"""Methods that carry a gradient, and may stand between a cut and what ends in numbers. (Sums and
norms of what is cut are measured, as a rule.)"""
_ENDS = {"item": Form.NUMBER, "numpy": Form.ARRAY, "tolist": Form.ARRAY}
_ARRAYS = frozenset({"numpy.array", "numpy.asarray", "numpy.asanyarray", "numpy.ascontiguousarray"})


def export_at(node: ast.expr, facts: Facts) -> Export | None:
    """The export that the cut at `node` is a part of; None if what is left is still a tensor."""
    whole, form = node, _form_of(node, facts)
    parents = facts.index.parents
    read: ast.expr | None = None
    while True:
        step = _next(whole, facts)
        if step is None and form is None:
            step = read = _computed(whole, facts)
        if step is None:
            break
        found = _form_of(step, facts)
        if form is not None and (found is None or _is_array(step, facts)):
            break  # `x.item()` and then something of a number's own
        whole, form = step, found or form
        if parents.get(whole) is None:
            break
    if form is None and (read := _taken_by_numpy(whole, facts)) is not None:
        whole, form = read, Form.ARRAY
    if form is None:
        return None
    source = _source(node)
    if source is None:
        return None
    if read is None:
        return Export(node, whole, source, source, form, _how(whole, source, facts))
    how = _how(whole, read, facts)
    how = how if ".detach()" in how or how == ".item()" else f".detach(){how}"
    return Export(node, whole, source, read, form, how)


def _taken_by_numpy(node: ast.expr, facts: Facts) -> ast.expr | None:
    """The `x.detach() + 1` that a function of numpy takes for an array."""
    parents = facts.index.parents
    while True:
        match parents.get(node):
            case ast.BinOp(left=left, right=right) as around:
                other = right if left is node else left
                if not isinstance(other, ast.Constant):
                    return None
                node = around
            case ast.UnaryOp(op=ast.USub()) as around:
                node = around
            case ast.Call(func=func, args=args) if node in args:
                name = facts.library_name(func) or ""
                return node if name.startswith("numpy.") else None
            case _:
                return None


def _computed(node: ast.expr, facts: Facts) -> ast.expr | None:
    """`node.exp()` of `node`."""
    parent = facts.index.parents.get(node)
    if isinstance(parent, ast.Attribute) and parent.attr in _COMPUTED:
        call = facts.index.parents.get(parent)
        return call if isinstance(call, ast.Call) and call.func is parent else None
    return None


def _next(node: ast.expr, facts: Facts) -> ast.expr | None:
    """`node.cpu()` of `node`, and the like."""
    parent = facts.index.parents.get(node)
    if isinstance(parent, ast.Attribute) and parent.attr in _ON:
        if parent.attr == "data":
            return parent
        call = facts.index.parents.get(parent)
        if isinstance(call, ast.Call) and call.func is parent and not call.args:
            return call
        return None
    if isinstance(parent, ast.Call) and parent.args[:1] == [node]:
        if isinstance(parent.func, ast.Name) and parent.func.id == "float":
            return parent
        if _is_array(parent, facts):
            return parent
    return None


def _is_array(node: ast.expr, facts: Facts) -> bool:
    return (
        isinstance(node, ast.Call)
        and last_name(node.func) in ("array", "asarray", "asanyarray", "ascontiguousarray")
        and not node.keywords
        and len(node.args) == 1
        and facts.library_name(node.func) in _ARRAYS
    )


def _form_of(node: ast.expr, facts: Facts) -> Form | None:
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Name) and node.func.id == "float":
        return Form.NUMBER
    if isinstance(node.func, ast.Attribute) and not node.args:
        return _ENDS.get(node.func.attr)
    return Form.ARRAY if _is_array(node, facts) else None


def _source(node: ast.expr) -> ast.expr | None:
    """The tensor in front of the first cut."""
    match node:
        case ast.Attribute(value=inner, attr="data"):
            return inner
        case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in _ON:
            return inner
        case ast.Call(func=ast.Name(id="float" | "Variable"), args=[inner, *_]):
            return inner
        case ast.Call(args=[inner, *_]):
            return inner
    return None


def _how(whole: ast.expr, source: ast.expr, facts: Facts) -> str:
    if isinstance(whole, ast.Call) and not isinstance(whole.func, ast.Attribute):
        return ".item()"
    start = facts.source.span(source)[1]
    text = facts.source.text[start : facts.source.span(whole)[1]].lstrip(") \t")
    if text.count("(") != text.count(")") or "\n" in text or not text.startswith("."):
        return ".detach().cpu().numpy()"
    return text
