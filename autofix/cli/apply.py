"""`autofix apply`"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from autofix.cli._options import Options, common, options
from autofix.cli._output import emit, emit_bytes

if TYPE_CHECKING:
    from autofix.results import Report
    from autofix.verified import Verifying


@click.command("apply", short_help="Write safe fixes.")
@common
@click.option("--diff", "--dry-run", "diff", is_flag=True, help="Print a patch; write nothing.")
@click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit with 1 if anything was fixed.")
@click.option(
    "--verify/--no-verify",
    default=None,
    help="Run the code before and after, and let what comes of it decide.",
)
@click.option("--only-verified", is_flag=True, help="Write only what --verify confirms.")
@click.option("--verify-command", metavar="COMMAND", help="With --verify: run this as well.")
@click.option("--python", metavar="FILE", help="With --verify: the interpreter that has torch.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    diff: bool,
    exit_non_zero_on_fix: bool,
    only_verified: bool,
    verify_command: str | None,
    **given: Any,
) -> None:
    """Write the safe fixes, and with --unsafe-fixes the unsafe ones.

    No code is run unless --verify asks for it. Then each fix is made in memory, the code is run
    before and after it, and what is refuted is not written, while what is confirmed is, also if it
    is unsafe.

    PATHS are files, notebooks or folders (default: the working directory). With `-`, stdin is
    read and the fixed text printed.

    Exit status: 0 nothing left, 1 findings left, 2 not everything could be looked at. With
    --diff: 0 nothing to write, 1 a patch was printed, 2 as above.
    """
    from autofix.cli._session import look
    from autofix.run import Mode, apply_status, diff_status

    if only_verified or verify_command:
        _ask_for_verify(given, "--only-verified" if only_verified else "--verify-command")
    asked = options(**given)
    mode = Mode.DIFF if diff else Mode.APPLY
    with _verifying(asked, only_verified, verify_command) as verifying:
        report, after = look(asked, mode, verifying)
    if diff:
        _print_patch(report, asked)
        ctx.exit(diff_status(report))
    _print_results(report, asked, after)
    ctx.exit(apply_status(report, non_zero_on_fix=exit_non_zero_on_fix))


def _ask_for_verify(given: dict[str, Any], option: str) -> None:
    if given["verify"] is False:
        raise click.UsageError(f"{option} cannot go with --no-verify")
    given["verify"] = True


@contextmanager
def _verifying(asked: Options, only: bool, line: str | None) -> Iterator[Verifying | None]:
    """What to verify by, if any of the settings asks for it."""
    from autofix.cli._verifying import announcer, refusals, teller
    from autofix.verified import Verifying

    with refusals():
        yield Verifying(only, line, announcer(quiet=asked.quiet), teller(quiet=asked.quiet))


def _print_patch(report: Report, asked: Options) -> None:
    """The patch alone goes to stdout, so that it can be piped into `git apply`."""
    from autofix.cli._session import close, say_pieces
    from autofix.report.summary import apply_summary, render_fixes, render_verdicts

    emit_bytes(report.patch, asked.output)
    if asked.show_fixes:
        say_pieces(render_fixes(report, asked.err))
    say_pieces(render_verdicts(report, asked.err))
    close(report, asked, apply_summary(report, dry=True))


def _print_results(report: Report, asked: Options, after: bytes) -> None:
    from autofix.cli._session import close, results, say_pieces
    from autofix.report.summary import apply_summary

    if asked.from_stdin:
        # Stdout is taken by the text, whether it could be fixed or not.
        emit_bytes(after)
        if asked.output is None:
            say_pieces(results(report, asked))
    if asked.output is not None or not asked.from_stdin:
        emit(results(report, asked), asked.output)
    close(report, asked, apply_summary(report))
