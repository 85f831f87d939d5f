"""Which reads of a name can see which binding of it, and other lookups by name in one module."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from autofix.flow.index import FUNCTIONS, FunctionNode, Index, Loop, last_name
from autofix.flow.walk import statements


@dataclass(eq=False)
class Names:
    """Names, attributes and calls of a module, by name."""

    index: Index

    @cached_property
    def _by_name(self) -> dict[str, list[ast.Name]]:
        found: dict[str, list[ast.Name]] = defaultdict(list)
        for node in self.index.of_kind(ast.Name):
            found[node.id].append(node)
        return found

    @cached_property
    def attributes(self) -> dict[str, list[ast.Attribute]]:
        """Reads of an attribute, by its name."""
        found: dict[str, list[ast.Attribute]] = defaultdict(list)
        for node in self.index.of_kind(ast.Attribute):
            if isinstance(node.ctx, ast.Load):
                found[node.attr].append(node)
        return found

    @cached_property
    def stored(self) -> dict[str, list[ast.Attribute]]:
        """Writes of an attribute, by its name."""
        found: dict[str, list[ast.Attribute]] = defaultdict(list)
        for node in self.index.of_kind(ast.Attribute):
            if isinstance(node.ctx, ast.Store):
                found[node.attr].append(node)
        return found

    @cached_property
    def calls(self) -> dict[str, list[ast.Call]]:
        found: dict[str, list[ast.Call]] = defaultdict(list)
        for node in self.index.of_kind(ast.Call):
            if (name := last_name(node.func)) is not None:
                found[name].append(node)
        return found

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """The functions and classes of this file, by name."""
        found: dict[str, list[ast.stmt]] = defaultdict(list)
        for node in statements(self.index.tree):
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
                found[node.name].append(node)
        return found

    def function_named(self, name: ast.expr) -> FunctionNode | None:
        """The function of the module that a plain name means beyond doubt."""
        found = self.definitions.get(name.id, []) if isinstance(name, ast.Name) else []
        if not isinstance(name, ast.Name) or len(found) != 1:
            return None
        stored = any(isinstance(n.ctx, ast.Store) for n in self._by_name[name.id])
        node = found[0]
        if stored or not isinstance(node, FUNCTIONS) or node not in self.index.tree.body:
            return None
        return node

    def all_loads(self, name: ast.Name) -> list[ast.Name]:
        """Every read of the variable that `name` stands for."""
        scope = self.index.function_of(name)
        return [
            n
            for n in self._by_name[name.id]
            if isinstance(n.ctx, ast.Load) and self._sees(n, scope)
        ]

    def argument_loads(self, function: FunctionNode, argument: str | None) -> list[ast.Name]:
        """Reads of an argument before it is given another value."""
        if argument is None or isinstance(function, ast.Lambda):
            return []
        reads = [n for n in self._by_name[argument] if self._sees(n, function)]
        stores = [n for n in reads if isinstance(n.ctx, ast.Store)]
        return [
            n
            for n in reads
            if isinstance(n.ctx, ast.Load) and not any(self._kills(s, n) for s in stores)
        ]

    def stores(self, name: ast.Name) -> list[ast.Name]:
        """The places in the same function that give the name a value."""
        scope = self.index.function_of(name)
        return [
            n
            for n in self._by_name[name.id]
            if isinstance(n.ctx, ast.Store) and self.index.function_of(n) is scope
        ]

    def all_stores(self, name: ast.Name) -> list[ast.Name]:
        """Every place that binds the variable that `name` stands for, here or further out."""
        scope = self.index.function_of(name)
        while scope is not None and name.id not in self.index.bound_names(scope):
            scope = self.index.outer_function(scope)
        named = (n for n in self._by_name[name.id] if isinstance(n.ctx, ast.Store))
        return [n for n in named if self.index.function_of(n) is scope]

    def loads(self, store: ast.Name) -> list[ast.Name]:
        """The reads that can see what `store` binds."""
        scope = self.index.function_of(store)
        mine = [n for n in self._by_name[store.id] if self._sees(n, scope)]
        others = [
            n
            for n in mine
            if isinstance(n.ctx, ast.Store)
            and n is not store
            and self.index.function_of(n) is scope
        ]
        return [n for n in mine if isinstance(n.ctx, ast.Load) and self._reaches(store, n, others)]

    def next_turn(self, store: ast.Name) -> list[ast.Name]:
        """The reads further up in a loop around, which see in the next turn what `store` binds."""
        scope, start = self.index.function_of(store), self.index.statement_of(store)
        end = _end(start) if start is not None else None
        found: dict[ast.Name, None] = {}
        for loop in self.index.loops_around(store) if end is not None else ():
            mine = [n for n in self._by_name[store.id] if loop in self.index.ancestors(n)]
            others = [n for n in mine if isinstance(n.ctx, ast.Store) and n is not store]
            if any(self._ends_turn(other, store, loop) for other in others):
                break
            for read in mine:
                here = isinstance(read.ctx, ast.Load) and self.index.function_of(read) is scope
                early = (
                    here and _place(read) < (end or (0, 0)) and _is_repeated(read, loop, self.index)
                )
                if early and not any(self._kills(other, read) for other in others):
                    found[read] = None
        return list(found)

    def _ends_turn(self, other: ast.Name, store: ast.Name, loop: Loop) -> bool:
        """Is the name surely bound again between `store` and the next turn?"""
        statement = self.index.statement_of(other)
        if statement is None or statement is loop:
            return True
        later = _place(other) > _place(store) and not isinstance(statement, ast.AugAssign)
        return later and self.index.parents.get(statement) in self.index.ancestors(store)

    def _sees(self, node: ast.Name, scope: FunctionNode | None) -> bool:
        """Does the name at `node` mean the variable of `scope` (None: of the module)?"""
        for owner in self.index.ancestors(node):
            if owner is scope:
                return True
            if (
                isinstance(owner, ast.ClassDef)
                and scope is None
                and not isinstance(node.ctx, ast.Load)
            ):
                return False
            if isinstance(owner, FUNCTIONS) and self._binds(owner, node.id):
                return False
        return scope is None

    def _binds(self, function: FunctionNode, name: str) -> bool:
        spec = function.args
        named = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
        if any(a is not None and a.arg == name for a in named):
            return True
        return any(
            isinstance(n.ctx, ast.Store) and self.index.function_of(n) is function
            for n in self._by_name[name]
        )

    def _reaches(self, store: ast.Name, read: ast.Name, others: Sequence[ast.Name]) -> bool:
        start = self.index.statement_of(store)
        if start is None or (end := _end(start)) is None:
            return False
        later = self.index.function_of(read) is not self.index.function_of(store)
        if not later and (_place(read) < end or self.apart(store, read)):
            # a walrus is seen at once, everything else after its statement
            walrus = isinstance(self.index.parents.get(store), ast.NamedExpr)
            inside = isinstance(start, (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.While))
            if not ((walrus or inside) and _place(read) > _place(store)):
                return False
        return not any(_place(o) > _place(store) and self._kills(o, read, later) for o in others)

    def _kills(self, other: ast.Name, read: ast.Name, later: bool = False) -> bool:
        """Is `other` surely bound again before `read`?"""
        statement = self.index.statement_of(other)
        if statement is None or isinstance(statement, ast.AugAssign):
            return False
        if later:
            scope = self.index.function_of(other) or self.index.tree
            return self.index.parents.get(statement) is scope
        if _place(read) < (_end(statement) or (0, 0)):
            return False
        block = self.index.parents.get(statement)
        around = self.index.ancestors(read)
        return block in around and not self.apart(other, read)

    def apart(self, a: ast.AST, b: ast.AST) -> bool:
        """Do `a` and `b` stand in branches of which only one is taken?"""
        around = {id(n) for n in (a, *self.index.ancestors(a))}
        for owner in self.index.ancestors(b):
            if id(owner) in around and isinstance(owner, ast.If):
                return _branch(owner, a, self.index) != _branch(owner, b, self.index)
        return False


def _branch(owner: ast.If, node: ast.AST, index: Index) -> str:
    chain = [node, *index.ancestors(node)]
    child = chain[chain.index(owner) - 1] if owner in chain[1:] else node
    return "else" if child in owner.orelse else "test" if child is owner.test else "body"


def _is_repeated(node: ast.AST, loop: Loop, index: Index) -> bool:
    """Is it evaluated in every turn (neither the iterable nor the `else` of the loop)?"""
    chain = [node, *index.ancestors(node)]
    child = chain[chain.index(loop) - 1]
    return child is not getattr(loop, "iter", None) and child not in loop.orelse


def _place(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.stmt) -> tuple[int, int] | None:
    """The end of a simple statement; of a compound one, the end of its head."""
    body = getattr(node, "body", None)
    if body:
        return _place(body[0])
    if node.end_lineno is None or node.end_col_offset is None:
        return None
    return node.end_lineno, node.end_col_offset
