"""What a change no longer takes into account, or computes for nothing: a run does not show it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from autofix.model import Verdict
from autofix.verify.outcome import Outcome
from autofix.verify.unread import lost_writes, thrown_away, unread

Function = ast.FunctionDef | ast.AsyncFunctionDef
_ASIDE = frozenset(
    "requires_grad set_grad_enabled setattr copy add sub mul div backward retain_grad detach append"
    " register_buffer register_parameter add_module print".split()
)
"""What a repair does without, or writes otherwise: as an operator, or as a list of its own."""


def with_forgotten(outcome: Outcome, old: ast.Module, new: ast.Module) -> Outcome:
    """A run says nothing of arguments that it does not give, and little of what nothing reads."""
    if outcome.verification.verdict is not Verdict.CONFIRMED:
        return outcome
    thrown = thrown_away(old)
    for store in unread(old, new):
        if store.value in thrown:
            said = f"the result of `{store.text}` is still not used: nothing reads `{store.name}`"
            return _instead(outcome, Verdict.REFUTED, said)
    for said in forgotten(old, new):
        return _instead(outcome, Verdict.INCONCLUSIVE, said)
    return outcome


def _instead(outcome: Outcome, verdict: Verdict, said: str) -> Outcome:
    reason = f"{said}; of the changes: {outcome.verification.reason}"
    whole = replace(outcome.verification, verdict=verdict, reason=reason)
    return replace(outcome, verification=whole)


def forgotten(old: ast.Module, new: ast.Module) -> Iterator[str]:
    """Why it may not be meant, in words; a run with other arguments would have to tell."""
    before, after = dict(_functions(old)), dict(_functions(new))
    for name in before.keys() & after.keys():
        yield from _unread(before[name], after[name])
    yield from _defaults(before, after, new)
    yield from _dropped(old, new)
    yield from lost_writes(old, new)
    yield from _other_numbers(old, new)
    yield from _half(old, new)
    for store in unread(old, new):
        yield f"nothing reads `{store.name}` now, which is `{store.text}`"


def _functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield owner + node.name, node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _functions(node, f"{owner}{node.name}.")


def _unread(old: Function, new: Function) -> Iterator[str]:
    """Arguments that were used and are not any more."""
    for name in _parameters(old) & _parameters(new):
        if _reads(old, name) and not _reads(new, name):
            yield (
                f"`{new.name}` takes no notice of `{name}` any more; if that is meant only its "
                "author knows"
            )


def _parameters(node: Function) -> set[str]:
    given = node.args
    named = {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    return named - {"self", "cls"}


def _reads(node: Function, name: str) -> bool:
    return any(
        isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Load)
        for statement in node.body
        for part in ast.walk(statement)
    )


def _defaults(
    before: Mapping[str, Function], after: Mapping[str, Function], tree: ast.Module
) -> Iterator[str]:
    """A constructor that calls that of its base now, and leaves out what both are given."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for name, node in classes.items():
        made, old = after.get(f"{name}.__init__"), before.get(f"{name}.__init__")
        if made is None or old is None or _base_call(old) is not None:
            continue
        call = _base_call(made)
        bases = [one.id for one in node.bases if isinstance(one, ast.Name) and one.id in classes]
        base = after.get(f"{bases[0]}.__init__") if bases else None
        if call is None or base is None or any(word.arg is None for word in call.keywords):
            continue
        taken = [one.arg for one in (*base.args.posonlyargs, *base.args.args)][1:]
        given = {word.arg for word in call.keywords} | set(taken[: len(call.args)])
        left = (_parameters(base) & _parameters(made)) - given
        if left and not any(isinstance(one, ast.Starred) for one in call.args):
            yield (
                f"`{name}` does not hand its `{min(left)}` to `{bases[0]}`, which has a default "
                "of its own; if that is meant only its author knows"
            )


def _base_call(node: Function) -> ast.Call | None:
    """The call of a base's constructor."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            owner = part.func.value
            is_super = isinstance(owner, ast.Call) and getattr(owner.func, "id", "") == "super"
            if part.func.attr == "__init__" and is_super:
                return part
    return None


def _dropped(old: ast.Module, new: ast.Module) -> Iterator[str]:
    """Something that was done for its effect, and is done nowhere any more, in no other form."""
    effects = Counter(
        _last(node.value.func)
        for node in ast.walk(old)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    before, after = (Counter(_named(tree)) for tree in (old, new))
    for name, count in effects.items():
        plain = name.strip("_")
        gone = after[plain] <= before[plain] - count and after[plain] < before[plain]
        if gone and plain and plain not in _ASIDE:
            yield f"`{name}` is no longer called; if that is meant only its author knows"


def _last(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def _named(tree: ast.Module) -> Iterator[str]:
    """Every name and attribute; what is done in place is done else by another function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            yield _last(node).strip("_")


_PRECISIONS = frozenset("float64 double float16 half bfloat16 DoubleTensor HalfTensor".split())


def _other_numbers(old: ast.Module, new: ast.Module) -> Iterator[str]:
    """A precision that the program has used nowhere."""
    brought = {*_named(new)} & _PRECISIONS
    if brought and not {*_named(old)} & _PRECISIONS:
        yield f"`{min(brought)}` is a precision that the program uses nowhere else"


def _half(old: ast.Module, new: ast.Module) -> Iterator[str]:
    """Of neighbouring statements of one form some are changed, and others stand as they were."""
    before, after = (dict(_blocks(tree)) for tree in (old, new))
    now = {text for block in after.values() for text in block}
    for place, block in before.items():
        gone = [text for text in block if text not in now]
        for text in block:
            stays = text in now and place in after and text in after[place]
            if stays and any(_form(text) == _form(one) and one != text for one in gone):
                yield f"`{text}` has the form of what has changed, and stays as it was"


def _blocks(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """The assignments of each block in order; a block is known by where it stands."""
    for name, node in [("", tree), *_functions(tree)]:
        for number, part in enumerate(_within(node)):
            texts = [ast.unparse(one) for one in part if isinstance(one, ast.Assign)]
            yield f"{name} {number}", texts


def _within(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block
            for one in block:
                if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield from _within(one)


def _form(text: str) -> str:
    """An assignment without the names in it, but for those of what it calls; nothing for a mere
    other name."""
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.Assign)
    kept = isinstance(node.targets[0], ast.Attribute) and isinstance(node.value, ast.Attribute)
    if not kept and not any(isinstance(part, ast.Call) for part in ast.walk(node.value)):
        return text
    called = {id(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and id(part) not in called:
            part.id = "_"
        elif isinstance(part, ast.Attribute) and id(part) not in called:
            part.attr = "_"
        elif isinstance(part, ast.Constant):
            part.value = 0
    return ast.dump(node)
