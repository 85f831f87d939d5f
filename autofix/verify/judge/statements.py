"""What the changed statements themselves show: kept copies, used results, released graphs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from autofix.flow import torch_api
from autofix.verify.judge import edit, rows, values
from autofix.verify.judge.case import Case, Sign, Trace, Weight

_COPIES = re.compile(r"\b(?:clone|deepcopy|copy|dict|list|state_dict|detach|items|tolist)\b")


def signs(case: Case) -> Iterator[Sign]:
    old, new = case.before.plain, case.after.plain
    if old is None or new is None:
        return
    yield from dropped(case)
    yield from _unused(case)
    yield from rows.signs(case)
    if old["repeated"] and new["repeated"]:
        text = "a tensor that is written to is still joined with itself"
        yield Sign(Weight.DOUBT, "aliasing", text)
    for seen, now in probes(case):
        yield from _kept(case, seen, now)
        yield from _separate(case, seen, now)
        yield from _joined(case, seen, now)
        yield from _released(case, seen, now)


def dropped(case: Case) -> Iterator[Sign]:
    """What was written in place, or kept, is computed now, and thrown away."""
    every = [node for line in case.new.splitlines() for node in parsed(line)]
    before = {ast.dump(node) for line in case.old.splitlines() for node in parsed(line)}
    for node in [*parsed(case.new), *every]:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        written = f"{ast.unparse(call.func)}_("
        computes = ast.dump(node) not in before and _only_computes(call, case)
        if not call.func.attr.endswith("_") and (written in case.old or computes):
            text = f"the result of `{ast.unparse(call)}` is thrown away"
            yield Sign(Weight.REST, "result", text)
            return


def _only_computes(call: ast.Call, case: Case) -> bool:
    """Whether a statement is an operation on a tensor that the original made use of, and that has
    no effect but its result."""
    assert isinstance(call.func, ast.Attribute)
    kept = re.search(rf"=.*\.{call.func.attr}\(", case.old)
    known = torch_api.method(call.func.attr) is not None
    places = {"out", "inplace"} & {word.arg for word in call.keywords}
    return bool(kept and known and _has_tensors(case)) and not places


def _has_tensors(case: Case) -> bool:
    return any(new["tensors"] for _, new in probes(case))


def _unused(case: Case) -> Iterator[Sign]:
    """What was kept is computed as before, and thrown away."""
    kept = {ast.dump(node.value) for node in parsed(case.old) if isinstance(node, ast.Assign)}
    for node in parsed(case.new):
        if isinstance(node, ast.Expr) and ast.dump(node.value) in kept and _has_tensors(case):
            text = f"the result of `{ast.unparse(node)}` was kept, and is thrown away now"
            yield Sign(Weight.DOUBT, "result", text)
            return


def probes(case: Case) -> Iterator[tuple[Trace, Trace]]:
    """What a changed statement computed, before and after."""
    old, new = case.before.plain, case.after.plain
    if old is not None and new is not None:
        for number in old["probes"].keys() & new["probes"].keys():
            yield old["probes"][number], new["probes"][number]


def _kept(case: Case, old: Trace, new: Trace) -> Iterator[Sign]:
    """A value that was to be kept changes with something else."""
    if not old["tensors"]:
        return
    if old["changed"] and old["overlap"] and not new["overlap"] and _starts_alike(old, new):
        if values.alike(case):
            text = "the rows of an expanded tensor were one memory, and still get the same values"
            yield Sign(Weight.DOUBT, "aliasing", text)
        else:
            text = (
                "the rows of an expanded tensor were one memory that was written to; now they are "
                "apart"
            )
            yield Sign(Weight.GAIN, "aliasing", text)
        return
    if not _COPIES.search(case.new):
        return
    if not (old["changed"] and old["shared"]) or case.before.raised is not None:
        return
    partly = 0 < new["changed"] < new["tensors"]
    if not new["shared"] and partly and _starts_alike(old, new):
        text = f"{new['changed']} of {new['tensors']} kept tensors still change"
        yield Sign(Weight.DOUBT, "aliasing", text)
    elif not new["shared"] and _starts_alike(old, new):
        text = (
            f"{old['changed']} of {old['tensors']} kept tensors changed with what they were "
            "taken from; now they are copies"
        )
        yield Sign(Weight.GAIN, "aliasing", text)
    elif new["changed"] and new["shared"]:
        text = (
            f"{new['changed']} of {new['tensors']} kept tensors still change with what they "
            "were taken from"
        )
        yield Sign(Weight.REST, "aliasing", text)


def _starts_alike(old: Trace, new: Trace) -> bool:
    return bool(old["digests"] and new["digests"] and old["digests"][0] == new["digests"][0])


def _separate(case: Case, old: Trace, new: Trace) -> Iterator[Sign]:
    """A write that autograd does not see reaches another tensor through shared memory."""
    spared = set(old["written_unseen"]) - set(new["written_unseen"])
    # What is read only before it changes was in nobody's way.
    idle = old["changed"] and old["fresh"] and not old["stale"]
    if spared and not idle and "clone" in case.new and _starts_alike(old, new):
        names = " and ".join(f"`{one}`" for one in sorted(spared))
        yield Sign(Weight.GAIN, "aliasing", f"{names} is no longer changed through shared memory")


def _joined(case: Case, old: Trace, new: Trace) -> Iterator[Sign]:
    """Data that lies in one memory with what is written to, as it did not before."""
    if old["shared"] or not new["shared"] or not _starts_alike(old, new):
        return
    own = {name for text in (case.old, case.new) for name in written(text)}
    hit = set(old["data"]) & set(new["written"]) - set(old["written"]) - own
    if hit:
        names = " and ".join(f"`{one}`" for one in sorted(hit))
        text = f"{names} is written to now, as it is no longer kept apart from what changes"
        yield Sign(Weight.LOSS, "aliasing", text)


def written(text: str) -> Iterator[str]:
    """The names of all that changed lines write to, or call something of."""
    for node in parsed(text):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets += [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []
        call = node.value if isinstance(node, ast.Expr) else None
        targets += [call.func] if isinstance(call, ast.Call) else []
        for one in (inner for target in targets for inner in ast.walk(target)):
            if isinstance(one, ast.Name | ast.Attribute):
                yield one.id if isinstance(one, ast.Name) else one.attr


def shares(case: Case) -> bool:
    """Whether the change parts memory that the original writes to through two names. What was
    meant only its author knows."""
    if not edit.neutral(case):
        return False
    if _only_copies(case):
        return True
    return any(set(old["written"]) - set(new["written"]) for old, new in probes(case))


def _only_copies(case: Case) -> bool:
    """Whether the change does nothing but to copy a value under its own name."""
    found = parsed(case.new)
    return bool(found) and not case.old.strip() and all(map(_is_copy, found))


def _is_copy(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
        return False
    called = node.value.func
    copied = called.value if isinstance(called, ast.Attribute) else None
    return copied is not None and ast.unparse(copied) == ast.unparse(node.targets[0])


def otherwise(case: Case) -> bool:
    """Whether the changed statements leave other values behind than those of the original did,
    the first time that they ran, or until it raised."""
    most = 1 if case.before.raised is None else None
    return any(
        bool(old["sums"] and new["sums"])
        and not all(
            any(_about(one, other) for found in new["sums"] for other in found)
            for first in [found for found in old["sums"] if found][:most]
            for one in first
        )
        for old, new in probes(case)
    )


def keeps_other(case: Case) -> str | None:
    """What one changed assignment leaves behind under the same name, if that is something else
    from the first time on."""
    old, new = parsed(case.old), parsed(case.new)
    if not (len(old) == len(new) == 1 and otherwise(case) and _steady(case)):
        return None
    was, now = old[0], new[0]
    if not (isinstance(was, ast.Assign) and isinstance(now, ast.Assign)):
        return None
    same = [*map(ast.dump, was.targets)] == [*map(ast.dump, now.targets)]
    return ast.unparse(now.targets[0]) if same else None


def _steady(case: Case) -> bool:
    """Whether the original's changed statements compute the same a second time."""
    first, again = case.before.plain, case.before.again
    if first is None or again is None:
        return False
    both = [(first["probes"][one], again["probes"].get(one)) for one in first["probes"]]
    return all(other is not None and one["sums"][:1] == other["sums"][:1] for one, other in both)


def single(case: Case) -> bool:
    """Whether one statement takes the place of one."""
    return len(parsed(case.old)) == len(parsed(case.new)) == 1


def _about(one: Sequence[float], other: Sequence[float]) -> bool:
    size = max(abs(one[1]), abs(other[1]))
    return abs(one[0] - other[0]) <= 1e-5 * size and abs(one[1] - other[1]) <= 1e-5 * size


def _released(case: Case, old: Trace, new: Trace) -> Iterator[Sign]:
    """A sum for the log that held on to every graph."""
    grew = len(old["nodes"]) >= 2 and all(
        a < b for a, b in zip(old["nodes"], old["nodes"][1:], strict=False)
    )
    about_it = edit.releases(case) or "clone" in case.new
    if grew and not any(new["nodes"]) and _numbers_alike(old, new):
        text = "the running value held the graph of every step; now it is a plain value"
        yield Sign(Weight.GAIN, "release", text)
    elif grew and all(new["nodes"]) and _numbers_alike(old, new) and about_it:
        if case.before.raised is not None:
            return  # it is a sum within one graph, which the backward pass did not get through
        yield Sign(Weight.REST, "growth", "the running value still holds the graph of every step")


def _numbers_alike(old: Trace, new: Trace) -> bool:
    pairs = [*zip(old["numbers"], new["numbers"], strict=False)]
    return bool(pairs) and all(
        a is not None and b is not None and abs(a - b) <= 1e-4 * max(abs(a), abs(b), 1e-6)
        for a, b in pairs
    )


def used_result(case: Case) -> Sign | None:
    """Results that were thrown away are assigned now; values after them differ on purpose."""
    old, new = parsed(case.old), parsed(case.new)
    if not old or len(old) != len(new):
        return None
    for before, after in zip(old, new, strict=True):
        if not isinstance(before, ast.Expr):
            return None
        if _in_place(before.value, after):
            continue
        if not isinstance(after, ast.Assign):
            return None
        target = ast.unparse(after.targets[0])
        if ast.dump(before.value) != ast.dump(after.value):
            return None
        if target not in {ast.unparse(node) for node in ast.walk(before.value)}:
            return None
    seen = [*probes(case)]
    if not seen or not _starts_alike(*seen[0]):
        return None
    thrown = ast.unparse(old[0])
    return Sign(Weight.GAIN, "result", f"the result of `{thrown}` was thrown away and is used now")


def _in_place(old: ast.expr, new: ast.stmt) -> bool:
    """`x.f(..)` became `x.f_(..)`."""
    call = new.value if isinstance(new, ast.Expr) else None
    if not (isinstance(old, ast.Call) and isinstance(old.func, ast.Attribute)):
        return False
    written = ast.Attribute(old.func.value, old.func.attr + "_", ast.Load())
    return call is not None and ast.dump(ast.Call(written, old.args, old.keywords)) == ast.dump(
        call
    )


def parsed(text: str) -> list[ast.stmt]:
    """Changed lines as statements; they may come from blocks of different depth."""
    try:
        return ast.parse("\n".join(line.strip() for line in text.splitlines())).body
    except SyntaxError:
        return []
