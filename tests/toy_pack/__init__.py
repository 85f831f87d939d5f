"""Rules that do nothing but what a test needs: the attribute of `torch` says what happens."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from autofix import registry
from autofix.flow.facts import Facts
from autofix.model import Edit
from autofix.rule import Rule


def is_call(node: ast.Call, name: str) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == name


def renamed(node: ast.Call, facts: Facts, name: str) -> Edit:
    """The edit that calls another attribute."""
    assert isinstance(node.func, ast.Attribute)
    _, end = facts.source.span(node.func)
    return Edit(end - len(node.func.attr), end, name)


@cache
def rules() -> tuple[Rule, ...]:
    return registry.check_unique(
        rule for home in ("toy_pack", "autofix.unused_ignore") for rule in registry.walk(home)
    )


def install(folder: Path) -> dict[str, str]:
    """Make the rules a pack that a new process finds; the value is what its environment needs."""
    info = folder / "toy_pack-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-pack\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[autofix.rules]\ntoy = toy_pack\n")
    return environment(folder)


def environment(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{folder}:{Path(__file__).parent.parent}"}
