"""What the commands that run user code have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from autofix.cli._app import RefusalError
from autofix.cli._output import say
from autofix.report.verification import PROMISE
from autofix.verify.compare import VerifierError
from autofix.verify.outcome import Settings
from autofix.verify.sides import SideError


def promise() -> None:
    """What running code with autofix guards against, and what not."""
    say(f"note: {PROMISE}")


def settings(
    python: str | None, folder: Path, seed: int = 0, timeout: float | None = None
) -> Settings:
    """The settings of the verifier, with an interpreter for code of a folder."""
    from autofix.verify.compare import interpreter

    found = Settings(interpreter(python, folder), seed)
    if timeout is None:
        return found
    return replace(found, limits=replace(found.limits, seconds=timeout))


@contextmanager
def refusals() -> Iterator[None]:
    """One line, and exit with 2, for what makes it impossible to verify anything."""
    try:
        yield
    except (SideError, VerifierError) as error:
        raise RefusalError(str(error)) from error
