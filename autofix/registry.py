"""Which rules there are, found by walking packages, and which of them a selection means."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import ModuleType

from autofix.deferred import defer
from autofix.rule import Rule

ENTRY_POINTS = "autofix.rules"
"""Entry point group under which other distributions name a module or package of rules."""

_HOMES = ("autofix.codemods", "autofix.unused_ignore")
_CODE = re.compile(r"[A-Z]+[0-9]{3,}")
_PREFIX = re.compile(r"[A-Z]+[0-9]*")
_EXACT = 1_000


class RegistryError(Exception):
    """Rules that cannot be loaded, or that claim the same code or name."""


class UnknownRuleError(Exception):
    """A selector that means no rule, with the rules it may have been meant for."""

    def __init__(self, selector: str, close: Sequence[str]) -> None:
        self.selector = selector
        self.close = tuple(close)
        hint = " or ".join(f"`{name}`" for name in close)
        super().__init__(
            f"unknown rule `{selector}`"
            + (f"; did you mean {hint}?" if hint else "; `autofix rules` lists them all")
        )


@cache
def load() -> tuple[Rule, ...]:
    """Every installed rule, ordered by code."""
    # LibCST costs more to import than all else together, and most runs have nothing to rewrite.
    defer("libcst")
    return check_unique(rule for home in (*_HOMES, *_packs()) for rule in walk(home))


def walk(home: str) -> Iterator[Rule]:
    """The rules of a module, or of every module below a package."""
    root = _import(home)
    yield from _rules_of(root)
    for info in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{home}."):
        yield from _rules_of(_import(info.name))


def check_unique(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    seen: dict[str, Rule] = {}
    found = sorted(rules, key=lambda rule: (rule.code, rule.module))
    for rule in found:
        if not _CODE.fullmatch(rule.code):
            raise RegistryError(
                f"`{rule.module}`: `{rule.code}` is not a rule code (capitals and three digits)"
            )
        for label in (rule.code, rule.name):
            other = seen.setdefault(label, rule)
            if other is not rule:
                raise RegistryError(f"`{other.module}` and `{rule.module}` are both `{label}`")
    return tuple(found)


def resolve(rules: Sequence[Rule], name: str) -> Rule:
    """The one rule of this code or name."""
    for rule in rules:
        if name == rule.name or name.upper() == rule.code:
            return rule
    raise UnknownRuleError(name, _close(rules, name))


def choose(
    rules: Sequence[Rule],
    select: Iterable[str],
    extend_select: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> tuple[Rule, ...]:
    """The selected rules. The more specific selector wins (`AG101` over `AG1` over `ALL`), and of
    two equally specific ones `ignore` does."""
    wanted = _ranks(rules, (*select, *extend_select))
    unwanted = _ranks(rules, ignore)
    return tuple(rule for rule in rules if wanted.get(rule.code, -1) > unwanted.get(rule.code, -1))


def matching(rules: Sequence[Rule], selector: str) -> tuple[Rule, ...]:
    """The rules that a code prefix, a name or ALL means; never none."""
    upper = selector.upper()
    if upper == "ALL":
        return tuple(rules)
    found = [rule for rule in rules if selector == rule.name]
    if not found and _PREFIX.fullmatch(upper):
        found = [rule for rule in rules if rule.code.startswith(upper)]
    if not found:
        raise UnknownRuleError(selector, _close(rules, selector))
    return tuple(found)


def _ranks(rules: Sequence[Rule], selectors: Iterable[str]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for selector in selectors:
        everything = selector.upper() == "ALL"
        for rule in matching(rules, selector):
            exact = selector in (rule.name, rule.code)
            rank = 0 if everything else _EXACT if exact else len(selector)
            ranks[rule.code] = max(rank, ranks.get(rule.code, -1))
    return ranks


def _close(rules: Sequence[Rule], name: str) -> list[str]:
    labels = [label for rule in rules for label in (rule.code, rule.name)]
    lower = {label.lower(): label for label in labels}
    return [lower[match] for match in get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]


def _rules_of(module: ModuleType) -> Iterator[Rule]:
    # A module that imports another one's `rule` does not declare it a second time.
    rule = getattr(module, "rule", None)
    if isinstance(rule, Rule) and rule.module == module.__name__:
        yield rule


def _packs() -> list[str]:
    if not _mentioned():
        return []
    from importlib.metadata import entry_points

    return sorted({point.value for point in entry_points(group=ENTRY_POINTS)})


def _mentioned() -> bool:
    """Whether any installed distribution has an entry point for us. A run mostly ends here, and
    importing `importlib.metadata` alone would take a tenth of a short one."""
    wanted = f"[{ENTRY_POINTS}]".encode()
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            with suppress(OSError):
                if wanted in Path(folder, name, "entry_points.txt").read_bytes():
                    return True
    return False


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        kind = type(error).__name__
        raise RegistryError(f"rules of `{name}` cannot be loaded: {kind}: {error}") from error
