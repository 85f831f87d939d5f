"""`autofix verify`"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from autofix.verify.compare import Comparison
    from autofix.verify.sides import Sides

_CONFIRMED, _REFUTED, _INCONCLUSIVE = 0, 1, 3
_STATUS = {"confirmed": _CONFIRMED, "refuted": _REFUTED}


@click.command("verify", short_help="Run two versions of a program, and judge the change.")
@click.argument("paths", nargs=-1, metavar="BEFORE AFTER")
@click.option("--git", "revision", metavar="REV", help="BEFORE is what the paths were in REV.")
@click.option("--python", metavar="FILE", help="The interpreter that has torch and your packages.")
@click.option("--seed", type=int, default=0, show_default=True, help="For inputs that are made up.")
@click.option("--timeout", type=click.FloatRange(min=1), help="Seconds for one execution.")
@click.option("--argv", metavar="WORDS", default="", help="What a script finds in `sys.argv`.")
@click.option("--verify-command", "line", metavar="COMMAND", help="Run this on both sides as well.")
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full")
@click.option(
    "-o",
    "--output-file",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the result there, not to stdout.",
)
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
@click.option("-q", "--quiet", is_flag=True, help="Only the result and errors.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Run two versions of a file, a notebook or a folder, and say whether the change restores
    gradients and leaves the values alone, whoever made it: a person, or any tool.

    With --git REV, all that is given are files or folders of the work tree (default: the working
    directory), and BEFORE is what they were in that revision.

    The code runs in processes of its own, with limits. That guards against accidents, not against
    hostile code.

    Exit status: 0 confirmed; 1 refuted; 2 nothing could be run; 3 nothing to confirm, or
    inconclusive.
    """
    from autofix.cli._output import say
    from autofix.cli._verifying import refusals

    with refusals():
        found = _compared(**given)
    for note in () if given["quiet"] else found.notes:
        say(f"note: {note}")
    _print(found, **given)
    ctx.exit(_STATUS.get(found.verification.verdict.value, _INCONCLUSIVE))


def _compared(
    *,
    paths: tuple[str, ...],
    revision: str | None,
    python: str | None,
    seed: int,
    timeout: float | None,
    argv: str,
    line: str | None,
    quiet: bool,
    **_: Any,
) -> Comparison:
    from autofix.cli._verifying import promise, settings
    from autofix.verify.compare import compare, judging, with_result
    from autofix.verify.sides import swaps

    with _sides(paths, revision, shlex.split(argv)) as sides:
        if not quiet:
            promise()
        asked = settings(python, Path.cwd(), seed, timeout)
        with judging(asked) as judge:
            found = compare(sides, judge)
        if line and sides.files:
            from autofix.verify.command import run_command

            found = with_result(found, run_command(line, swaps(sides.files), python))
    return found


@contextmanager
def _sides(paths: tuple[str, ...], revision: str | None, argv: list[str]) -> Iterator[Sides]:
    from autofix.verify.revision import of_revision
    from autofix.verify.sides import of_paths

    if revision is not None:
        with of_revision(revision, paths, argv) as sides:
            yield sides
    elif len(paths) == 2:
        yield of_paths(Path(paths[0]), Path(paths[1]), argv)
    else:
        raise click.UsageError("give two files or folders, or --git REV")


def _print(
    found: Comparison, *, output_format: str, output: Path | None, color: str, **_: Any
) -> None:
    from autofix.cli._output import emit, style_for
    from autofix.report.style import Style
    from autofix.report.verification import render, render_json

    if output_format == "json":
        emit([render_json(found)], output)
        return
    plain = output is not None and color == "auto"
    emit(render(found, Style(False) if plain else style_for(sys.stdout, color)), output)
