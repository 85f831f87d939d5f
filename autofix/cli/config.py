"""`autofix config`"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autofix.cli._options import settings_options

if TYPE_CHECKING:
    from autofix.config import Config


@click.command("config", short_help="Show the settings in force.")
@click.argument("path", default=".")
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full")
@settings_options
def command(path: str, output_format: str, config: tuple[str, ...], isolated: bool) -> None:
    """Show the settings in force for PATH (default: the working directory), and who set them."""
    from autofix.cli._app import RefusalError
    from autofix.cli._output import emit
    from autofix.config import Resolver, command_line, settings
    from autofix.run import folder_of

    found = Resolver(command_line({}, config), isolated).at(folder_of(path))
    if not Path(path).exists():
        raise RefusalError(f"{path}: no such file or directory")
    values = settings(found)
    if output_format == "json":
        emit([json.dumps(_as_json(found, values), indent=2) + "\n"])
    else:
        emit(_as_text(found, values))


def _as_text(config: Config, values: Mapping[str, Any]) -> Iterator[str]:
    """TOML that could be pasted into a pyproject.toml."""
    yield f"# patterns count from {config.root}\n[tool.autofix]\n"
    for key, value in values.items():
        value = dict(value) if key == "per-file-ignores" else value
        line = f"{key} = {_toml(value)}" if value is not None else f"# {key} is not set"
        yield f"{line:<40}  # {config.origin(key.replace('-', '_'))}\n"


def _as_json(config: Config, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "root": config.root,
        "settings": {
            key: {
                "value": dict(value) if key == "per-file-ignores" else value,
                "origin": config.origin(key.replace("-", "_")),
            }
            for key, value in values.items()
        },
    }


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        body = ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {body} }}" if body else "{}"
    # TOML and JSON agree on strings, numbers, booleans and lists of them.
    return json.dumps(value, ensure_ascii=False)
