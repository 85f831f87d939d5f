"""`[tool.autofix]`: which file speaks for a path, what it may say, and who wins."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from autofix.report import FORMATS

COMMAND_LINE = "command line"
DEFAULT = "default"


class ConfigError(Exception):
    """A setting that cannot be understood; the message names the setting and where it stands."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force for a path. `exclude` is None where the built-in list applies."""

    select: tuple[str, ...] = ("ALL",)
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] | None = None
    extend_exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    unsafe_fixes: bool = False
    extend_safe_fixes: tuple[str, ...] = ()
    extend_unsafe_fixes: tuple[str, ...] = ()
    verify: bool = False
    python: str | None = None
    jobs: int | None = None
    output_format: str = "full"
    root: str = "."
    """The folder that patterns are relative to."""
    origins: tuple[tuple[str, str], ...] = ()
    """For each setting that is not a default: where it was said."""

    def origin(self, name: str) -> str:
        return dict(self.origins).get(name, DEFAULT)

    @property
    def interpreter(self) -> str | None:
        """What `python` names; a path in a settings file counts from its folder."""
        python = self.python
        if python is None or self.origin("python") == COMMAND_LINE:
            return python
        return str(Path(self.root) / python) if Path(python).name != python else python


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("a list of strings")
    return tuple(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("a string")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise TypeError("a whole number above 0")
    return value


def _format(value: Any) -> str:
    if value not in FORMATS:
        raise TypeError("one of " + ", ".join(f'"{name}"' for name in FORMATS))
    return str(value)


def _per_file(value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise TypeError('a table such as { "tests/*" = ["AG101"] }')
    try:
        return tuple((pattern, _strings(rules)) for pattern, rules in value.items())
    except TypeError:
        raise TypeError("a table of lists of strings") from None


_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "select": _strings,
    "extend-select": _strings,
    "ignore": _strings,
    "per-file-ignores": _per_file,
    "exclude": _strings,
    "extend-exclude": _strings,
    "force-exclude": _boolean,
    "unsafe-fixes": _boolean,
    "extend-safe-fixes": _strings,
    "extend-unsafe-fixes": _strings,
    "verify": _boolean,
    "python": _string,
    "jobs": _count,
    "output-format": _format,
}


def parse(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A settings table as checked values by field name."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            close = get_close_matches(key.replace("_", "-"), _KEYS, n=1)
            hint = f"; did you mean `{close[0]}`?" if close else f"; known: {', '.join(_KEYS)}"
            raise ConfigError(f"{where}: unknown setting `{key}`{hint}")
        try:
            values[key.replace("-", "_")] = _KEYS[key](value)
        except TypeError as wanted:
            raise ConfigError(f"{where}: `{key}` must be {wanted}, not {_show(value)}") from None
    return values


def parse_override(text: str) -> dict[str, Any]:
    """The `K=V` of `--config`; V is TOML, and quotes may be left away around a plain word."""
    key, separator, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not separator or not key:
        raise ConfigError(f"--config: `{text}` is not of the form KEY=VALUE")
    for candidate in (value, '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'):
        try:
            table = _toml(f"value = {candidate}")
        except ValueError:
            continue
        if len(table) == 1:  # a line break in V could have begun another key
            return parse({key: table["value"]}, "--config")
    raise ConfigError(f"--config: `{value}` is not a TOML value")


def merge(base: Config, values: Mapping[str, Any], origin: str) -> Config:
    """`values` over `base`. A new `select` starts afresh; otherwise selections add up, and what
    the later one says of a rule counts."""
    merged = dict(values)
    if "select" not in merged:
        chosen, dropped = merged.get("extend_select", ()), merged.get("ignore", ())
        for name, taken_back in (("extend_select", dropped), ("ignore", chosen)):
            kept = tuple(item for item in getattr(base, name) if item not in taken_back)
            merged[name] = (*kept, *merged.get(name, ()))
    else:
        merged.setdefault("extend_select", ())
        merged.setdefault("ignore", ())
    merged["extend_exclude"] = (*base.extend_exclude, *merged.get("extend_exclude", ()))
    changed = {name for name, value in merged.items() if value != getattr(base, name)}
    origins = dict(base.origins) | dict.fromkeys(changed | set(values), origin)
    return replace(base, **merged, origins=tuple(sorted(origins.items())))


@dataclass(frozen=True)
class Resolver:
    """Finds the settings for a path: command line over the nearest pyproject over defaults."""

    overrides: tuple[tuple[str, Any], ...] = ()
    isolated: bool = False
    _seen: dict[Path, Config] = field(default_factory=dict, compare=False)

    def at(self, folder: Path) -> Config:
        """The settings in force in `folder` (absolute)."""
        known = self._seen.get(folder)
        if known is None:
            known = self._seen[folder] = self._resolve(folder)
        return known

    def _resolve(self, folder: Path) -> Config:
        file = folder / "pyproject.toml"
        table = None if self.isolated else _section(file)
        if table is not None:
            base = merge(Config(root=str(folder)), parse(table, str(file)), str(file))
        elif folder != folder.parent:
            return self.at(folder.parent)
        else:
            base = Config(root=str(Path.cwd()))
        return merge(base, dict(self.overrides), COMMAND_LINE) if self.overrides else base


def command_line(given: Mapping[str, Any], pairs: Iterable[str]) -> tuple[tuple[str, Any], ...]:
    """Flags over `--config` pairs, as the overrides of a `Resolver`. None means not given."""
    values: dict[str, Any] = {}
    for pair in pairs:
        values |= parse_override(pair)
    return tuple((values | {k: v for k, v in given.items() if v is not None}).items())


def settings(config: Config) -> dict[str, Any]:
    """Every setting by the key it has in the file."""
    names = [field.name for field in fields(config) if field.name not in ("root", "origins")]
    return {name.replace("_", "-"): getattr(config, name) for name in names}


def _section(file: Path) -> dict[str, Any] | None:
    """The `[tool.autofix]` of a file; a pyproject without one speaks for nobody."""
    try:
        data = file.read_bytes() if file.is_file() else b""
        if b"autofix" not in data:
            return None
        table = _toml(data.decode("utf-8")).get("tool", {})
        section = table.get("autofix") if isinstance(table, dict) else None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {error}") from None
    if section is not None and not isinstance(section, dict):
        raise ConfigError(f"{file}: `tool.autofix` must be a table, not {_show(section)}")
    return section


def _toml(text: str) -> dict[str, Any]:
    # Imported late: most runs read no settings file. TOMLDecodeError is a ValueError.
    reader = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    table: dict[str, Any] = reader.loads(text)
    return table


def _show(value: Any) -> str:
    text = repr(value)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
