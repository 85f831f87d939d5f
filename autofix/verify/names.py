"""Names that the new version uses and nothing binds: a fix must not bring any."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.source import parse

_KNOWN = frozenset(dir(builtins)) | {
    *("__file__", "__name__", "__doc__", "__package__", "__spec__", "__loader__", "__path__"),
    *("__builtins__", "__annotations__", "__module__", "__qualname__", "__class__"),
    # In notebooks.
    *("get_ipython", "display", "In", "Out", "_", "__", "___"),
}

_STAR = re.compile(r"import[\s\\(]*\*")


@dataclass(frozen=True, slots=True)
class _Scopes:
    """Which names each scope takes from nowhere."""

    free: frozenset[tuple[str, str]]
    """Pairs of the scope's qualified name and the name."""
    all: frozenset[str]


def unbound(before: str, after: str) -> tuple[tuple[str, int], ...]:
    """Names that `after` loads, that nothing binds, and that were not left unbound `before`; each
    with a line that loads it. Silent where a `*` import may bind anything."""
    old, new = _scopes(before), _scopes(after)
    if old is None or new is None:
        return ()
    lost = {name for _, name in old.free}
    found = {name for scope, name in new.free - old.free if name not in lost or scope in old.all}
    return tuple(sorted((name, line) for name, line in _lines(after, found)))


def _scopes(text: str) -> _Scopes | None:
    try:
        table = symtable.symtable(text, "<module>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return None
    if _STAR.search(text) and any(
        isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names)
        for node in ast.walk(parse(text))
    ):
        return None
    tables = list(_tables(table, ""))
    bound = _KNOWN | {
        symbol.get_name()
        for _, inner in tables
        for symbol in inner.get_symbols()
        if _binds(symbol) and (inner is table or symbol.is_declared_global())
    }
    free = frozenset(
        (name, symbol.get_name())
        for name, inner in tables
        for symbol in inner.get_symbols()
        if symbol.is_referenced()
        and (symbol.is_global() or (inner is table and not _binds(symbol)))
        and symbol.get_name() not in bound
    )
    return _Scopes(free, frozenset(name for name, _ in tables))


def _binds(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _tables(table: symtable.SymbolTable, name: str) -> Iterator[tuple[str, symtable.SymbolTable]]:
    yield name, table
    for child in table.get_children():
        yield from _tables(child, f"{name}.{child.get_name()}")


def _lines(text: str, names: set[str]) -> Iterator[tuple[str, int]]:
    """A line for each name. Where it is bound in some other scope too, it may be one of that."""
    seen: set[str] = set()
    for node in ast.walk(parse(text)) if names else ():
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
            continue
        if node.id in names and node.id not in seen:
            seen.add(node.id)
            yield node.id, node.lineno
