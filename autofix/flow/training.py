"""What happens to gradients in a piece of code, in order: backward passes, steps, resets.

Functions of the file are looked into where they are called. The picture keeps loops and branches,
so that a reader can tell what happens in each turn of a loop from what happens now and then.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autofix.flow.engines import is_distributed, is_engine, may_train, takes_loss
from autofix.flow.events import (
    Branch,
    Event,
    Item,
    Loop,
    Seq,
    What,
    loss_of,
    resets_gradient,
    runs_phases,
    updated,
)
from autofix.flow.handles import NOBODY, Handles, Scope, arguments_of, handles
from autofix.flow.index import FunctionNode, last_name
from autofix.flow.managed import around, generator
from autofix.flow.roles import is_optimizer, optimizer_class
from autofix.flow.stages import callee, stages_in
from autofix.flow.unseen import led_out
from autofix.flow.uses import uses_in
from autofix.flow.walk import children

if TYPE_CHECKING:
    from autofix.flow.facts import Facts

Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)

DEPTH = 4
"""How deep calls of functions of the file are looked into."""


_ENDING = (ast.Break, ast.Return, ast.Raise)
_LEAVING = (ast.Continue, ast.Break, ast.Return, ast.Raise)


@dataclass(eq=False)
class Reader:
    facts: Facts
    stack: list[FunctionNode] = field(default_factory=list)
    _stage: dict[str, ast.expr] = field(default_factory=dict)
    """The functions that names of loops over functions stand for at the moment."""

    def body(self, body: Sequence[ast.stmt], scope: Scope, chain: tuple[ast.stmt, ...]) -> Seq:
        found = Seq(leaves=bool(body) and isinstance(body[-1], _LEAVING))
        for statement in body:
            found.items += self._statement(statement, scope, chain)
        return found

    def _statement(
        self, node: ast.stmt, scope: Scope, chain: tuple[ast.stmt, ...]
    ) -> Iterator[Item]:
        here = (*chain, node)
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return
            case ast.If(test=test, body=body, orelse=orelse):
                yield from self._expression(test, scope, here)
                yield Branch([self.body(body, scope, chain), self.body(orelse, scope, chain)])
            case ast.For() | ast.AsyncFor() | ast.While():
                head = node.test if isinstance(node, ast.While) else node.iter
                yield from self._expression(head, scope, here)
                if isinstance(node, ast.For) and node in stages_in(self.facts):
                    yield from self._stages(node, scope, chain)
                    return
                inner = self.body(node.body, scope, chain)
                once = isinstance(node.body[-1], _ENDING) or runs_phases(node)
                yield Loop(node, inner, once)
                yield from self.body(node.orelse, scope, chain).items
            case ast.With() | ast.AsyncWith():
                yield from self._managed(node, node.items, scope, here)
            case ast.Try():
                tail = [*node.body, *node.orelse]
                yield self.body(tail, scope, chain)
                others = [self.body(h.body, scope, chain) for h in node.handlers]
                if any(other.items for other in others):
                    yield Branch([Seq(), *others])
                yield self.body(node.finalbody, scope, chain)
            case ast.Match(subject=subject, cases=cases):
                yield from self._expression(subject, scope, here)
                yield Branch([Seq(), *(self.body(case.body, scope, chain) for case in cases)])
            case ast.Expr(value=ast.Attribute(attr="backward" | "step" | "zero_grad") as named):
                # The call is forgotten, which is another matter: the order is that of the author.
                call = ast.copy_location(ast.Call(named, [], []), named)
                yield from self._call(call, scope, here)
            case _:
                for part in children(node):
                    if isinstance(part, ast.expr):
                        yield from self._expression(part, scope, here)
                yield from self._assigned(node, scope, here)

    def _stages(self, node: ast.For, scope: Scope, chain: tuple[ast.stmt, ...]) -> Iterator[Item]:
        """A loop over functions is no turn that is repeated: it runs one after the other."""
        assert isinstance(node.target, ast.Name)
        kept = self._stage
        for stage in stages_in(self.facts)[node]:
            self._stage = {**kept, node.target.id: stage.element}
            yield from self.body(node.body, scope, chain).items
        self._stage = kept

    def _managed(
        self,
        node: ast.With | ast.AsyncWith,
        items: Sequence[ast.withitem],
        scope: Scope,
        here: tuple[ast.stmt, ...],
    ) -> Iterator[Item]:
        """The body of a `with`, between what its objects do before and after it."""
        if not items:
            yield self.body(node.body, scope, here[:-1])
            return
        manager = items[0].context_expr
        if isinstance(manager, ast.Call) and generator(manager, self.facts):
            rest = Seq(list(self._managed(node, items[1:], scope, here)))
            for part in children(manager):
                yield from self._expression(part, scope, here)
            name = last_name(manager.func) or ""
            yield self._entered(manager, name, scope, here, rest) or rest
            return
        yield from self._expression(manager, scope, here)
        yield from self._run_around(manager, "__enter__", scope, here)
        yield from self._managed(node, items[1:], scope, here)
        yield from self._run_around(manager, "__exit__", scope, here)

    def _run_around(
        self, manager: ast.expr, name: str, scope: Scope, chain: tuple[ast.stmt, ...]
    ) -> Iterator[Item]:
        function = around(manager, name, self.facts)
        if function is None or function in self.stack or len(self.stack) >= DEPTH:
            return
        me = function.args.args[0].arg if function.args.args else ""
        inner = self._inside(function, {me: handles(manager, scope, self.facts)}, chain)
        if inner is not None:
            yield inner

    def _assigned(
        self, node: ast.stmt, scope: Scope, chain: tuple[ast.stmt, ...]
    ) -> Iterator[Event]:
        """`p.grad = None`, and `w -= lr * w.grad`."""
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Attribute) and part.attr == "grad":
                    yield Event(What.TOUCH, node, chain, NOBODY, None, scope)
        weight = updated(node)
        if weight is not None:
            who = handles(weight, scope, self.facts)
            yield Event(What.UPDATE, node, chain, who, weight, scope)

    def _expression(
        self, node: ast.AST, scope: Scope, chain: tuple[ast.stmt, ...]
    ) -> Iterator[Item]:
        """The calls in an expression, inner ones first."""
        if isinstance(node, (ast.Lambda, ast.Constant, ast.Name)):
            return
        if isinstance(node, COMPREHENSIONS):
            yield from self._comprehension(node, scope, chain)
            return
        for part in children(node):
            yield from self._expression(part, scope, chain)
        if isinstance(node, ast.Yield) and scope.wrapped is not None:
            yield scope.wrapped
        if isinstance(node, ast.Call):
            yield from self._call(node, scope, chain)

    def _comprehension(
        self, node: Comprehension, scope: Scope, chain: tuple[ast.stmt, ...]
    ) -> Iterator[Item]:
        """`[train_on(batch) for batch in loader]` is a loop, too."""
        first = node.generators[0]
        yield from self._expression(first.iter, scope, chain)
        inside = Seq()
        for part in children(node):
            if part is not first:
                inside.items += self._expression(part, scope, chain)
        if inside.items:
            yield Loop(node, inside)

    def _call(self, node: ast.Call, scope: Scope, chain: tuple[ast.stmt, ...]) -> Iterator[Item]:
        if isinstance(node.func, ast.Name) and node.func.id in self._stage:
            staged = self._stage[node.func.id]
            node = ast.copy_location(ast.Call(staged, node.args, node.keywords), node)
        name = last_name(node.func) or ""
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        inner = self._entered(node, name, scope, chain)
        if inner is not None:
            yield inner
            return
        if name == "backward" and is_distributed(node.func, self.facts):
            yield Event(What.TOUCH, node, chain)  # gradients live in a context of their own
        elif name in ("backward", "manual_backward"):
            yield Event(What.BACKWARD, node, chain, NOBODY, loss_of(node), scope)
        elif name == "zero_grad" and owner is not None:
            who = handles(owner, scope, self.facts)
            yield Event(What.ZERO, node, chain, who, owner, scope)
        elif name in ("step", "optimizer_step") and (
            is_engine(owner, self.facts) or takes_loss(node, self.facts)
        ):
            yield Event(What.TOUCH, node, chain)  # it sets the gradients to zero itself
        elif name in ("step", "optimizer_step"):
            yield from self._step(node, owner, scope, chain)
        elif resets_gradient(name, owner):
            yield Event(What.TOUCH, node, chain, NOBODY, None, scope)
        elif name[:1].isupper() and optimizer_class(node, self.facts) is not None:
            who = _bound_to(chain[-1], node, scope, self.facts)
            yield Event(What.MAKE, node, chain, who, None, scope)
        else:
            yield from led_out(node, scope, chain, self.facts)

    def _step(
        self,
        node: ast.Call,
        owner: ast.expr | None,
        scope: Scope,
        chain: tuple[ast.stmt, ...],
    ) -> Iterator[Item]:
        stepped: ast.expr | None = None
        if owner is not None and is_optimizer(owner, self.facts):
            stepped = owner
            if node.args or any(k.arg == "closure" for k in node.keywords):
                closure = node.args[0] if node.args else node.keywords[0].value
                inner = self._closure(closure, scope, chain)
                known = isinstance(closure, ast.Constant)
                yield inner or Event(What.TOUCH if known else What.HIDDEN, node, chain, NOBODY)
        elif node.args and is_optimizer(node.args[0], self.facts):
            stepped = node.args[0]  # scaler.step(optimizer)
        if stepped is not None:
            who = handles(stepped, scope, self.facts)
            yield Event(What.STEP, node, chain, who, stepped, scope)
        elif owner is not None and may_train(owner):
            yield Event(What.HIDDEN, node, chain, handles(owner, scope, self.facts))

    def _entered(
        self,
        node: ast.Call,
        name: str,
        scope: Scope,
        chain: tuple[ast.stmt, ...],
        wrapped: Seq | None = None,
    ) -> Seq | None:
        """What a function of this file does when it is called here, around what is `wrapped`."""
        if name not in uses_in(self.facts).names.definitions or len(self.stack) >= DEPTH:
            return None
        found = callee(node.func, self.facts)
        if found is None or found[0] in self.stack or isinstance(found[0], ast.Lambda):
            return None
        function, skip = found
        known = self._closure_arguments(function, scope)
        known |= arguments_of(node, function, skip, scope, self.facts)
        first = next(iter((*function.args.posonlyargs, *function.args.args)), None)
        owner = node.func.value if skip and isinstance(node.func, ast.Attribute) else None
        if first is not None and owner is not None and (me := handles(owner, scope, self.facts)):
            known[first.arg] = me
        return self._inside(function, known, chain, wrapped)

    def _closure_arguments(self, function: FunctionNode, scope: Scope) -> dict[str, Handles]:
        """A nested function sees the arguments of the one around it."""
        if self.facts.index.outer_function(function) is scope.function is not None:
            bound = self.facts.index.bound_names(function)
            return {k: v for k, v in scope.arguments.items() if k not in bound}
        return {}

    def _inside(
        self,
        function: FunctionNode,
        arguments: dict[str, Handles],
        chain: tuple[ast.stmt, ...],
        wrapped: Seq | None = None,
    ) -> Seq | None:
        if isinstance(function, ast.Lambda):
            return None
        self.stack.append(function)
        kept, self._stage = self._stage, {}
        try:
            return self.body(function.body, Scope(function, arguments, wrapped), chain)
        finally:
            self._stage = kept
            self.stack.pop()

    def _closure(self, node: ast.expr, scope: Scope, chain: tuple[ast.stmt, ...]) -> Loop | None:
        """The function that is handed to `step`, which calls it at least once."""
        if isinstance(node, ast.Lambda):
            found = Seq(list(self._expression(node.body, scope, chain)))
            return Loop(None, found, once=True)
        resolved = callee(node, self.facts)
        if resolved is None or resolved[0] in self.stack:
            return None
        inner = self._inside(resolved[0], self._closure_arguments(resolved[0], scope), chain)
        return Loop(None, inner) if inner is not None else None


def _bound_to(statement: ast.stmt, node: ast.Call, scope: Scope, facts: Facts) -> Handles:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return NOBODY.union(*(handles(t, scope, facts) for t in targets))
