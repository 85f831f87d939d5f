"""The edits that change a weight in place instead of binding its name again."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.leaf._update_forms import loop_around
from autofix.codemods.leaf._updates import Update
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.roles import runs_backward
from autofix.flow.uses import ADDING
from autofix.model import Edit
from autofix.rewrite.names import spell

_SHARES = frozenset(
    {"detach", "numpy", "cpu", "view", "reshape", "data", "flatten", "squeeze", "T"}
)


def in_place(facts: Facts, run: list[Update]) -> tuple[Edit, ...] | str:
    """`with torch.no_grad():` around the run, and `w -= lr * w.grad` in it."""
    if any(_is_kept(facts, update) for update in run):
        return _leaves_again(facts, run)
    first = run[0].statement
    indent = _indent(facts, first)
    broken = _own_line(facts, first, indent)
    if broken is None:
        return "it stands in a line with other statements"
    edits = list(broken)
    inner, opening = "", ""
    if not without_gradient(facts, first):
        spelling = spell(facts, "torch.no_grad", first)
        edits += spelling.edits
        inner = "    "
        opening = f"with {spelling.code}():\n{indent}{inner}"
    statements = list(dict.fromkeys(update.statement for update in run))
    for before, statement in zip([None, *statements], statements, strict=False):
        start, end = facts.source.span(statement)
        mine = [_changed(facts, u) for u in run if u.statement is statement]
        if before is not None and before.end_lineno == statement.lineno:
            edits.append(Edit(facts.source.span(before)[1], start, f"\n{indent}{inner}"))
        elif before is not None and inner:
            edits.append(Edit(start, start, inner))
        new = f"\n{indent}{inner}".join(mine)
        edits.append(Edit(start, end, opening + new if before is None else new))
    resets = [f"\n{indent}{line}" for u in run if (line := _reset_line(facts, u))]
    if resets:
        end = _line_end(facts, facts.source.span(run[-1].statement)[1])
        edits.append(Edit(end, end, "".join(resets)))
    return tuple(_merged(edits))


def _merged(edits: Iterable[Edit]) -> Iterator[Edit]:
    """Two edits that begin at one place as one."""
    last: Edit | None = None
    for edit in sorted(edits):
        if last is not None and last.start == last.end == edit.start:
            last = Edit(last.start, edit.end, last.text + edit.text)
            continue
        if last is not None:
            yield last
        last = edit
    if last is not None:
        yield last


def _changed(facts: Facts, update: Update) -> str:
    text = facts.source.segment(update.target)
    if update.step is None:
        return f"{text}.copy_({facts.source.segment(update.value)})"
    step = facts.source.segment(update.step)
    return f"{text} {update.sign}= {f'({step})' if _breaks(step) else step}"


def _breaks(text: str) -> bool:
    return "\n" in text


def _indent(facts: Facts, node: ast.stmt) -> str:
    start = facts.source.span(node)[0]
    line = facts.source.text.rfind("\n", 0, start) + 1
    text = facts.source.text[line:start]
    if not text.strip():
        return text
    outer = text[: len(text) - len(text.lstrip())]
    parent = facts.index.parents.get(node)
    begins = parent is not None and getattr(parent, "lineno", 0) == node.lineno
    return outer + "    " if begins else outer


def _own_line(facts: Facts, node: ast.stmt, indent: str) -> list[Edit] | None:
    """The edit that puts a statement behind `for ...:` or `;` in a line of its own."""
    start = facts.source.span(node)[0]
    text = facts.source.text
    before = text[text.rfind("\n", 0, start) + 1 : start]
    if not before.strip():
        return []
    at = start
    while text[at - 1] == " ":
        at -= 1
    if text[at - 1] == ";":
        return [Edit(at - 1, start, f"\n{indent}")]
    return [Edit(at, start, f"\n{indent}")] if text[at - 1] == ":" else None


def _line_end(facts: Facts, at: int) -> int:
    text = facts.source.text
    while at < len(text) and text[at] not in "\r\n":
        at += 1
    return at


def _reset_line(facts: Facts, update: Update) -> str | None:
    """What sets the gradient back. An attribute by a name that is known only when the program
    runs may be reset elsewhere or not: to do so twice does no harm."""
    if isinstance(update.statement, ast.Assign):
        return None if _is_reset(facts, update) else f"{update.text}.grad = None"
    scope = facts.index.function_of(update.statement)
    nodes = facts.index.body_nodes(scope) if scope is not None else list(ast.walk(facts.tree))
    known = [found for node in nodes if (found := _reset(node)) is not None]
    return None if any(t == update.text for t, _ in known) else f"{update.text}.grad.zero_()"


def _is_reset(facts: Facts, update: Update) -> bool:
    """Does the program set the gradient back: its own, that of each parameter, or of a model?"""
    scope = facts.index.function_of(update.statement)
    owner = facts.index.class_of(update.statement)
    for node in ast.walk(facts.tree):
        found = _reset(node)
        if found is None:
            continue
        text, name = found
        here = facts.index.function_of(node)
        mine = owner is not None and facts.index.class_of(node) is owner and text == update.text
        if here is scope:
            if text == update.text or name is None or _is_loop_variable(facts, node, name):
                return True
        elif mine or _called_together(facts, here, update.statement):
            return True
    return False


def _called_together(facts: Facts, helper: ast.AST | None, update: ast.stmt) -> bool:
    """Is the helper that sets back called in the loop in which the weight is updated? Where that
    is another function's: where the weight is updated, or the other way round, or does one
    function call both?"""
    scope = facts.index.function_of(update)
    setting, updating = getattr(helper, "name", None), getattr(scope, "name", None)
    for loop in facts.index.loops_around(update):
        if runs_backward(loop, facts):
            return setting in _calls_in(facts, loop)
    if setting in _calls_in(facts, scope) or updating in _calls_in(facts, helper):
        return True
    callers = facts.index.callers(updating) if updating is not None else []
    return any(
        setting in _calls_in(facts, None if c is facts.tree else c) for c in callers if setting
    )


def _calls_in(facts: Facts, scope: ast.AST | None) -> set[str]:
    """What a function, or the module outside of its functions, calls."""
    nodes = ast.walk(scope if scope is not None else facts.tree)
    return {
        name
        for n in nodes
        if isinstance(n, ast.Call)
        and (scope is not None or facts.index.function_of(n) is None)
        and (name := last_name(n.func)) is not None
    }


def _reset(node: ast.AST) -> tuple[str, str | None] | None:
    """Whose gradient a node sets back; no name for a whole model."""
    match node:
        case ast.Assign(targets=[ast.Attribute(value=owner, attr="grad")]):
            return ast.unparse(owner), last_name(owner)
        case ast.AugAssign(target=ast.Attribute(value=owner, attr="grad"), op=ast.Mult()):
            return ast.unparse(owner), last_name(owner)
        case ast.Call(
            func=ast.Attribute(
                value=ast.Attribute(value=owner, attr="grad"), attr="zero_" | "fill_"
            )
        ):
            return ast.unparse(owner), last_name(owner)
        case ast.Call(
            func=ast.Attribute(
                value=ast.Attribute(value=ast.Attribute(value=owner, attr="grad"), attr="data"),
                attr="zero_" | "fill_",
            )
        ):
            return ast.unparse(owner), last_name(owner)
        case ast.Call(func=func) if "zero_grad" in (last_name(func) or ""):
            return "", None
    return None


def _is_loop_variable(facts: Facts, node: ast.AST, name: str) -> bool:
    return any(
        isinstance(owner, (ast.For, ast.comprehension))
        and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(owner.target))
        for owner in facts.index.ancestors(node)
    )


def _is_kept(facts: Facts, update: Update) -> bool:
    """`history.append(w)`: every turn's tensor is kept, so each has to be another one."""
    loop = loop_around(facts, update.statement)
    scope = loop or facts.index.function_of(update.statement)
    return scope is not None and any(
        isinstance(n, ast.Call)
        and isinstance(n.func, ast.Attribute)
        and n.func.attr in ADDING
        and any(_shares(a, update.text) for a in n.args)
        for n in ast.walk(scope)
    )


def _shares(node: ast.expr, name: str) -> bool:
    while True:
        if ast.unparse(node) == name:
            return True
        match node:
            case ast.Call(func=ast.Attribute(value=inner, attr=attr)) if attr in _SHARES:
                node = inner
            case ast.Attribute(value=inner, attr=attr) if attr in _SHARES:
                node = inner
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                return any(_shares(e, name) for e in elements)
            case _:
                return False


def _leaves_again(facts: Facts, run: list[Update]) -> tuple[Edit, ...] | str:
    """`w = (w - lr * w.grad).detach().requires_grad_()`"""
    edits: list[Edit] = []
    for update in run:
        value = update.value
        if _is_reset(facts, update):
            return "the tensors are kept, and changed in place they would all be the same one"
        start, end = facts.source.span(update.statement)
        text = facts.source.segment(update.target)
        new = f"{text} = ({facts.source.segment(value)}).detach().requires_grad_()"
        edits.append(Edit(start, end, new))
    return tuple(edits)
