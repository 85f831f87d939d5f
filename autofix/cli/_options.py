"""The options that commands have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from autofix.cli._output import style_for
from autofix.config import Resolver, command_line
from autofix.report import FORMATS
from autofix.report.style import Style

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """What was asked for, apart from what `[tool.autofix]` may say as well."""

    paths: tuple[str, ...]
    resolver: Resolver
    output: Path | None
    statistics: bool
    show_fixes: bool
    stdin_filename: str | None
    color: str
    quiet: bool
    verbose: bool

    @property
    def from_stdin(self) -> bool:
        return self.paths == ("-",)

    @property
    def anchor(self) -> str:
        """The path whose settings say what one run can do in one way only."""
        return (self.stdin_filename or ".") if self.from_stdin else self.paths[0]

    @property
    def out(self) -> Style:
        """The style of results; a file gets no colour unless it is asked for."""
        if self.output and self.color == "auto":
            return Style(False)
        return style_for(sys.stdout, self.color)

    @property
    def err(self) -> Style:
        return style_for(sys.stderr, self.color)


_SETTINGS = (
    "select",
    "extend_select",
    "ignore",
    "exclude",
    "extend_exclude",
    "force_exclude",
    "unsafe_fixes",
    "verify",
    "python",
    "jobs",
    "output_format",
)


def options(
    *,
    paths: tuple[str, ...],
    stdin_filename: str | None,
    config: tuple[str, ...],
    isolated: bool,
    no_cache: bool,
    **given: Any,
) -> Options:
    """Options from what click hands to a command."""
    if "-" in paths and len(paths) > 1:
        raise click.UsageError("`-` (stdin) cannot be given together with other paths")
    overrides = command_line({name: given.pop(name, None) for name in _SETTINGS}, config)
    return Options(
        paths or (".",), Resolver(overrides, isolated), stdin_filename=stdin_filename, **given
    )


def _split(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...] | None:
    """`--select AG1,AG2 --select AG3` as one list; None if the option was not given."""
    if not values:
        return None
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _listed(flag: str, metavar: str, text: str) -> Callable[[F], F]:
    return click.option(flag, multiple=True, callback=_split, metavar=metavar, help=text)


_COLOR = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colour; `auto` heeds NO_COLOR and FORCE_COLOR.",
)
_ISOLATED = click.option("--isolated", is_flag=True, help="Read no pyproject.toml.")
_CONFIG = click.option(
    "--config", multiple=True, metavar="KEY=VALUE", help="A setting as in [tool.autofix]."
)

_COMMON: tuple[Callable[[Any], Any], ...] = (
    click.argument("paths", nargs=-1, metavar="[PATHS]..."),
    _listed("--select", "RULES", "Rules to run: codes, prefixes of codes, names, or ALL."),
    _listed("--ignore", "RULES", "Rules not to run."),
    _listed("--extend-select", "RULES", "Rules to run as well."),
    _listed("--exclude", "GLOBS", "What to pass over, in place of the built-in list."),
    _listed("--extend-exclude", "GLOBS", "What to pass over as well."),
    click.option(
        "--force-exclude/--no-force-exclude",
        default=None,
        help="Excludes hold for paths given by name, too.",
    ),
    click.option(
        "--unsafe-fixes/--no-unsafe-fixes",
        default=None,
        help="Fixes that may change more than the gradient count, too.",
    ),
    click.option("--output-format", type=click.Choice(FORMATS), default=None),
    click.option(
        "-o",
        "--output-file",
        "output",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write results there, not to stdout.",
    ),
    click.option("--statistics", is_flag=True, help="Counts by rule in place of the findings."),
    click.option("--show-fixes", is_flag=True, help="With `apply`: list what was fixed, by file."),
    click.option("--stdin-filename", metavar="FILE", help="What to call the input given by `-`."),
    _CONFIG,
    _ISOLATED,
    click.option("--no-cache", is_flag=True, help="Look at every file anew."),
    click.option("--jobs", type=click.IntRange(min=1), help="Processes to use at most."),
    _COLOR,
    click.option("-q", "--quiet", is_flag=True, help="Only results and errors."),
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Also the settings in force, and files too large to follow.",
    ),
)


def common(function: F) -> F:
    """Give a command the options of `check` and `apply`."""
    for option in reversed(_COMMON):
        function = option(function)
    return function


def settings_options(function: F) -> F:
    """Give a command the options that say which settings to read."""
    return _CONFIG(_ISOLATED(function))
