"""In which order the statements of one function can run."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Module
Set = frozenset[ast.stmt]
_ANY: Mapping[ast.stmt, ast.stmt] = {}


@dataclass(eq=False)
class Order:
    """The control flow of a function or module: for each statement, those that may run next. A
    compound statement stands for its head (the test, the iterable, the context)."""

    scope: Scope
    next: dict[ast.stmt, set[ast.stmt]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._block(self.scope.body, None, None, None)

    def after(
        self,
        start: ast.stmt,
        avoiding: Collection[ast.stmt] = (),
        ways: Mapping[ast.stmt, ast.stmt] = _ANY,
    ) -> Set:
        """What may run after `start`. A statement of `avoiding` is reached but not passed; `ways`
        says which statement comes next, where that is known."""
        found: set[ast.stmt] = set()
        todo = [ways[start]] if start in ways else list(self.next.get(start, ()))
        while todo:
            node = todo.pop()
            if node not in found:
                found.add(node)
                if node not in avoiding:
                    todo += [ways[node]] if node in ways else self.next.get(node, ())
        return frozenset(found)

    def after_any(self, starts: Iterable[ast.stmt], avoiding: Collection[ast.stmt] = ()) -> Set:
        found: Set = frozenset()
        for start in starts:
            found |= self.after(start, avoiding)
        return found

    def _block(
        self,
        body: Sequence[ast.stmt],
        after: ast.stmt | None,
        leave: ast.stmt | None,
        again: ast.stmt | None,
    ) -> ast.stmt | None:
        """Link a block that is followed by `after`; its first statement."""
        for node in reversed(body):
            following = self._statement(node, after, leave, again)
            self.next[node] = {n for n in following if n is not None}
            after = node
        return after

    def _statement(
        self,
        node: ast.stmt,
        after: ast.stmt | None,
        leave: ast.stmt | None,
        again: ast.stmt | None,
    ) -> set[ast.stmt | None]:
        match node:
            case ast.Return() | ast.Raise():
                return set()
            case ast.Break():
                return {leave}
            case ast.Continue():
                return {again}
            case ast.If():
                body = self._block(node.body, after, leave, again)
                return {body, self._block(node.orelse, after, leave, again)}
            case ast.For() | ast.AsyncFor() | ast.While():
                body = self._block(node.body, node, after, node)
                endless = isinstance(node, ast.While) and getattr(node.test, "value", False)
                rest = self._block(node.orelse, after, leave, again)
                return {body} if endless else {body, rest}
            case ast.With() | ast.AsyncWith():
                return {self._block(node.body, after, leave, again)}
            case ast.Match():
                parts = {self._block(case.body, after, leave, again) for case in node.cases}
                return {*parts, after}
        if isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
            return self._try(node, after, leave, again)  # type: ignore[arg-type]
        return {after}

    def _try(
        self,
        node: ast.Try,
        after: ast.stmt | None,
        leave: ast.stmt | None,
        again: ast.stmt | None,
    ) -> set[ast.stmt | None]:
        """An exception is taken to come at the start or the end of the body."""
        final = self._block(node.finalbody, after, leave, again)
        caught = {self._block(handler.body, final, leave, again) for handler in node.handlers}
        rest = self._block(node.orelse, final, leave, again)
        body = self._block(node.body, rest, leave, again)
        if node.body:
            self.next[node.body[-1]] |= {n for n in caught if n is not None}
        return {body, *caught}
