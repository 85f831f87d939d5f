"""`autofix rules`"""

from __future__ import annotations

import json

import click


@click.command("rules", short_help="List the rules.")
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full")
def command(output_format: str) -> None:
    """List all installed rules: code, name, how far their fixes can be trusted, summary."""
    from autofix.cli._output import emit
    from autofix.explain import page
    from autofix.registry import load

    pages = [page(rule) for rule in load()]
    if output_format == "json":
        body = [
            {"code": p.code, "name": p.name, "tiers": p.tiers, "summary": p.summary} for p in pages
        ]
        emit([json.dumps(body, indent=2) + "\n"])
        return
    rows = [(p.code, p.name, ", ".join(map(_called, p.tiers)) or "-", p.summary) for p in pages]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    emit(
        "  ".join([*(f"{cell:<{size}}" for cell, size in zip(row, widths, strict=False)), row[3]])
        + "\n"
        for row in rows
    )


def _called(tier: str) -> str:
    """A tier as people are told of it."""
    return "shown" if tier == "display" else tier
