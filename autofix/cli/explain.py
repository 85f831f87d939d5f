"""`autofix explain`"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from autofix.explain import Page
    from autofix.report.style import Style


@click.command("explain", short_help="Tell about a rule, or about a place in a file.")
@click.argument("rule", required=False)
@click.option("--all", "everything", is_flag=True, help="Tell about every rule.")
@click.option("--at", "place", metavar="FILE:LINE:COL", help="Tell what is known of a value there.")
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
def command(
    rule: str | None, everything: bool, place: str | None, output_format: str, color: str
) -> None:
    """Print the documentation of RULE, a code or a name; or what the analysis knows at a place."""
    from autofix.cli._output import emit, style_for
    from autofix.explain import page
    from autofix.registry import load, resolve

    if (rule is not None) + everything + (place is not None) != 1:
        raise click.UsageError("give one of RULE, --all and --at")
    if place is not None:
        facts = _facts(place)
        as_json = json.dumps({"place": place, "facts": facts}, indent=2)
        emit([as_json if output_format == "json" else "\n".join(facts), "\n"])
        return
    rules = load()
    pages = [page(r) for r in (rules if everything else [resolve(rules, rule or "")])]
    if output_format == "json":
        body = [asdict(p) for p in pages]
        emit([json.dumps(body if everything else body[0], indent=2) + "\n"])
        return
    style = style_for(sys.stdout, color)
    emit(["\n".join(_rendered(p, style) for p in pages)])


def _facts(place: str) -> list[str]:
    from autofix.cli._app import RefusalError
    from autofix.explain import PlaceError, describe

    try:
        return describe(place) or [f"no expression stands at {place}"]
    except PlaceError as error:
        raise RefusalError(str(error)) from error


def _rendered(page: Page, style: Style) -> str:
    """The page as Markdown, which reads well as it is; on a terminal its headings stand out."""
    return "\n".join(
        style(line, "bold") if line.startswith("#") else line for line in page.markdown.split("\n")
    )
