"""The texts that a program works with, as far as they say what it computes."""

from __future__ import annotations

import ast
import re
import tokenize
from collections import Counter
from collections.abc import Iterator

from autofix.ignores import tokens
from autofix.source import lines
from autofix.verify.pair import Pair

_TOLD = frozenset("print log debug info warning warn error exception write set_description".split())


def code_lines(text: str) -> list[str]:
    """The lines without comments: these say what is meant, not what is done."""
    found = [line.rstrip("\r\n") for line in lines(text)]
    for token in tokens(text):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            found[row - 1] = found[row - 1][:column].rstrip()
    return found


def other_texts(old: ast.Module, new: ast.Module) -> bool:
    """Whether numbers differ in texts of the program that are not only told to somebody."""
    return Counter(_numbers(old)) != Counter(_numbers(new))


def _numbers(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from re.findall(r"\d[\d.]*", node.value)
        return
    if _is_told(node):
        return
    for child in ast.iter_child_nodes(node):
        yield from _numbers(child)


def _is_told(node: ast.AST) -> bool:
    """A docstring, a message, or a call that writes one."""
    if isinstance(node, (ast.Raise, ast.Assert, ast.JoinedStr)):
        return True
    if not isinstance(node, ast.Expr):
        return False
    if isinstance(node.value, ast.Constant):
        return True
    func = node.value.func if isinstance(node.value, ast.Call) else None
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    return name in _TOLD


def changed(pair: Pair, which: int) -> Iterator[str]:
    """The lines of one side that are in its changes."""
    version = pair.after if which else pair.before
    lines = code_lines(version.text)
    for change in pair.changes:
        first, last = change.after if which else change.before
        if not change.imports:
            yield from lines[first - 1 : last]


def gone_functions(old: str, new: str, tree: ast.Module) -> Iterator[str]:
    """The functions of a module that the changed lines have called, and do not call any more."""
    called = {*re.findall(r"(\w+)\(", old)} - {*re.findall(r"(\w+)\(", new)}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in called:
            yield ast.unparse(node)
