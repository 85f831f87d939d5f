"""Where a number or array becomes a tensor again: `torch.tensor(total)`, `torch.from_numpy(a)`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.codemods.graph._exports import Export, Form
from autofix.codemods.graph._unwrapping import argument_removed, replaced, unwrapped, wrapped
from autofix.flow.constructors import CONSTRUCTORS
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import argument, is_true, keyword
from autofix.flow.values import Kind
from autofix.model import Edit

if TYPE_CHECKING:
    from autofix.codemods.graph._translating import Translator

Landing = tuple[list[Edit], ast.Call | None]
"""The edits, and the constructor if it makes a new leaf."""

_MAKERS = CONSTRUCTORS | {"from_numpy"}
_KNOWN = frozenset({"data", "dtype", "device", "requires_grad", "pin_memory"})
_CASTS = {"FloatTensor": "float", "DoubleTensor": "double", "HalfTensor": "half"}
_KEEPING = frozenset({"tensor", "as_tensor", "asarray", "from_numpy"})
"""They take the dtype of an array scalar."""
_WIDE = ("double", "float64", "half", "float16")


class CannotLift(Exception):
    """The way of a value has a step that torch does not have; the message says which."""


def landed(
    node: ast.expr,
    call: ast.Call,
    form: Form,
    mixed: bool,
    facts: Facts,
    translator: Translator,
    export: Export,
    wide: bool,
) -> Landing | None:
    """What is left of a constructor that `node` is the data of; None if the call is none."""
    if last_name(call.func) not in _MAKERS and facts.index.called_name(call) not in _MAKERS:
        return None
    is_data = argument(call, 0, "data") is node
    if not is_data or len(call.args) > 1:
        return None
    name = maker(call, facts)
    if name is None:
        return None
    if any(k.arg not in _KNOWN for k in call.keywords):
        raise CannotLift("an argument of the constructor has no counterpart")
    leaf = call if is_true(keyword(call, "requires_grad")) else None
    after = casts(call, name, facts, export)
    dtyped = any(k.arg == "dtype" for k in call.keywords)
    if wide and not after and not dtyped and name in _KEEPING:
        after = ".double()"
    whole, outer = _rewrapped(call, facts)
    leaf = leaf or outer
    if form == Form.NUMBERS and mixed:
        raise CannotLift("on another path it is a list of plain numbers")
    if form == Form.NUMBERS:
        return [*_stacked(node, call, whole, after, facts, translator, export.cut)], leaf
    if mixed:
        function = translator.torch("as_tensor", call)
        edits = [
            *replaced(facts, call.func, function),
            *argument_removed(facts, call, "requires_grad"),
        ]
        return [*edits, *(unwrapped(facts, whole, call) if whole is not call else [])], leaf
    return unwrapped(facts, whole, node, after), leaf


def maker(call: ast.Call, facts: Facts) -> str | None:
    """`tensor` of `torch.tensor(...)` under any name; `new_tensor` of a tensor's method."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "new_tensor":
        return "new_tensor" if facts.value(call.func.value).kind & Kind.TENSOR else None
    dotted = facts.library_name(call.func)
    if dotted is None or not dotted.startswith("torch.") or dotted.count(".") > 2:
        return None
    last = dotted.rpartition(".")[2]
    return last if last in _MAKERS else None


def _rewrapped(call: ast.Call, facts: Facts) -> tuple[ast.expr, ast.Call | None]:
    """`Variable(torch.tensor(x))` and `torch.tensor(x).requires_grad_()`: these go as well."""
    whole: ast.expr = call
    leaf: ast.Call | None = None
    while True:
        parent = facts.index.parents.get(whole)
        match parent:
            case ast.Call(args=[inner, *_]) if (
                inner is whole and facts.library_name(parent.func) in VARIABLE
            ):
                leaf = parent if is_true(keyword(parent, "requires_grad")) else leaf
                whole = parent
            case ast.Attribute(attr="requires_grad_"):
                after = facts.index.parents.get(parent)
                if not isinstance(after, ast.Call):
                    return whole, leaf
                whole = leaf = after
            case _:
                return whole, leaf


VARIABLE = frozenset({"torch.autograd.Variable", "torch.autograd.variable.Variable"})


def casts(call: ast.Call, name: str, facts: Facts, export: Export) -> str:
    """The dtype and device that the constructor would have given, as a suffix."""
    given = {
        k.arg: facts.source.segment(k.value) for k in call.keywords if k.arg in ("dtype", "device")
    }
    value = facts.value(export.read)
    plain = not any(word in facts.source.text for word in _WIDE)
    usual = value.dtype in ("default", "float32") or plain
    if name == "new_tensor" and isinstance(call.func, ast.Attribute):
        owner = facts.source.segment(call.func.value)
        if not given:
            return f".to({owner})"
        given = {k: given.get(k) or f"{owner}.{k}" for k in ("dtype", "device")}
    if given.get("dtype", "").rpartition(".")[2] in ("float32", "float") and usual:
        del given["dtype"]
    if len(given) == 2:
        return ".to(" + ", ".join(f"{k}={v}" for k, v in given.items()) + ")"
    if given:
        return f".to({next(iter(given.values()))})"
    if name in _CASTS:
        wanted = _CASTS[name]
        return "" if wanted == "float" and usual else f".{wanted}()"
    return ""


def _stacked(
    node: ast.expr,
    call: ast.Call,
    whole: ast.expr,
    after: str,
    facts: Facts,
    translator: Translator,
    cut: ast.expr,
) -> list[Edit]:
    """`torch.tensor(numbers)` of a list whose numbers are tensors now."""
    edits: list[Edit] = []
    if isinstance(node, ast.List):
        for element in node.elts:
            if facts.value(element).is_number and cut not in facts.cuts_before(element):
                edits += wrapped(facts, element, translator.torch("as_tensor", call))
    function = translator.torch("stack", call)
    start, end = facts.source.span(whole)
    begin, stop = facts.source.span(node)
    return [Edit(start, begin, function + "("), *edits, Edit(stop, end, ")" + after)]
