"""What the syntax alone says of a module: who encloses whom, and who calls a name."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from autofix.flow.walk import in_order, statements, walk
from autofix.source import Source

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Loop = ast.For | ast.AsyncFor | ast.While
N = TypeVar("N", bound=ast.AST)
LOOPS = (ast.For, ast.AsyncFor, ast.While)

_NEAR = 200
"""How many functions back the one around a line is looked for: nested ones come in between."""

_ARRAYS = re.compile(
    r"^\s*(?:import|from)\s+(?:numpy|scipy|jax|mlx|tensorflow|cupy|pandas|sympy|paddle|jittor)\b",
    re.MULTILINE,
)
_HOOKS = re.compile(r"\bregister_(?:module_)?forward_(?:pre_)?hook\b")
_BACKWARD = re.compile(r"\b(?:manual_)?backward\s*\(|\bautograd\b")

_ASKING = frozenset({"grad", "retain_grad", "register_hook", "register_post_accumulate_grad_hook"})


@dataclass(eq=False)
class Index:
    """Lazy syntactic facts; nothing is computed before it is asked for."""

    tree: ast.Module
    source: Source
    _bodies: dict[FunctionNode, list[ast.AST]] = field(default_factory=dict)
    _callers: dict[str, list[ast.AST]] = field(default_factory=dict)
    _bound: dict[FunctionNode, frozenset[str]] = field(default_factory=dict)
    stored: dict[FunctionNode, set[str]] = field(default_factory=dict)
    """For each method, the attributes that it stores on its object."""

    @cached_property
    def _order(self) -> tuple[list[ast.AST], dict[ast.AST, ast.AST]]:
        return in_order(self.tree)

    @property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the module, in source order."""
        return self._order[0]

    @cached_property
    def _kinds(self) -> dict[type[ast.AST], list[ast.AST]]:
        found: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        for node in self.nodes:
            found[node.__class__].append(node)
        return found

    def of_kind(self, kind: type[N]) -> list[N]:
        """All nodes of one class, in source order."""
        return self._kinds.get(kind, [])  # type: ignore[return-value]

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return self._order[1]

    def ancestors(self, node: ast.AST) -> list[ast.AST]:
        """From the parent outwards to the module."""
        found: list[ast.AST] = []
        while (parent := self.parents.get(node)) is not None:
            found.append(parent)
            node = parent
        return found

    def function_of(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The nearest enclosing `def` (lambdas are part of the function around them)."""
        parents = self.parents
        parent = parents.get(node)
        while parent is not None and not isinstance(parent, ast.ClassDef):
            if isinstance(parent, FUNCTIONS):
                return parent
            parent = parents.get(parent)
        return None

    def outer_function(self, function: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
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

    def block_of(self, node: ast.AST) -> list[ast.stmt]:
        """The statements among which this one stands; none if it is no statement."""
        parent = self.parents.get(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(parent, name, None)
            if isinstance(block, list) and node in block:
                return block
        return []

    def loops_around(self, node: ast.AST) -> list[Loop]:
        """The loops of the same function, innermost first."""
        found: list[Loop] = []
        for parent in self.ancestors(node):
            if isinstance(parent, (*FUNCTIONS, ast.ClassDef)):
                break
            if isinstance(parent, LOOPS):
                found.append(parent)
        return found

    def callers(self, name: str) -> list[ast.AST]:
        """The functions, or the module, in whose text a name stands: whoever may call it, pass it
        on or read it. (Found in the text: walking a whole module costs more.)"""
        if name not in self._callers:
            owners = map(self._owner, map(self.source.line_of, self.source.words(name)))
            self._callers[name] = list(dict.fromkeys(owners))
        return self._callers[name]

    def _owner(self, line: int) -> ast.AST:
        """The innermost function around a line, else the module."""
        functions = self._functions
        at = bisect_right(functions, line, key=lambda entry: entry[0])
        for start, end, function in reversed(functions[max(0, at - _NEAR) : at]):
            if start <= line <= end:
                return function
        return self.tree

    @cached_property
    def _functions(self) -> list[tuple[int, int, ast.AST]]:
        """First line, last line and node of every `def`, in source order."""
        found = [
            (node.lineno, node.end_lineno or node.lineno, node)
            for node in statements(self.tree)
            if isinstance(node, FUNCTIONS)
        ]
        return sorted(found, key=lambda entry: entry[:2])

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
    def imported(self) -> frozenset[str]:
        """The names that are bound by an import, also in functions."""
        aliases = [alias for statement in self.imports for alias in statement.names]
        return frozenset((alias.asname or alias.name).partition(".")[0] for alias in aliases)

    @property
    def imports(self) -> list[ast.Import | ast.ImportFrom]:
        """All imports, also those in functions."""
        return [*self.of_kind(ast.Import), *self.of_kind(ast.ImportFrom)]

    @cached_property
    def only_torch(self) -> bool:
        """Is torch the only library of arrays that this file imports?"""
        return _ARRAYS.search(self.source.text) is None

    @cached_property
    def trains(self) -> bool:
        """Does this file run a backward pass itself (is it a training program)?"""
        return _BACKWARD.search(self.source.text) is not None

    @cached_property
    def hooks_forward(self) -> bool:
        """Is code run by modules when they are called, which may keep what they give?"""
        return _HOOKS.search(self.source.text) is not None

    @cached_property
    def set_on_others(self) -> frozenset[str]:
        """The attributes that are stored on anything but `self`: on classes, say."""
        return frozenset(
            node.attr
            for node in self.of_kind(ast.Attribute)
            if isinstance(node.ctx, ast.Store)
            if not (isinstance(node.value, ast.Name) and node.value.id == "self")
        )

    @cached_property
    def asks_for_gradients(self) -> bool:
        """Does this file read the gradient of anything but the parameters it loops over?"""
        loops: list[ast.For | ast.comprehension] = [
            *self.of_kind(ast.For),
            *self.of_kind(ast.comprehension),
        ]
        of_parameters = {
            n.id
            for loop in loops
            if "param" in ast.unparse(loop.iter)
            for n in ast.walk(loop.target)
            if isinstance(n, ast.Name)
        }
        for node in self.of_kind(ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else None
            read = node.attr in _ASKING and isinstance(node.ctx, ast.Load)
            if read and owner not in of_parameters:
                return True
        return any(name.id == "grad" for name in self.of_kind(ast.Name))

    def body_nodes(self, function: FunctionNode) -> list[ast.AST]:
        """All nodes of a function, nested ones too."""
        if function not in self._bodies:
            self._bodies[function] = walk(function)
        return self._bodies[function]


def is_property(function: FunctionNode) -> bool:
    return has_decorator(function, "property") or has_decorator(function, "cached_property")


def has_decorator(function: FunctionNode, name: str) -> bool:
    return any(last_name(d) == name for d in getattr(function, "decorator_list", ()))


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
