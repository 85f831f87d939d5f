"""Which rows a `for` or `while` visits, read from its first line."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TypeGuard

from autofix.flow.facts import Facts
from autofix.flow.index import Loop


class DeclinedError(Exception):
    """The loop cannot be rewritten; the message says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """The rows `start .. stop` of a loop, or all elements of `over`."""

    variable: str
    start: int | ast.expr = 0
    stop: ast.expr | None = None
    over: ast.expr | None = None
    backwards: bool = False
    rows: tuple[tuple[str, ast.expr], ...] = ()
    """Names that are bound to the elements of a tensor, and that tensor."""
    zipped: bool = False
    """It stops at the end of the shortest of the tensors in `rows`."""
    dim: int = 0
    """The dimension that `rows` are taken along."""
    initial: ast.stmt | None = None
    """The `i = 0` of a `while`."""


def names_of(loop: Loop) -> set[str]:
    """The names that number the turns of a loop: cheap, and too many rather than too few."""
    if not isinstance(loop, ast.While):
        return {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    match loop.test:
        case ast.Compare(left=ast.Name(id=name)):
            return {name}
    return set()


def read(loop: ast.For | ast.While, facts: Facts) -> Header:
    if loop.orelse:
        raise DeclinedError("the loop has an `else`")
    if isinstance(loop, ast.While):
        return _while(loop, facts)
    match loop.target, loop.iter:
        case ast.Name(id=name), ast.Call(func=ast.Name(id="reversed"), args=[inner], keywords=[]):
            turns = _range(name, inner)
            return Header(name, turns.start, turns.stop, backwards=True)
        case ast.Name(id=row), iterable if (found := parts_of(iterable)) is not None:
            over, dim = found
            if isinstance(iterable, ast.Attribute) and dim and facts.value(over).rank != 2:
                raise DeclinedError(f"how many dimensions `{ast.unparse(over)}` has is not known")
            return Header(uncounted(row), over=over, rows=((row, over),), dim=dim)
        case ast.Name(id=name), iterable:
            return _range(name, iterable)
        case (
            ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=row)]),
            ast.Call(func=ast.Name(id="enumerate"), args=[over], keywords=[]),
        ):
            return Header(name, over=over, rows=((row, over),))
        case (
            ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=row)]),
            ast.Call(func=ast.Name(id="zip"), args=[first, over], keywords=[]),
        ) if _is_range(first):
            turns = _range(name, first)
            return Header(name, turns.start, turns.stop, rows=((row, over),))
        case (
            ast.Tuple(elts=[ast.Name(id=name), ast.Tuple(elts=elements)]),
            ast.Call(
                func=ast.Name(id="enumerate"),
                args=[ast.Call(func=ast.Name(id="zip"), args=overs, keywords=[])],
                keywords=[],
            ),
        ) if len(elements) == len(overs):
            rows = [(e.id, o) for e, o in zip(elements, overs, strict=True) if _is_element(e, o)]
            if len(rows) == len(overs):
                return Header(name, over=overs[0], rows=tuple(rows), zipped=True)
        case (
            ast.Tuple(elts=elements),
            ast.Call(func=ast.Name(id="zip"), args=overs, keywords=[]),
        ) if len(elements) == len(overs):
            rows = [(e.id, o) for e, o in zip(elements, overs, strict=True) if _is_element(e, o)]
            if len(rows) == len(overs) > 1:
                return Header(uncounted(rows[0][0]), over=overs[0], rows=tuple(rows), zipped=True)
    raise DeclinedError("which rows the loop visits is not known")


def uncounted(row: str) -> str:
    """What stands for the variable of a loop that has none, and is no name in the program."""
    return f"number of {row}"


def parts_of(node: ast.expr) -> tuple[ast.expr, int] | None:
    """The tensor whose parts are iterated over, and along which dimension: `x`, `x.unbind(1)`, and
    the columns of a matrix, `x.t()` and `x.T`."""
    match node:
        case ast.Attribute(value=ast.Name() | ast.Attribute() as owner, attr="T"):
            return owner, 1
        case ast.Call(func=ast.Attribute(value=owner, attr="t"), args=[], keywords=[]):
            return owner, 1
        case ast.Name() | ast.Attribute():
            return node, 0
        case ast.Call(func=ast.Attribute(value=owner, attr="unbind"), args=args, keywords=[]):
            if args and not isinstance(args[0], ast.Constant):  # `torch.unbind(x, 1)`
                owner, args = args[0], args[1:]
            match args:
                case []:
                    return owner, 0
                case [ast.Constant(value=int(dim))]:
                    return owner, dim
    return None


def rows_of(loop: Loop) -> dict[str, ast.expr]:
    """The names that a loop gives to the elements of something, and that."""
    match loop:
        case ast.For(target=ast.Name(id=row), iter=iterable):
            found = parts_of(iterable)
            return {row: found[0]} if found is not None else {}
        case ast.For(
            target=ast.Tuple(elts=[*_, last] as elements),
            iter=ast.Call(func=ast.Name(id="enumerate" | "zip" as name), args=[*_, over] as overs),
        ):
            if name == "enumerate":
                return {last.id: over} if isinstance(last, ast.Name) else {}
            pairs = zip(elements, overs, strict=False)
            return {e.id: o for e, o in pairs if isinstance(e, ast.Name)}
    return {}


def _is_element(target: ast.expr, over: ast.expr) -> TypeGuard[ast.Name]:
    return isinstance(target, ast.Name) and not isinstance(over, ast.Starred)


def _is_range(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
    )


def _range(name: str, node: ast.expr) -> Header:
    if not (isinstance(node, ast.Call) and _is_range(node)) or node.keywords:
        raise DeclinedError("which rows the loop visits is not known")
    arguments = node.args
    if len(arguments) == 3:
        match arguments:
            case [_, _, ast.Constant(value=1)]:
                arguments = arguments[:2]
            case [ast.BinOp(left=stop, op=ast.Sub(), right=ast.Constant(value=1)), last, step] if (
                _is_minus_one(last) and _is_minus_one(step)
            ):
                return Header(name, 0, stop, backwards=True)
            case _:
                raise DeclinedError("the loop does not visit every row in its range")
    if any(isinstance(a, ast.Starred) for a in arguments) or not arguments:
        raise DeclinedError("which rows the loop visits is not known")
    start: int | ast.expr = 0 if len(arguments) == 1 else arguments[0]
    if isinstance(start, ast.Constant) and isinstance(start.value, int):
        start = start.value
    return Header(name, start, arguments[-1])


def _is_minus_one(node: ast.expr) -> bool:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
            return True
    return False


def _while(loop: ast.While, facts: Facts) -> Header:
    match loop.test, loop.body[-1]:
        case (
            ast.Compare(left=ast.Name(id=name), ops=[ast.Lt()], comparators=[stop]),
            ast.AugAssign(target=ast.Name(id=counter), op=ast.Add(), value=ast.Constant(value=1)),
        ) if name == counter:
            pass
        case (
            ast.Compare(left=ast.Name(id=name), ops=[ast.Lt()], comparators=[stop]),
            ast.Assign(
                targets=[ast.Name(id=counter)],
                value=ast.BinOp(left=ast.Name(id=added), op=ast.Add(), right=ast.Constant(value=1)),
            ),
        ) if name == counter == added:
            pass
        case _:
            raise DeclinedError("how the loop counts its rows is not known")
    for statement in _before(loop, facts):
        match statement:
            case ast.Assign(targets=[ast.Name(id=bound)], value=ast.Constant(value=int(start))):
                if bound == name:
                    return Header(name, start, stop, initial=statement)
        if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(statement)):
            break
    raise DeclinedError("where the loop starts counting is not known")


def _before(node: ast.stmt, facts: Facts) -> list[ast.stmt]:
    """The statements before `node` in its block, nearest first."""
    block = facts.index.block_of(node)
    return block[: block.index(node)][::-1]
