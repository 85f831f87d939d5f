"""Calls that a change makes otherwise: of another constructor, or each time rather than now and
then. In a run that looks like more training, or like a crash that is gone."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.index import last_name
from autofix.flow.reaching import Names


def passed_over(old: Names, new: Names) -> Iterator[str]:
    """A constructor of a class further up is called, and so that of the base is not."""
    before = {one.name: one for one in old.index.of_kind(ast.ClassDef)}
    for owner in new.index.of_kind(ast.ClassDef):
        own, further = _constructors(owner)
        known = before.get(owner.name)
        if own or not further or known is None or further == _constructors(known)[1]:
            continue
        yield (
            f"`{owner.name}` calls `{further}.__init__`, and not the constructor of its base "
            f"`{ast.unparse(owner.bases[0])}`; if that is meant only its author knows"
        )


def _constructors(owner: ast.ClassDef) -> tuple[bool, str]:
    """Whether a class calls the constructor of a base of its own, and of which other class."""
    bases = {last_name(base) for base in owner.bases}
    own, further = not bases, ""
    for node in ast.walk(owner):
        func = node.func if isinstance(node, ast.Call) else None
        if not isinstance(func, ast.Attribute) or func.attr != "__init__":
            continue
        called = func.value
        if isinstance(called, ast.Call) and last_name(called.func) == "super":
            own = own or not called.args or last_name(called.args[0]) == owner.name
        else:
            own = own or last_name(called) in bases
        further = further or ast.unparse(called)
    return own, further


def each_time(old: Names, new: Names) -> Iterator[str]:
    """Steps that were taken after each so many passes, and are taken after each one now."""
    for step, often, _ in _freed(old, new):
        yield (
            f"`{step}` was called once in `{often}` times, and is called each time now; if that is "
            "meant only its author knows"
        )


def divided(old: Names, new: Names) -> Iterator[str]:
    """The same where what is left is still divided by so many."""
    left = set(_divisors(new))
    for step, often, place in _freed(old, new):
        if (often, place) in left:
            yield (
                f"`{step}` is called each time now, and not once in `{often}` times, though a "
                f"value is still divided by `{often}`"
            )


def _divisors(names: Names) -> Iterator[tuple[str, str]]:
    """By what something is divided, and in which function."""
    for node in names.index.of_kind(ast.BinOp):
        if isinstance(node.op, ast.Div):
            yield ast.unparse(node.right), _place(names, node)
    for kept in names.index.of_kind(ast.AugAssign):
        if isinstance(kept.op, ast.Div):
            yield ast.unparse(kept.value), _place(names, kept)


def _freed(old: Names, new: Names) -> Iterator[tuple[str, str, str]]:
    """Steps that were taken by the remainder of a counter, of which nothing is left: the call, the
    divisor, and the name of the function."""
    kept = {ast.unparse(node.right) for node in _remainders(new)}
    steps = {ast.unparse(call) for call in new.calls["step"]}
    for call in old.calls["step"]:
        for node in _remainders(old):
            often = ast.unparse(node.right)
            if often not in kept and ast.unparse(call) in steps and _depends(old, call, node):
                yield ast.unparse(call), often, _place(old, call)


def _place(names: Names, node: ast.AST) -> str:
    owner = names.index.function_of(node)
    return owner.name if owner is not None else ""


def _remainders(names: Names) -> Iterator[ast.BinOp]:
    for node in names.index.of_kind(ast.BinOp):
        if isinstance(node.op, ast.Mod) and not isinstance(node.left, ast.Constant | ast.JoinedStr):
            yield node


def _depends(names: Names, call: ast.Call, found: ast.BinOp) -> bool:
    """Whether a call stands in a block whose condition holds an expression."""
    return any(
        isinstance(node, ast.If) and any(one is found for one in ast.walk(node.test))
        for node in names.index.ancestors(call)
    )
