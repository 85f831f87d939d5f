"""The step of a run that executes code, for the files where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autofix.pipeline import Plan, could_be_fixed
from autofix.results import FileResult


class VerifierError(Exception):
    """Why nothing can be verified here, in one line: such as an interpreter without torch."""


@dataclass(frozen=True, slots=True)
class Verifying:
    """How to verify, apart from what `[tool.autofix]` may say as well."""

    only: bool = False
    """Write only what is confirmed."""
    command: str | None = None
    """A command that must not do worse with the fixes."""
    announce: Callable[[str], None] = lambda what: None
    """Told what is about to be run."""
    tell: Callable[[str], None] = lambda what: None
    """Told what came of the command."""


Planned = Sequence[tuple[FileResult, Plan]]
"""What was found in each file, and what to do with it."""


def verified(
    planned: Planned,
    read: Callable[[int], bytes | FileResult],
    verifying: Verifying | None = None,
    jointly: Callable[[], Sequence[FileResult]] | None = None,
) -> list[FileResult]:
    """The results, repaired as far as running the code allows where the plan says so; `read` gives
    the contents of a file, or the result that says why there are none. `jointly` repairs them all,
    with no regard to what running them says: some are right only together."""
    found = [result for result, _ in planned]
    wanted = [index for index, (_, plan) in enumerate(planned) if plan.verify]
    if not any(could_be_fixed(found[index], planned[index][1].project) for index in wanted):
        return found
    # Imported late: only this runs any code of the user.
    from autofix.verify.workshop import Workshop

    with Workshop(verifying or Verifying()) as workshop:
        for index in filter(lambda index: could_be_fixed(found[index]), wanted):
            data = read(index)
            if isinstance(data, FileResult):
                found[index] = data
            else:
                found[index] = workshop.repair(found[index], data, planned[index][1])
        if jointly is not None and len(wanted) > 1:
            found = workshop.join(planned, found, jointly())
        return workshop.check(found, planned[wanted[0]][1].python)
