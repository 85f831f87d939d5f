"""Errors that a program catches: it ends there all the same."""

from __future__ import annotations

from dataclasses import replace

from autofix.verify.judge.case import Case


def with_caught(case: Case) -> Case:
    """The original as if it had raised what its last backward pass has raised, where none of the
    rewritten version raises anything."""
    old, new = case.before.plain, case.after.plain
    if old is None or new is None or old["raised"] is not None or new["raised"] is not None:
        return case
    last = old["events"][-1]["raised"] if old["events"] else None
    if last is None or any(event["raised"] for event in new["events"]):
        return case
    kind, _, message = last.partition(": ")
    raised = {"type": kind, "message": message, "line": old["events"][-1]["line"], "inside": True}
    return replace(case, before=replace(case.before, plain={**old, "raised": raised}))
