"""What a change no longer takes into account, or computes for nothing: a run does not show it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.reaching import Names
from autofix.model import Verdict
from autofix.source import Source, parse
from autofix.verify.calls import divided, each_time, passed_over
from autofix.verify.outcome import Outcome
from autofix.verify.unread import lost_writes, thrown, unread

Function = ast.FunctionDef | ast.AsyncFunctionDef
_ASIDE = frozenset(
    "requires_grad set_grad_enabled setattr copy add sub mul div backward retain_grad detach append"
    " register_buffer register_parameter add_module print".split()
)
"""What a repair does without, or writes otherwise: as an operator, or as a list of its own."""


def with_forgotten(outcome: Outcome, before: str, after: str) -> Outcome:
    """A run says nothing of arguments that it does not give, and little of what nothing reads."""
    if outcome.verification.verdict is not Verdict.CONFIRMED:
        return outcome
    old, new = (Facts(Source(text), parse(text)) for text in (before, after))
    known = {ast.unparse(node.value) for node in old.index.of_kind(ast.Expr)}
    for name, text in unread(old, new):
        if text in known:
            said = f"the result of `{text}` is still not used: nothing reads `{name}`"
            return _instead(outcome, Verdict.REFUTED, said)
    for said in divided(Names(old.index), Names(new.index)):
        return _instead(outcome, Verdict.REFUTED, said)
    for said in forgotten(old, new):
        return _instead(outcome, Verdict.INCONCLUSIVE, said)
    return outcome


def _instead(outcome: Outcome, verdict: Verdict, said: str) -> Outcome:
    reason = f"{said}; of the changes: {outcome.verification.reason}"
    evidence = {**outcome.verification.evidence, "forgotten": said}
    whole = replace(outcome.verification, verdict=verdict, reason=reason, evidence=evidence)
    return replace(outcome, verification=whole)


def forgotten(old: Facts, new: Facts) -> Iterator[str]:
    """Why it may not be meant, in words; a run with other arguments would have to tell."""
    names = Names(old.index), Names(new.index)
    yield from _ignored(*names)
    yield from _idle(*names)
    yield from _defaults(*names)
    yield from passed_over(*names)
    yield from each_time(*names)
    yield from _dropped(old.tree, new.tree)
    yield from lost_writes(*names)
    for text in thrown(old, new):
        yield f"the result of `{text}` is thrown away"
    for name, text in unread(old, new):
        yield f"nothing reads `{name}` now, which is `{text}`"


def _functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield owner + node.name, node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _functions(node, f"{owner}{node.name}.")


def _ignored(old: Names, new: Names) -> Iterator[str]:
    """Arguments that were used and are not any more."""
    before, after = (dict(_functions(names.index.tree)) for names in (old, new))
    for place in before.keys() & after.keys():
        was, now = before[place], after[place]
        for name in sorted(_parameters(was) & _parameters(now)):
            if old.argument_loads(was, name) and not new.argument_loads(now, name):
                yield (
                    f"`{now.name}` takes no notice of `{name}` any more; if that is meant only "
                    "its author knows"
                )


def _idle(old: Names, new: Names) -> Iterator[str]:
    """Attributes of an object that are made as before, and that nothing reads any more."""
    for name in sorted(old.stored.keys() & new.stored.keys()):
        read = _read(name, old) and not _read(name, new)
        if read and all(_only_stored(one, new) for one in new.stored[name]):
            yield f"nothing reads `{name}` any more; if that is meant only its author knows"


def _read(name: str, names: Names) -> bool:
    """Whether anything but its own next value is computed from an attribute."""
    return any(not _updates(one, names) for one in names.attributes[name])


def _updates(load: ast.Attribute, names: Names) -> bool:
    node: ast.AST | None = load
    while node is not None and not isinstance(node, ast.stmt):
        node = names.index.parents.get(node)
    stored = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(one, ast.Attribute) and one.attr == load.attr for one in stored)


def _only_stored(target: ast.Attribute, names: Names) -> bool:
    """Whether what an object keeps there is used for nothing else."""
    index = names.index
    node, owner = index.parents[target], index.function_of(target)
    if owner is None or not isinstance(node, ast.Assign) or ast.unparse(target.value) != "self":
        return False
    kept = node.value
    return not isinstance(kept, ast.Name) or len(names.argument_loads(owner, kept.id)) == 1


def _defaults(old: Names, new: Names) -> Iterator[str]:
    """A constructor that calls that of its base now, and leaves out what both are given."""
    before, after = (dict(_functions(names.index.tree)) for names in (old, new))
    had = {old.index.class_of(call) for call in old.calls["__init__"]}
    known = {owner.name for owner in had if owner is not None}
    for call in new.calls["__init__"]:
        made, owner = new.index.function_of(call), new.index.class_of(call)
        if made is None or owner is None or f"{owner.name}.__init__" not in before:
            continue
        base = next((after.get(f"{last_name(one)}.__init__") for one in owner.bases), None)
        if base is None or owner.name in known or any(word.arg is None for word in call.keywords):
            continue
        taken = [one.arg for one in (*base.args.posonlyargs, *base.args.args)][1:]
        given = {word.arg for word in call.keywords} | {*taken[: len(call.args)]}
        for name in sorted((_parameters(base) & _parameters(made)) - given):
            yield (
                f"`{owner.name}` does not hand its `{name}` to its base, which has a default of "
                "its own; if that is meant only its author knows"
            )


def _parameters(node: Function) -> set[str]:
    given = node.args
    named = {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    return named - {"self", "cls"}


def _dropped(old: ast.Module, new: ast.Module) -> Iterator[str]:
    """Something that was done for its effect, and is done nowhere any more, in no other form."""
    before, after = (Counter(_named(tree)) for tree in (old, new))
    effects = Counter(
        last_name(node.value.func) or ""
        for node in ast.walk(old)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and not _on_what_is_gone(node.value, after)
    )
    for name, count in effects.items():
        plain = name.strip("_")
        gone = after[plain] <= before[plain] - count and after[plain] < before[plain]
        if gone and plain and plain not in _ASIDE:
            yield f"`{name}` is no longer called; if that is meant only its author knows"


def _on_what_is_gone(call: ast.Call, names: Counter[str]) -> bool:
    """Whether it was done to a variable that there is none of any more: values tell of that."""
    method = isinstance(call.func, ast.Attribute)
    given = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    roots = [one for one in [*given, *call.args[:1]] if isinstance(one, ast.Name)]
    return method and any(not names[one.id] for one in roots)


def _named(tree: ast.Module) -> Iterator[str]:
    """Every name and attribute; what is done in place is done else by another function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            yield (last_name(node) or "").strip("_")
