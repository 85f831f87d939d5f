"""What a picture of training is made of: passes, steps and resets, in loops and branches."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from autofix.flow.handles import NOBODY, Handles, Scope
from autofix.flow.index import last_name

if TYPE_CHECKING:
    pass


class What(Enum):
    BACKWARD = "backward"
    ZERO = "zero"
    STEP = "step"
    UPDATE = "update"
    """A step that is written by hand: `w -= lr * w.grad`."""
    MAKE = "make"
    """An optimizer is made."""
    TOUCH = "touch"
    """Code that cannot be seen, or a write into `.grad`: gradients may be anything afterwards."""
    HIDDEN = "hidden"
    """Code that cannot be seen and may run a backward pass."""
    UNSEEN = "unseen"
    """Code that cannot be seen and may reset gradients, but runs no backward pass."""


@dataclass(eq=False)
class Event:
    what: What
    node: ast.expr | ast.stmt
    """The call, or the statement of an update written by hand."""
    chain: tuple[ast.stmt, ...]
    """The statement it stands in, behind those whose calls lead to it."""
    who: Handles = NOBODY
    """Whose gradients; nobody: anybody's."""
    receiver: ast.expr | None = None
    scope: Scope = field(default_factory=lambda: Scope(None))


@dataclass(eq=False)
class Seq:
    items: list[Item] = field(default_factory=list)
    leaves: bool = False
    """Ends in `continue`, `break`, `return` or `raise`."""


@dataclass(eq=False)
class Loop:
    node: ast.stmt | ast.expr | None
    """A loop or a comprehension. None: a closure, which an optimizer calls as often as it likes."""
    body: Seq
    once: bool = False
    """There is only one turn that trains: the body ends in `break` or the like, or the loop goes
    through phases (`for phase in ("train", "test")`)."""


@dataclass(eq=False)
class Branch:
    alternatives: list[Seq]


Item = Event | Seq | Loop | Branch


def updated(node: ast.stmt) -> ast.expr | None:
    """`w` of `w -= lr * w.grad`, `w.data.sub_(lr * w.grad)` and the like."""
    match node:
        case ast.AugAssign(target=target, op=ast.Sub() | ast.Add()):
            pass
        case ast.Assign(targets=[ast.Attribute(attr="data") as target]):
            pass
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=target, attr=name))) if name in (
            "sub_",
            "add_",
            "copy_",
            "addcdiv_",
        ):
            pass
        case _:
            return None
    weight = target.value if isinstance(target, ast.Attribute) and target.attr == "data" else target
    if not isinstance(weight, (ast.Name, ast.Attribute)):
        return None
    name_of = ast.unparse(weight)
    uses = any(
        isinstance(n, ast.Attribute) and n.attr == "grad" and ast.unparse(n.value) == name_of
        for n in ast.walk(node)
    )
    return weight if uses else None


_GRADIENT_RESET = re.compile(r"(?i)(?:zero|reset|clear|clean)\w*grad|grad\w*(?:zero|reset|clear)")


def runs_phases(loop: ast.stmt) -> bool:
    match loop:
        case ast.For(iter=ast.List(elts=names) | ast.Tuple(elts=names)):
            return all(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in names)
    return False


def loss_of(node: ast.Call) -> ast.expr | None:
    """What a backward pass starts from."""
    if node.args and last_name(node.func) == "manual_backward":
        return node.args[0]
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    if isinstance(owner, ast.Call) and owner.args and last_name(owner.func) == "scale":
        return owner.args[0]  # scaler.scale(loss).backward()
    if node.args and not isinstance(node.args[0], ast.Constant):
        name = last_name(owner) if owner is not None else None
        if name in ("accelerator", "fabric", "autograd", "engine", "model_engine"):
            return node.args[0]
    return owner


def resets_gradient(name: str, owner: ast.expr | None) -> bool:
    """`p.grad.zero_()`, or a function called `reset_grad` or the like."""
    in_place = name in ("zero_", "fill_") and owner is not None and _is_gradient(owner)
    return in_place or _GRADIENT_RESET.search(name) is not None


def _is_gradient(owner: ast.expr) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "grad" for n in ast.walk(owner))
