"""What the commands that run user code have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from autofix.cli._app import RefusalError
from autofix.cli._output import say
from autofix.report.style import clean
from autofix.report.verdict import PROMISE
from autofix.verified import VerifierError

if TYPE_CHECKING:
    from autofix.verify.outcome import Settings


def promise() -> None:
    """What running code with autofix guards against, and what not."""
    say(f"note: {PROMISE}")


def announcer(*, quiet: bool) -> Callable[[str], None]:
    """Tells what is about to be run: the promise at the first time, and for those who wait at a
    terminal each file."""
    told = False

    def announce(what: str) -> None:
        nonlocal told
        if quiet:
            return
        if not told:
            promise()
            told = True
        if sys.stderr.isatty():
            say(f"running {clean(what)} before and after")

    return announce


def teller(*, quiet: bool) -> Callable[[str], None]:
    """Tells what came of a command."""
    return lambda text: None if quiet else say(f"note: {clean(text)}")


def settings(
    python: str | None, folder: Path, seed: int = 0, timeout: float | None = None
) -> Settings:
    """The settings of the verifier, with an interpreter for code of a folder."""
    from autofix.verify.compare import interpreter
    from autofix.verify.outcome import Settings

    found = Settings(interpreter(python, folder), seed)
    if timeout is None:
        return found
    return replace(found, limits=replace(found.limits, seconds=timeout))


@contextmanager
def refusals() -> Iterator[None]:
    """One line, and exit with 2, for what makes it impossible to verify anything."""
    try:
        yield
    except VerifierError as error:
        raise RefusalError(str(error)) from error
