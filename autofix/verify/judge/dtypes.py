"""Whether types of floats stay what they were: in what modules and functions return, in what is
trained, and on the way to a loss."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.verify.judge import statements
from autofix.verify.judge.case import Case, Sign, Trace, Weight, key, name

_BITS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}


def signs(case: Case) -> Iterator[Sign]:
    old, new = case.before.plain, case.after.plain
    if old is None or new is None:
        return
    for what, was, now in _pairs(case, old, new):
        if not _excused(old, was, now):
            text = f"{what} was a `{was}` and is a `{now}` now"
            yield Sign(Weight.LOSS, "dtype", text)
            return
    for was, now in _narrowed(old, new):
        text = f"what is computed goes through `{now}` now, and was a `{was}` all the way before"
        yield Sign(Weight.LOSS, "dtype", text)
        return
    for what, made in _any_type(case):
        text = (
            f"`{made}` takes the type of `{what}`, and the original has always made it one type; "
            "with what types it is called only its author knows"
        )
        yield Sign(Weight.DOUBT, "dtype", text)
        return


_MAKERS = frozenset({"tensor", "as_tensor", "asarray"})


def _any_type(case: Case) -> Iterator[tuple[str, str]]:
    """What a name stands for is made a tensor of its own type, and was made one of a given type."""
    typed = {
        ast.unparse(call.args[0])
        for call, _ in _makers(case.old)
        if any(word.arg == "dtype" for word in call.keywords)
    }
    for call, converted in _makers(case.new):
        what = ast.unparse(call.args[0])
        given = converted or any(word.arg in ("dtype", None) for word in call.keywords)
        if what in typed and not given:
            yield what, ast.unparse(call)


def _makers(text: str) -> Iterator[tuple[ast.Call, bool]]:
    """Each call that makes a tensor of a name, and whether something is called of its result."""
    nodes = [node for one in statements.parsed(text) for node in ast.walk(one)]
    called = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in _MAKERS and node.args and isinstance(node.args[0], ast.Name):
            yield node, id(node) in called


def _excused(old: Trace, was: str, now: str) -> bool:
    """Whether the original has changed one for the other, or has taken values of the type out of
    their graph: what gives the gradient back may well keep their type."""
    turned = {frozenset(two) for two in old["dtypes"]["converted"]}
    return now in old["dtypes"]["taken"] or frozenset((was, now)) in turned


def _pairs(case: Case, old: Trace, new: Trace) -> Iterator[tuple[str, str, str]]:
    """What both versions have, and the types in both; types of other kinds say nothing."""
    for what, was, now in (*_modules(old, new), *_functions(old, new), *_leaves(case)):
        if was in _BITS and now in _BITS and was != now:
            yield what, was, now


def _modules(old: Trace, new: Trace) -> Iterator[tuple[str, str, str]]:
    before = {(called, where): found for called, where, found in old["dtypes"]["returned"]}
    for called, where, found in new["dtypes"]["returned"]:
        was = before.get((called, where), found)
        if len(was) == 1 and set(found) - set(was):
            yield f"the result of `{called}`", was[0], min(set(found) - set(was))


def _functions(old: Trace, new: Trace) -> Iterator[tuple[str, str, str]]:
    for field, what in (("handed", "the result of"), ("bound", "in the end")):
        for called in sorted(old[field].keys() & new[field].keys()):
            was, now = old[field][called], new[field][called]
            calls = zip(was, now, strict=False) if field == "handed" else [((0, was), (0, now))]
            for (_, first), (_, second) in calls:
                if len(first) == len(second):
                    for a, b in zip(first, second, strict=True):
                        yield f"{what} `{called}`", a[3], b[3]


def _leaves(case: Case) -> Iterator[tuple[str, str, str]]:
    """What is trained; for an optimizer that has refused something it was that."""
    plain = case.before.plain
    refused = {(tuple(one[0]), one[1]) for one in (plain["refused"] if plain else ())}
    before = {key(leaf): leaf for leaf in case.before.leaves}
    for leaf in case.after.leaves:
        old = before.get(key(leaf))
        if old is not None and key(leaf)[:2] not in refused:
            yield name(leaf), old["dtype"], leaf["dtype"]


def _narrowed(old: Trace, new: Trace) -> Iterator[tuple[str, str]]:
    """A type that something with a graph is turned to now, narrower than it was, and that there
    was nowhere before."""
    for was, now in new["dtypes"]["converted"]:
        narrower = _BITS.get(now, 64) < _BITS.get(was, 0)
        if narrower and now not in {*old["dtypes"]["known"], *old["dtypes"]["taken"]}:
            yield was, now
