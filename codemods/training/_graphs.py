"""What flows into what within one function, and where backward passes run."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from autofix.codemods.training._by_helper import helper_of
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.order import Order, Scope
from autofix.flow.roles import BACKWARD

_STOPS = frozenset(
    {"item", "detach", "tolist", "numpy", "size", "dim", "numel", "argmax", "argmin"}
)
_PLAIN = frozenset({"data", "shape", "grad", "dtype", "device", "ndim"})
_COPIES = frozenset({"tensor", "new_tensor", "Variable", "Parameter", "deepcopy"})
_MOVES = frozenset(
    "to cuda cpu float double half long view reshape squeeze unsqueeze flatten".split()
)
_EMPTYING = frozenset({"pop", "popleft", "popitem", "clear", "remove"})
_NUMBERS = frozenset({"float", "int", "len", "bool", "str", "isinstance", "range"})


def key_of(node: ast.expr) -> str | None:
    """The variable that a name, an attribute (`self.h`) or an element (`sums["a"]`) stands for."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=owner, attr=attr):
            inner = key_of(owner)
            return f"{inner}.{attr}" if inner is not None else None
        case ast.Subscript(value=owner) | ast.Starred(value=owner):
            return key_of(owner)
    return None


def is_off(facts: Facts, statement: ast.stmt) -> bool:
    """Does it stand in a block that switches gradients off?"""
    for parent in facts.index.ancestors(statement):
        if isinstance(parent, (ast.With, ast.AsyncWith)):
            names = [ast.unparse(item.context_expr) for item in parent.items]
            if any("no_grad" in name or "inference_mode" in name for name in names):
                return True
    return False


def reads(node: ast.AST) -> Iterator[ast.expr]:
    """The names and attributes in an expression whose graph its value may keep."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) if name in _STOPS:
            return
        case ast.Call(func=ast.Name(id=name)) if name in _NUMBERS:
            return
        case ast.Call(func=func) if last_name(func) in _COPIES:
            return
        case ast.Attribute(attr=name) if name in _PLAIN:
            return
        case ast.Compare() | ast.Lambda():
            return
        case ast.Name():
            yield node
            return
        case ast.Attribute() if (key := key_of(node)) is not None:
            if _PLAIN & set(key.split(".")[1:-1]):
                return  # `p.grad.view`
            yield node
            yield from reads(node.value)
            return
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            yield from _reads_of_elements(node)
            return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.expr, ast.keyword, ast.comprehension)):
            yield from reads(child)


def _reads_of_elements(
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
) -> Iterator[ast.expr]:
    """`[p.grad for p in model.parameters()]` keeps nothing of what it loops over."""
    made = node.value if isinstance(node, ast.DictComp) else node.elt
    found = list(reads(made))
    names = {n.id for read in found for n in ast.walk(read) if isinstance(n, ast.Name)}
    yield from found
    for loop in reversed(node.generators):
        if names & {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}:
            over = list(reads(loop.iter))
            names |= {n.id for read in over for n in ast.walk(read) if isinstance(n, ast.Name)}
            yield from over


def keys(node: ast.AST) -> set[str]:
    return {key for read in reads(node) if (key := key_of(read)) is not None}


@dataclass(frozen=True, slots=True)
class Backward:
    """`loss.backward()`: `root` is what it runs through."""

    call: ast.Call
    root: ast.expr
    statement: ast.stmt
    retains: bool


@dataclass(eq=False)
class Graphs:
    """One function (or the module body): which variable is made of which, by the text alone."""

    facts: Facts
    scope: Scope
    stores: dict[str, list[tuple[ast.stmt, ast.expr | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """For each variable, the statements that bind it, and the value."""
    elements: dict[str, list[tuple[ast.stmt, ast.expr | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Likewise the statements that write into it: `x[0] = value`."""
    emptied: dict[str, list[ast.stmt]] = field(default_factory=lambda: defaultdict(list))
    """Likewise those that take elements out of it: `x.pop()`, `x.clear()`, `del x[:n]`."""
    backwards: list[Backward] = field(default_factory=list)
    _made_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self.nodes = [n for n in ast.walk(self.scope) if self._is_mine(n)]
        for node in self.nodes:
            self._look_at(node)

    @functools.cached_property
    def order(self) -> Order:
        return Order(self.scope)

    def _is_mine(self, node: ast.AST) -> bool:
        if node is self.scope or not isinstance(node, (ast.stmt, ast.Call)):
            return False
        index = self.facts.index
        mine = None if isinstance(self.scope, ast.Module) else self.scope
        return index.function_of(node) is mine and (mine is not None or not index.class_of(node))

    def _look_at(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, value, node)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._bind(target, value, node)
            case ast.AugAssign(target=target, value=value):
                if (key := key_of(target)) is not None:
                    self._made_of[key] |= {key, *keys(value)}
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                self._bind(target, value, node)
            case ast.Delete(targets=targets):
                for target in targets:
                    if (key := key_of(target)) is not None:
                        self.emptied[key].append(node)
            case ast.Call(func=func):
                self._called(node, func)

    def _called(self, node: ast.Call, func: ast.expr) -> None:
        name = last_name(func)
        statement = self.facts.index.statement_of(node)
        if name in BACKWARD and statement is not None:
            root = self._root(node, func)
            if root is not None:
                flags = {k.arg: k.value for k in node.keywords}
                kept = [flags[n] for n in ("retain_graph", "create_graph") if n in flags]
                retains = any(not (isinstance(k, ast.Constant) and not k.value) for k in kept)
                self.backwards.append(Backward(node, root, statement, retains))
        elif statement is not None and (helper := helper_of(self.facts, node)) is not None:
            given = helper.given(node) if helper.function is not self.scope else None
            if given is not None:
                self.backwards.append(Backward(node, given, statement, helper.retains))
        elif name in _EMPTYING and isinstance(func, ast.Attribute) and statement is not None:
            if (key := key_of(func.value)) is not None:
                self.emptied[key].append(statement)
        elif name in ("append", "extend", "insert", "add") and isinstance(func, ast.Attribute):
            key = key_of(func.value)
            if key is not None and node.args:
                self._made_of[key] |= keys(node.args[-1])

    @functools.cached_property
    def gradients(self) -> list[Backward]:
        """`torch.autograd.grad(loss, ...)` that makes no graph for second derivatives."""
        found = []
        for node in self.nodes:
            if not isinstance(node, ast.Call) or last_name(node.func) != "grad" or not node.args:
                continue
            statement = self.facts.index.statement_of(node)
            if statement is None or self.facts.library_name(node.func) != "torch.autograd.grad":
                continue
            flags = {k.arg: k.value for k in node.keywords}
            if None in flags or "create_graph" in flags or len(node.args) > 3:
                continue
            kept = flags.get("retain_graph")
            retains = kept is not None and not (isinstance(kept, ast.Constant) and not kept.value)
            found.append(Backward(node, node.args[0], statement, retains))
        return found

    def _root(self, node: ast.Call, func: ast.expr) -> ast.expr | None:
        """`loss` of `loss.backward()`, `scaler.scale(loss).backward()`, `engine.backward(loss)`."""
        if not isinstance(func, ast.Attribute):
            return None
        if len(node.args) > 1 and not isinstance(self.facts.index.parents.get(node), ast.Expr):
            return None  # a method of its own, which computes something
        value = self.facts.value(func.value)
        if node.args and not value.is_tensor and key_of(func.value) is not None:
            name = last_name(func.value) or ""
            if self.facts.library_name(func) == "torch.autograd.backward" or "loss" not in name:
                return node.args[0]
        return func.value

    def _bind(self, target: ast.expr, value: ast.expr, statement: ast.stmt) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            parts = value.elts if isinstance(value, ast.Tuple) else None
            given = self.facts.value(value).items if isinstance(value, ast.Call) else None
            for i, element in enumerate(target.elts):
                known = given[i] if given is not None and i < len(given) else None
                if known is None and isinstance(value, ast.Call):
                    known = self.facts.value(element)
                if known is not None and known.leaf:
                    self.stores[key_of(element) or ""].append((statement, value))
                    continue  # a graph begins in a leaf: nothing went into it
                same = parts is not None and len(parts) == len(target.elts)
                self._bind(element, parts[i] if same and parts else value, statement)
            return
        key = key_of(target)
        if key is None:
            return
        if not is_off(self.facts, statement):
            self._made_of[key] |= keys(value)
        if isinstance(target, ast.Subscript):
            self._made_of[key].add(key)
            self.elements[key].append((statement, value))
        else:
            self.stores[key].append((statement, value))

    def is_data(self, key: str, depth: int = 6) -> bool:
        """Is it what a loop over something from outside gives, or a part of that, at most moved?"""
        stores = self.stores.get(key, [])
        return bool(stores and depth) and all(
            value is not None and self._is_data(statement, value, key, depth)
            for statement, value in stores
        )

    def _is_data(self, statement: ast.stmt, value: ast.expr, key: str, depth: int) -> bool:
        if isinstance(statement, (ast.For, ast.AsyncFor)):
            return not any(owner in self.stores for owner in keys(value))
        match value:
            case ast.Name(id=name):
                return name == key or self.is_data(name, depth - 1)
            case ast.Subscript(value=inner) | ast.Attribute(value=inner) | ast.Starred(value=inner):
                return self._is_data(statement, inner, key, depth)
            case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in _MOVES:
                return self._is_data(statement, inner, key, depth)
        return False

    def made_of(self, names: Iterable[str]) -> set[str]:
        """The variables that go into these, themselves included."""
        found = set(names)
        todo = list(found)
        while todo:
            new = self._made_of.get(todo.pop(), set()) - found
            found |= new
            todo += new
        return found


@functools.lru_cache(maxsize=64)
def _graphs(facts: Facts, scope: Scope) -> Graphs:
    return Graphs(facts, scope)


def graphs_around(facts: Facts, node: ast.AST) -> Graphs:
    return _graphs(facts, facts.index.function_of(node) or facts.tree)
