"""Leaves that an edit makes of what had no graph: they hide a cut, and nothing trains them."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.verify.judge.case import Case, Sign, Weight, key, listed, name
from autofix.verify.judge.reads import chosen, of


def signs(case: Case) -> Iterator[Sign]:
    yield from _anew(case)
    yield from _loose(case)


def _makes(case: Case) -> bool:
    return any(word in case.new for word in ("requires_grad", "Parameter", "Variable"))


def _anew(case: Case) -> Iterator[Sign]:
    """The edit has made a leaf of something that was computed: that hides a cut, it mends none."""
    for old, new in case.exact():
        known = {key(leaf) for leaf in old["leaves"]}
        meant = chosen(case, old, new)
        made = [
            leaf
            for leaf in new["leaves"]
            if leaf["derived"] and not leaf["turn"] and key(leaf) not in known and leaf not in meant
        ]
        if made and _makes(case):
            names = listed([name(leaf) for leaf in made])
            text = f"{names} starts a graph of its own: what it is computed from gets no gradient"
            yield Sign(Weight.REST, "gradient", text)
            return


def _loose(case: Case) -> Iterator[Sign]:
    """Nothing has a gradient now that had none, but leaves that the edit has made: no step moves
    them, and nobody asks for their gradient."""
    plain = case.after.plain
    if plain is None or not _makes(case):
        return
    had = {key(leaf) for leaf in case.before.leaves if leaf["gradient"]}
    gained = [leaf for leaf in case.after.leaves if leaf["gradient"] and key(leaf) not in had]
    known = {key(leaf) for leaf in case.before.leaves}
    asked = {of(read["of"]) for read in plain["reads"]}
    if any(event["kind"] == "grad" for event in plain["events"]):
        return
    kept = ("held", "listed", "moved", "attribute")
    if gained and not any(
        key(leaf) in known or of(leaf["key"]) in asked or any(leaf[one] for one in kept)
        for leaf in gained
    ):
        text = f"{listed([name(leaf) for leaf in gained])} gets a gradient, but nothing trains it"
        trains = any(plain["optimizers"]) and not case.called
        yield Sign(Weight.REST if trains else Weight.DOUBT, "gradient", text)
