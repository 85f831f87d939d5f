"""Lists of modules that methods bind anew while a program runs: samples of weights, snapshots."""

from __future__ import annotations

from autofix.codemods.modules._built import building
from autofix.codemods.modules._kept import Kept, heirs
from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in


def made_while_running(facts: Facts, kept: Kept) -> bool:
    """Is every list with something in it made by a method that neither the constructor nor code
    outside of the class calls here? An optimizer has what it trains by then."""
    filled = [root for root in kept.roots if getattr(root.value, "elts", None) != []]
    built = building([*heirs(facts, kept.table), kept.roots[0].owner])
    return (
        bool(filled)
        and not kept.fills
        and all(root.method.name not in built for root in filled)
        and all(
            facts.index.class_of(call) is root.owner
            for root in filled
            for call in uses_in(facts).names.calls.get(root.method.name, ())
        )
    )
