"""Layers of torch that take the size of their input from the first one that they see."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from autofix.codemods.modules._tier import trained_here
from autofix.flow.class_table import ClassTable
from autofix.flow.facts import Facts
from autofix.flow.users import users
from autofix.flow.walk import walk

_SIZES = {"Linear": "in_features"} | {
    f"{kind}{n}d": "in_channels" for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)
}
_NEEDS_VALUES = re.compile(
    r"numel|\binit\.|deepcopy|\.apply\(|DataParallel|AveragedModel|torch\.compile|torch\.jit|Adagrad"
    r"|LBFGS|state_dict|summary|share_memory|\bvmap\b|functional_call"
)
_LISTS = re.compile(r"^.*parameters\(.*$", re.MULTILINE)
_TAKES = re.compile(r"(?i)optim|SGD|Adam|RMSprop|Rprop|clip_grad")


def lazy_parts(
    facts: Facts, table: ClassTable, made: ast.Call, known: Callable[[ast.expr], bool]
) -> Iterator[list[tuple[int, int, str]]]:
    """For `nn.Linear(x.size(1), 8)`, where `__init__` does not know the first size: the changes
    that make it `nn.LazyLinear(8)`. Its weights have no values before the first input; nothing
    where some code wants them earlier."""
    for call in walk(made):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        name = (facts.library_name(call.func) or "").removeprefix("torch.nn.")
        size = _size(call, _SIZES.get(name))
        if size is None or known(size) or not _may_be_lazy(facts, table):
            continue
        end = facts.source.span(call.func)[1]
        yield [(end - len(name), end - len(name), "Lazy"), _without(facts, call, size)]


def _size(call: ast.Call, name: str | None) -> ast.expr | None:
    if name is None or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    if call.args and len(call.args) + len(call.keywords) > 1:
        return call.args[0]
    return next((k.value for k in call.keywords if k.arg == name), None)


def _without(facts: Facts, call: ast.Call, size: ast.expr) -> tuple[int, int, str]:
    """The argument taken out, with the comma behind it."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    starts = sorted(facts.source.span(one)[0] for one in given)
    start, end = facts.source.span(size)
    text = facts.source.text
    if size not in call.args:
        start = text.rfind("in_", 0, start)
    comma = re.compile(r"\s*,\s*").match(text, end)
    if comma is not None and starts[-1] > end:
        return (start, comma.end(), "")
    before = text[:start].rstrip()
    return (len(before) - 1 if before.endswith(",") else start, end, "")


def _may_be_lazy(facts: Facts, table: ClassTable) -> bool:
    """Is it trained where this can be seen, and wants nobody there its weights before?"""
    if not trained_here(facts, table.node):
        return False
    texts = [facts.source.text, *(user.source.text for user in users(facts, table.node.name))]
    return not any(_NEEDS_VALUES.search(text) for text in texts) and all(
        _TAKES.search(line) for text in texts for line in _LISTS.findall(text)
    )
