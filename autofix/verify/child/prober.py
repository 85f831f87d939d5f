"""The call of a probe behind each changed statement of a program."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

Lines = tuple[int, int]
PROBE = "__autofix_probe__"
Header = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try)
Scope = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Unprobed = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)
_FLAG = re.compile(r"requires?d?_?grads?_?")


class Prober(ast.NodeTransformer):
    """Reports each changed statement when it is reached, with the value it computes."""

    def __init__(self, changes: Sequence[Lines], *, healing: bool = False) -> None:
        self.changes, self.healing = changes, healing
        self.scopes: list[str] = []
        """The functions and classes around what is visited."""

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, Scope):
            return self._visited(node)
        changed = self._holds(node)
        self.scopes.append(node.name)
        self._visited(node)
        if changed and not isinstance(node, ast.ClassDef) and not self.healing:
            _hand_out(node, ".".join(self.scopes))
        self.scopes.pop()
        return node

    def _visited(self, node: ast.AST) -> ast.AST:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                setattr(node, name, self._block(block))
        for handler in getattr(node, "handlers", ()):
            handler.body = self._block(handler.body)
        for case in getattr(node, "cases", ()):
            case.body = self._block(case.body)
        return node

    def _block(self, block: list[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for position, statement in enumerate(block):
            number = self._change(statement)
            docstring = position == 0 and _is_text(statement)
            self.visit(statement)
            if number is None or docstring or isinstance(statement, Unprobed):
                result.append(statement)
            else:
                probed = _probed(statement, number)
                result.extend(_healed(probed) if self.healing else probed)
        return result

    def _holds(self, node: ast.stmt) -> bool:
        """Whether a change lies in a definition."""
        first, last = node.lineno, node.end_lineno or node.lineno
        return any(start <= last and first <= end for start, end in self.changes)

    def _change(self, statement: ast.stmt) -> int | None:
        first, last = _extent(statement)
        for number, (start, end) in enumerate(self.changes):
            if first <= end and start <= last:
                return number
        return None


def _hand_out(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> None:
    """What a function with a change returns is reported as well, with the name of the function."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return) and node.value is not None:
            inner = node.value
            report = ast.Attribute(ast.Name(PROBE, ast.Load()), "handed", ast.Load())
            call = ast.copy_location(ast.Call(report, [ast.Constant(name), inner], []), inner)
            node.value = ast.fix_missing_locations(call)
        elif not isinstance(node, (*Scope, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _extent(statement: ast.stmt) -> Lines:
    """The lines of a simple statement, or of a compound statement's header."""
    first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:
        return first, max(first, body[0].lineno - 1)
    cases = getattr(statement, "cases", ())
    if cases:
        return first, max(first, cases[0].pattern.lineno - 1)
    return first, statement.end_lineno or statement.lineno


def _probed(statement: ast.stmt, number: int) -> list[ast.stmt]:
    if isinstance(statement, (ast.Expr, ast.Return)):
        if statement.value is not None:
            inner = statement.value
            meant = _flagged(inner)
            statement.value = ast.copy_location(_call(number, inner, inner, *meant), inner)
            return [statement]
        return [_statement(statement, number, None), statement]
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        return [_statement(statement, number, None), statement]
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        probe = _call(number, _as_load(target), statement, *_flagged(target))
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Name):
            probe.keywords = [ast.keyword("key", _copied(target.slice))]
        shown = ast.copy_location(ast.Expr(probe), statement)
        return [statement, ast.fix_missing_locations(shown)]
    if isinstance(statement, (*Header, ast.FunctionDef, ast.AsyncFunctionDef)):
        first = 1 if _is_text(statement.body[0]) else 0
        statement.body.insert(first, _statement(statement, number, None))
        return [statement]
    if isinstance(statement, ast.ClassDef):
        return [statement, _statement(statement, number, None)]
    return [_statement(statement, number, None), statement]


def _healed(probed: list[ast.stmt]) -> list[ast.stmt]:
    """The same, with what the probe makes of a value that is assigned or returned in its place."""
    statement, probe = probed[0], probed[-1]
    if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Call):
        statement.value.keywords.append(_heal())
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or probe is statement:
        return probed
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    target = targets[0]
    place = _place(target) if len(targets) == 1 else None
    if place is None or not (isinstance(probe, ast.Expr) and isinstance(probe.value, ast.Call)):
        return probed
    call = probe.value
    number, rest = call.args[0], call.args[2:]
    healing = ast.Call(call.func, [number, _copied(target), *rest], [_heal()])
    assign = ast.copy_location(ast.Assign([place], healing), statement)
    return [statement, ast.fix_missing_locations(assign)]


def _heal() -> ast.keyword:
    return ast.keyword("heal", ast.Constant(True))


def _place(target: ast.expr) -> ast.expr | None:
    """The target to assign to once more; None where to evaluate it again could have effects."""
    plain = isinstance(target, (ast.Name, ast.Attribute))
    entry = isinstance(target, ast.Subscript) and isinstance(target.slice, (ast.Constant, ast.Name))
    if _as_load(target) is None or not (plain or entry):
        return None
    place = _copied(target)
    assert isinstance(place, (ast.Name, ast.Attribute, ast.Subscript))
    place.ctx = ast.Store()
    return place


def _as_load(target: ast.expr) -> ast.expr | None:
    """The target as something to read; None where reading it again could have effects."""
    if isinstance(target, (ast.Name, ast.Attribute)):
        return _copied(target)
    if isinstance(target, ast.Subscript) and _is_text_key(target.slice):
        return _copied(target) if _as_load(target.value) is not None else None
    if isinstance(target, ast.Subscript) and isinstance(target.value, (ast.Name, ast.Attribute)):
        return _as_load(target.value)
    return None


def _is_text_key(node: ast.expr) -> bool:
    """What has such a key is no tensor: the entry is what was assigned."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _copied(target: ast.expr) -> ast.expr:
    copy: ast.expr = ast.parse(ast.unparse(target), mode="eval").body
    for node in ast.walk(copy):
        ast.copy_location(node, target)
    return copy


def _flagged(node: ast.expr) -> list[ast.expr]:
    """For `owner.requires_grad`, however it is spelt, that is assigned or compared: the owner,
    and where it is compared what with."""
    place, wanted = node, None
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
        place, wanted = node.left, node.comparators[0]
    if not isinstance(place, ast.Attribute) or not _FLAG.fullmatch(place.attr):
        return []
    owner = _as_load(place.value)
    if owner is None or wanted is None:
        return [owner] if owner is not None else []
    if isinstance(wanted, ast.Constant):
        return [owner, wanted]
    copied = _as_load(wanted)
    return [owner, copied] if copied is not None else []


def _call(number: int, value: ast.expr | None, place: ast.AST, *meant: ast.expr) -> ast.Call:
    given: list[ast.expr] = [ast.Constant(number)]
    if value is not None:
        given += [value, *meant]
    call = ast.Call(ast.Name(PROBE, ast.Load()), given, [])
    return ast.fix_missing_locations(ast.copy_location(call, place))


def _statement(place: ast.stmt, number: int, value: ast.expr | None, *meant: ast.expr) -> ast.stmt:
    return ast.copy_location(ast.Expr(_call(number, value, place, *meant)), place)
