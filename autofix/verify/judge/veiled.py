"""What a repair does behind the back of autograd, and types that do not fit the program."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.verify.judge.case import Case, Sign, Weight, key, name


def signs(case: Case) -> Iterator[Sign]:
    old, new = case.before.plain, case.after.plain
    if old is None or new is None:
        return
    if new["veiled"] and not old["veiled"]:
        raised = old["raised"]
        refused = raised is not None and "modified by an inplace" in raised["message"]
        text = (
            "the changed lines write into what the loss is computed from, and autograd does not "
            "see it"
        )
        yield Sign(Weight.REST if refused else Weight.DOUBT, "veiled", text)
    if new["mixed"] and not old["mixed"]:
        yield from _mixed(case)


def _mixed(case: Case) -> Iterator[Sign]:
    """A leaf that the change has made, of another type than what it is computed with."""
    known = {key(leaf) for leaf in case.before.leaves}
    made = [leaf for leaf in case.after.leaves if key(leaf) not in known and leaf["gradient"]]
    types = {leaf["dtype"] for leaf in case.after.leaves}
    for leaf in made:
        if leaf["dtype"] == "float64" or len(types) > 1:
            text = (
                f"{name(leaf)} is `{leaf['dtype']}`, and is computed with tensors of another type; "
                "if that is meant only its author knows"
            )
            yield Sign(Weight.DOUBT, "values", text)
            return
