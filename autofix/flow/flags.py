"""Attributes that a constructor sets one way or the other, by a flag that is asked again later."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

from autofix.flow.frame import Frame
from autofix.flow.objects import ClassInfo, Instance
from autofix.flow.walk import walk

_Set = tuple[str, bool, ast.expr]
"""An attribute, what the flag was, and what was set."""


def by_flag(test: ast.Attribute, holds: bool, frame: Frame) -> None:
    """`if self.learned:` where the constructor said `if learned: self.t = nn.Parameter(t)` and
    `else: self.t = t`: the attribute is what that branch made of it."""
    from autofix.flow.instances import class_attribute

    owner = frame.program.values.get(test.value)
    if owner is None or not isinstance(owner.ref, Instance):
        return
    for info in owner.ref.info.lineage:
        for attribute, flag, value in _set_by_flag(info, test.attr):
            if flag == holds and class_attribute(owner, attribute, frame) is not None:
                known = frame.program.values.get(value)
                if known is not None:
                    frame.state.bound[owner.ref.identity, attribute] = known


@functools.lru_cache(maxsize=512)
def _set_by_flag(info: ClassInfo, flag: str) -> tuple[_Set, ...]:
    constructor = next(
        (n for n in info.node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None
    )
    if constructor is None or not constructor.args.args:
        return ()
    me = constructor.args.args[0].arg
    stores = [store for n in walk(info.node) for store in _stores(n)]
    given = [value for name, value in stores if name == flag]
    if len(given) != 1:
        return ()
    asked = {f"{me}.{flag}", ast.unparse(given[0])}
    found = []
    for node in constructor.body:
        if not isinstance(node, ast.If):
            continue
        negated = isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
        test = node.test.operand if isinstance(node.test, ast.UnaryOp) else node.test
        if ast.unparse(test) in asked:
            found += [(name, not negated, v) for s in node.body for name, v in _stores(s)]
            found += [(name, negated, v) for s in node.orelse for name, v in _stores(s)]
    settled = [name for name, _, _ in found]
    every = [name for name, _ in stores]
    return tuple(one for one in found if every.count(one[0]) == settled.count(one[0]) == 2)


def _stores(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The attributes of anything that one statement sets."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                for each in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(each, ast.Attribute):
                        yield each.attr, value
        case (
            ast.AugAssign(target=ast.Attribute(attr=name), value=value)
            | ast.AnnAssign(target=ast.Attribute(attr=name), value=ast.expr() as value)
        ):
            yield name, value
