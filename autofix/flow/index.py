"""What the syntax alone says of a module: who encloses whom, and who calls a name."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property

from autofix.flow.walk import children, walk

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

_BACKWARD = frozenset({"backward", "manual_backward", "autograd"})


@dataclass(eq=False)
class Index:
    """Lazy syntactic facts; nothing is computed before it is asked for."""

    tree: ast.Module
    _bodies: dict[FunctionNode, list[ast.AST]] = field(default_factory=dict)
    _bound: dict[FunctionNode, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        parents: dict[ast.AST, ast.AST] = {}
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop()
            for child in children(node):
                parents[child] = node
                stack.append(child)
        return parents

    def ancestors(self, node: ast.AST) -> list[ast.AST]:
        """From the parent outwards to the module."""
        found: list[ast.AST] = []
        while (parent := self.parents.get(node)) is not None:
            found.append(parent)
            node = parent
        return found

    def function_of(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The nearest enclosing `def` (lambdas are part of the function around them)."""
        for parent in self.ancestors(node):
            if isinstance(parent, FUNCTIONS):
                return parent
            if isinstance(parent, ast.ClassDef):
                return None
        return None

    def outer_function(
        self, function: ast.AST
    ) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The function in whose body `function`, or the class it is a method of, is defined."""
        for parent in self.ancestors(function):
            if isinstance(parent, FUNCTIONS):
                return parent
        return None

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The class whose method `node` is in, or is."""
        for parent in self.ancestors(node):
            if isinstance(parent, ast.ClassDef):
                return parent
        return None

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        if isinstance(node, ast.stmt):
            return node
        for parent in self.ancestors(node):
            if isinstance(parent, ast.stmt):
                return parent
        return None

    @cached_property
    def callers(self) -> dict[str, list[ast.AST]]:
        """For each called name (`f(...)`, `x.f(...)`): the functions, or the module, that do."""
        callers: dict[str, dict[ast.AST, None]] = {}
        stack: list[tuple[ast.AST, ast.AST]] = [(self.tree, self.tree)]
        while stack:
            node, owner = stack.pop()
            # A name counts wherever it stands: passed on as a value, or a property that is read.
            kind = node.__class__
            if kind is ast.Name:
                callers.setdefault(node.id, {})[owner] = None  # type: ignore[attr-defined]
            elif kind is ast.Attribute:
                callers.setdefault(node.attr, {})[owner] = None  # type: ignore[attr-defined]
            elif kind in FUNCTIONS:
                owner = node
            for child in children(node):
                stack.append((child, owner))
        return {name: list(owners) for name, owners in callers.items()}

    def bound_names(self, function: FunctionNode) -> frozenset[str]:
        """Names that a function gives a meaning of its own: arguments, stores and imports."""
        found = self._bound.get(function)
        if found is None:
            names = set()
            for node in self.body_nodes(function):
                if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                    names.add(node.id)
                elif isinstance(node, ast.arg):
                    names.add(node.arg)
                elif isinstance(node, (ast.Import, ast.ImportFrom)):
                    names |= {(a.asname or a.name).partition(".")[0] for a in node.names}
                elif isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node is not function:
                    names.add(node.name)
            found = self._bound[function] = frozenset(names)
        return found

    @cached_property
    def renamed(self) -> dict[str, str]:
        """Module-level short names: `T = torch.tensor`, `from torch import tensor as T`."""
        names: dict[str, str] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom):
                names.update({a.asname: a.name for a in node.names if a.asname})
            elif isinstance(node, ast.Assign) and isinstance(node.value, (ast.Attribute, ast.Name)):
                target, source = node.targets[0], last_name(node.value)
                if isinstance(target, ast.Name) and source is not None:
                    names[target.id] = source
        return names

    def called_name(self, call: ast.Call) -> str | None:
        """The last part of what is called, as its library names it; by syntax alone."""
        name = last_name(call.func)
        return self.renamed.get(name, name) if isinstance(call.func, ast.Name) and name else name

    @cached_property
    def trains(self) -> bool:
        """Does this file run a backward pass itself (is it a training program)?"""
        return any(name in _BACKWARD for name in self.callers)

    def body_nodes(self, function: FunctionNode) -> list[ast.AST]:
        """All nodes of a function, nested ones too."""
        if function not in self._bodies:
            self._bodies[function] = walk(function)
        return self._bodies[function]


def last_name(node: ast.expr) -> str | None:
    """`f` of `f`, `a.f` and `a.b.f`."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def root_name(node: ast.expr) -> str | None:
    """`a` of `a`, `a.b`, `a[0].b` and `a.b(...)`."""
    while True:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.Call(func=inner):
                node = inner
            case _:
                return None


def is_main_guard(node: ast.AST) -> bool:
    """`if __name__ == "__main__":`"""
    match node:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
    return False
