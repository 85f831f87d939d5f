"""Where text goes: results to stdout or a file, everything else to stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

import click

from autofix.cli._app import RefusalError
from autofix.report.style import Style, clean
from autofix.results import Report

_PATIENCE = 1.0
_REFRESH = 0.1


def style_for(stream: TextIO, choice: str = "auto") -> Style:
    """Colour as asked for, else as the environment says, else if somebody is looking."""
    if choice != "auto":
        return Style(choice == "always")
    if os.environ.get("NO_COLOR"):
        return Style(False)
    if any(
        os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")
    ):
        return Style(True)
    return Style(stream.isatty() and os.environ.get("TERM") != "dumb")


def emit(pieces: Iterable[str], target: Path | None = None) -> None:
    """Write results as text."""
    if target is not None:
        _save("".join(pieces).encode("utf-8", "backslashreplace"), target)
        return
    try:
        for piece in pieces:
            sys.stdout.write(piece)
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)


def emit_bytes(data: bytes, target: Path | None = None) -> None:
    """Write results as they are, whatever their encoding and newlines."""
    if target is not None:
        _save(data, target)
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        silence(sys.stdout)


def silence(stream: TextIO) -> None:
    """Whoever read it has gone; the interpreter would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(text: str) -> None:
    try:
        click.echo(text, err=True, color=True)
    except BrokenPipeError:
        silence(sys.stderr)


def tell(report: Report, style: Style, *, quiet: bool) -> None:
    """Notes and errors of a run. Errors are told even to those who want quiet."""
    if not quiet:
        for note in report.notes:
            say(f"{style('note:', 'yellow')} {clean(note)}")
    for problem in report.problems:
        where = style(clean(problem.path), "bold")
        say(f"{style('error:', 'red', 'bold')} {where}: {clean(problem.message)}")


def progress(total: int, *, quiet: bool) -> Callable[[int], None]:
    """A counter for those who wait at a terminal for more than a moment."""
    if quiet or total < 2 or not sys.stderr.isatty():
        return lambda done: None
    begun = shown = time.monotonic()

    def show(done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if done >= total and shown > begun:
            sys.stderr.write("\r\x1b[K")
        elif now - begun > _PATIENCE and now - shown > _REFRESH:
            shown = now
            sys.stderr.write(f"\r{done:,} of {total:,} files")
        sys.stderr.flush()

    return show


def _save(data: bytes, target: Path) -> None:
    try:
        target.write_bytes(data)
    except OSError as error:
        raise RefusalError(f"{target}: {(error.strerror or str(error)).lower()}") from error
