"""`autofix check`"""

from __future__ import annotations

import shlex
from typing import Any

import click

from autofix.cli._options import common, options

_LONGEST = 100
"""What a shell has made of `src/*.py` is not worth repeating."""


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
    publish(report, asked, check_summary(report, _again(**given)))
    ctx.exit(check_status(report))


def _again(
    *,
    paths: tuple[str, ...],
    select: tuple[str, ...] | None,
    extend_select: tuple[str, ...] | None,
    ignore: tuple[str, ...] | None,
    unsafe_fixes: bool | None,
    isolated: bool,
    **_: Any,
) -> str | None:
    """The command that fixes what this one has found to be fixable."""
    if paths == ("-",):
        return None
    words = ["autofix", "apply"]
    rules = {"--select": select, "--extend-select": extend_select, "--ignore": ignore}
    for flag, values in rules.items():
        words += [flag, ",".join(values)] if values else []
    for flag, given in {"--unsafe-fixes": unsafe_fixes, "--isolated": isolated}.items():
        words += [flag] if given else []
    whole = shlex.join([*words, *paths])
    return whole if len(whole) <= _LONGEST else f"{shlex.join(words)} ..."
