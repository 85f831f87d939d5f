"""`autofix apply`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from autofix.cli._options import Options, common, options
from autofix.cli._output import emit, emit_bytes

if TYPE_CHECKING:
    from autofix.results import Report


@click.command("apply", short_help="Write safe fixes.")
@common
@click.option("--diff", "--dry-run", "diff", is_flag=True, help="Print a patch; write nothing.")
@click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit with 1 if anything was fixed.")
@click.pass_context
def command(ctx: click.Context, /, diff: bool, exit_non_zero_on_fix: bool, **given: Any) -> None:
    """Write the safe fixes, and with --unsafe-fixes the unsafe ones. No code is run.

    PATHS are files, notebooks or folders (default: the working directory). With `-`, stdin is
    read and the fixed text printed.

    Exit status: 0 nothing left, 1 findings left, 2 not everything could be looked at. With
    --diff: 0 nothing to write, 1 a patch was printed, 2 as above.
    """
    from autofix.cli._session import look
    from autofix.run import Mode, apply_status, diff_status

    asked = options(**given)
    report, after = look(asked, Mode.DIFF if diff else Mode.APPLY)
    if diff:
        _print_patch(report, asked)
        ctx.exit(diff_status(report))
    _print_results(report, asked, after)
    ctx.exit(apply_status(report, non_zero_on_fix=exit_non_zero_on_fix))


def _print_patch(report: Report, asked: Options) -> None:
    """The patch alone goes to stdout, so that it can be piped into `git apply`."""
    from autofix.cli._session import close, say_pieces
    from autofix.report.summary import apply_summary, render_fixes

    emit_bytes(report.patch, asked.output)
    if asked.show_fixes:
        say_pieces(render_fixes(report, asked.err))
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
