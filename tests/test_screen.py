"""Which nodes are shown to a rule."""

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from autofix.flow.index import Index
from autofix.rule import Report, Rule
from autofix.screen import shown
from autofix.source import Source


def lines_shown(text: str, kind: type[ast.AST], **screen: Any) -> list[int]:
    rule = Rule("toys.some_rule", code="TY999", **screen)

    @rule.visit(kind)
    def check(node: ast.AST, facts: object) -> Iterator[Report]:
        yield from ()

    index = Index(ast.parse(text), Source(text))
    return [getattr(node, "lineno", 0) for _, _, node in shown(index, [rule])]


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\ntensor(x)\n",
        "x = 1\ntorch.tensor(x)\n",
        "x = 1\nmake(tensor=x)\n",
        "T = torch.tensor\nT(x)\n",
        "from torch import tensor as T\nT(x)\n",
        "x = 1\n(torch\n .tensor(x))\n",
    ],
)
def test_call_with_name(text: str) -> None:
    assert lines_shown(text, ast.Call, names=("tensor",)) == [2]


def test_no_name_in_strings_and_comments() -> None:
    assert lines_shown("f('tensor')  # tensor\n", ast.Call, names=("tensor",)) == []


def test_name_or_trigger() -> None:
    text = "a += 1\nb = append\nc = 1\n"
    statements = (ast.Assign, ast.AugAssign)
    found = [lines_shown(text, kind, names=("append",), trigger=r"\+") for kind in statements]
    assert found == [[2], [1]]


def test_everything_without_screen() -> None:
    assert lines_shown("a = 1\nb = 2\n", ast.Assign) == [1, 2]


def test_name_below_a_decorated_function() -> None:
    text = "@torch.no_grad()\ndef f():\n    pass\n"
    assert lines_shown(text, ast.FunctionDef, names=("no_grad",)) == [2]
