"""`autofix check`"""

from __future__ import annotations

from typing import Any

import click

from autofix.cli._options import common, options


@click.command("check", short_help="Report what is found; write nothing.")
@common
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Report code in which gradients silently stop. Nothing is written, and no code is run.

    PATHS are files, notebooks or folders (default: the working directory), or `-` for stdin.

    Exit status: 0 nothing found, 1 findings, 2 not everything could be looked at.
    """
    from autofix.cli._session import look, publish
    from autofix.report.summary import check_summary
    from autofix.run import Mode, check_status

    asked = options(**given)
    report, _ = look(asked, Mode.CHECK)
    publish(report, asked, check_summary(report, () if asked.from_stdin else asked.paths))
    ctx.exit(check_status(report))
