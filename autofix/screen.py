"""Which nodes of a module are shown to which rule: those with a line that could matter to it."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from autofix.flow.index import Index, last_name
from autofix.rule import Rule, Visitor

Shown = tuple[Rule, Visitor, ast.AST]
Screen = tuple[frozenset[str], str]


def shown(index: Index, rules: Sequence[Rule]) -> Iterator[Shown]:
    """Every (rule, function, node) to look at, in source order."""
    table: dict[type[ast.AST], dict[Screen, list[tuple[Rule, Visitor]]]] = {}
    for rule in rules:
        for kind, visitors in rule.visitors.items():
            asked = table.setdefault(kind, {}).setdefault(rule.screen, [])
            asked += [(rule, visitor) for visitor in visitors]
    lines = _lines(index, rules)
    single = {screen: frozenset(found or ()) for screen, found in lines.items()}
    for node in index.nodes:
        if node.__class__ not in table:
            continue
        first, last = _extent(node)
        for screen, asked in table[node.__class__].items():
            found = lines[screen]
            if first == last and found is not None:
                holds = first in single[screen]
            else:
                holds = found is None or _holds(first, last, found)
            if holds:
                for rule, visitor in asked:
                    yield rule, visitor, node


def _lines(index: Index, rules: Iterable[Rule]) -> dict[Screen, list[int] | None]:
    """The lines to look at: those with one of a rule's names, or another name that the module
    gives to what has it, or with a match of its trigger. (None: all lines.)"""
    wanted = frozenset[str]().union(*(rule.names for rule in rules))
    words = _words(index, wanted)
    source = index.source
    found: dict[Screen, list[int] | None] = {}
    for rule in rules:
        if rule.screen in found:
            continue
        lines = [line for name in rule.names for line in words[name]]
        if rule.trigger:
            starts = (match.start() for match in rule.pattern.finditer(source.text))
            lines += map(source.line_of, starts)
        found[rule.screen] = sorted(lines) if rule.names or rule.trigger else None
    return found


def _words(index: Index, wanted: frozenset[str]) -> dict[str, list[int]]:
    """The lines with each of the `wanted` names."""
    second = _second_names(index)
    found: dict[str, list[int]] = defaultdict(list)
    for read in index.of_kind(ast.Name):
        if read.id in wanted:
            found[read.id].append(read.lineno)
        for name in second.get(read.id, ()):
            found[name].append(read.lineno)
    for part in index.of_kind(ast.Attribute):
        if part.attr in wanted:
            found[part.attr].append(part.end_lineno or part.lineno)
    for given in index.of_kind(ast.keyword):
        if given.arg in wanted:
            found[given.arg or ""].append(given.lineno)
    definitions: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = [
        *index.of_kind(ast.FunctionDef),
        *index.of_kind(ast.AsyncFunctionDef),
        *index.of_kind(ast.ClassDef),
    ]
    for definition in definitions:
        if definition.name in wanted:
            found[definition.name].append(definition.lineno)
    return found


def _second_names(index: Index) -> dict[str, set[str]]:
    """What the names stand for that the module gives to others: `T = torch.tensor`, `from torch
    import tensor as T`."""
    found: dict[str, set[str]] = defaultdict(set)
    for statement in index.imports:
        for alias in statement.names:
            if alias.asname is not None:
                found[alias.asname].add(alias.name.rpartition(".")[2])
    for top in index.tree.body:
        match top:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if (last := last_name(value)) is not None:
                    found[name].add(last)
    return found


def _extent(node: ast.AST) -> tuple[int, int]:
    """The first and the last line of a node."""
    first: int = node.lineno  # type: ignore[attr-defined]
    last: int = node.end_lineno or first  # type: ignore[attr-defined]
    decorators = getattr(node, "decorator_list", None)
    return (min(first, decorators[0].lineno) if decorators else first), last


def _holds(first: int, last: int, lines: list[int]) -> bool:
    at = bisect_left(lines, first)
    return at < len(lines) and lines[at] <= last
