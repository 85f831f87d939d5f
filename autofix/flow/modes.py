"""Where gradient mode is switched: context managers, decorators, and plain calls."""

from __future__ import annotations

import ast

from autofix.flow.frame import Frame
from autofix.flow.index import has_decorator
from autofix.flow.objects import Closure
from autofix.flow.values import Kind, Value

OFF = frozenset(
    {
        "torch.no_grad",
        "torch.inference_mode",
        "torch.autograd.no_grad",
        "torch.autograd.inference_mode",
        "torch.autograd.grad_mode.no_grad",
        "torch.autograd.grad_mode.inference_mode",
    }
)
_ON = frozenset({"torch.enable_grad", "torch.autograd.enable_grad"})
SET = frozenset({"torch.set_grad_enabled", "torch.autograd.set_grad_enabled"})


def mode_of(node: ast.expr, value: Value, frame: Frame) -> bool | None:
    """The gradient mode that a `with` item, decorator or call sets; None if it sets none."""
    call = node if isinstance(node, ast.Call) else None
    target = frame.program.values.get(call.func) if call else value
    if target is not None and isinstance(target.ref, Closure):
        return _where_it_yields(target.ref, frame)
    name = target.ref if target is not None and target.kind == Kind.LIBRARY else None
    if not isinstance(name, str):
        return None
    if name in _ON:
        return True
    if name in OFF:
        argument = call.args[0] if call and call.args else None
        return isinstance(argument, ast.Constant) and argument.value is False
    if name in SET and call:
        argument = call.args[0] if call.args else None
        if isinstance(argument, ast.Constant):
            return bool(argument.value)
    return None


def _where_it_yields(manager: Closure, frame: Frame) -> bool | None:
    """The body of the `with` statement runs in the mode in which its manager yields."""
    on = frame.program.modes.get(manager.node)
    return False if on is False and has_decorator(manager.node, "contextmanager") else None
