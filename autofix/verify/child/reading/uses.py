"""What a function does with each of its parameters, read off its `ast`: no code is run.

Every parameter is a tree: the fields, keys and elements that the body takes of it are nodes of
their own, each with *facts* ("is called", "is iterated in pairs", "has four dimensions"). Locals
that are plainly a part of a parameter (`x, y = batch`, `for x, y in loader`) count as that part.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from . import callees, operands, parts
from .parts import Node, Path

if TYPE_CHECKING:
    Function = ast.FunctionDef | ast.AsyncFunctionDef

_SAME = frozenset(
    "to cuda cpu float double detach clone requires_grad_ contiguous type_as half".split()
)
_ABOUT = frozenset(
    "shape ndim dtype device data T mT grad requires_grad is_leaf real imag is_cuda grad_fn".split()
)

_SHAPE = frozenset(("rank", "rank at least", "ranks", "sizes", "sizes at least", "items"))


class Reader(ast.NodeVisitor):
    """Reads one function; `root` then has a node for each parameter."""

    def __init__(self, function: Function, aliases: dict[str, str]) -> None:
        self.root = Node()
        self.aliases = aliases
        self.links: list[dict[str, Any]] = []
        self.passed: list[tuple[str, int | str, Path]] = []
        self.flow: dict[int, list[str]] = {}
        names = [a.arg for a in parts.parameters(function.args)]
        self.parameters = names
        self.env: dict[str, Path] = {name: (("name", name),) for name in names}
        self.roots: dict[str, frozenset[str]] = {name: frozenset([name]) for name in names}
        self.elements: dict[str, frozenset[Path]] = {}
        self.origins: dict[str, Path] = dict(self.env)
        self.alike: dict[str, Path] = {}
        self.kept: dict[str, Path] = {}
        self.attributes: list[str] = []
        for statement in function.body:
            self.visit(statement)

    def path(self, node: ast.AST | None) -> Path | None:
        """The parameter, or the part of one, that an expression plainly is."""
        if isinstance(node, ast.Name):
            return self.env.get(node.id)
        if isinstance(node, ast.Attribute):
            base = self.path(node.value)
            if base and node.attr not in _ABOUT:
                return (*base, ("attr", node.attr))
            return base if node.attr in ("data", "real") else None
        if isinstance(node, ast.Subscript):
            base = self.path(node.value)
            step = parts.constant_step(node.slice)
            return (*base, step) if base and step else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _SAME:
                return self.path(node.func.value)
            if node.func.attr == "get" and node.args:
                base = self.path(node.func.value)
                step = parts.constant_step(node.args[0])
                return (*base, step) if base and step else None
        return None

    def origin(self, expression: ast.AST) -> Path | None:
        """The one part that an expression is computed from, if it is one."""
        path = self.path(expression)
        if path:
            return path
        names = [n.id for n in ast.walk(expression) if isinstance(n, ast.Name)]
        found = {self.origins[n] for n in names if n in self.origins and n != "self"}
        return found.pop() if len(found) == 1 else None

    def node(self, expression: ast.AST | None) -> Node | None:
        path = self.path(expression)
        return self.root.at(path) if path and path != (("name", "self"),) else None

    def like(self, expression: ast.AST | None) -> Path | None:
        """The part that has the shape of an expression: `x` of `x / x.norm()`."""
        path = self.path(expression)
        if path:
            return path
        if isinstance(expression, ast.Name):
            return self.alike.get(expression.id)
        if isinstance(expression, ast.BinOp) and not isinstance(expression.op, ast.MatMult):
            sides = (self.like(expression.left), self.like(expression.right))
            return sides[0] if sides[1] in (None, sides[0]) else None
        if isinstance(expression, ast.Call):
            inner = callees.elementwise(expression, self.dotted(expression.func))
            return self.like(inner[0]) if inner else None
        return None

    def note(self, expression: ast.AST | None, fact: str, content: Any = True) -> None:
        node = self.node(expression)
        if node is None and fact in _SHAPE:
            like = self.like(expression)
            node = self.root.at(like) if like else None
        if node:
            node.note(fact, content)

    def dotted(self, node: ast.AST) -> str:
        """`F.relu` as `torch.nn.functional.relu`; "" for what is no dotted name."""
        if isinstance(node, ast.Name):
            return "" if node.id in self.env else self.aliases.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""

    def sources(self, expression: ast.AST) -> frozenset[Path]:
        """The parts whose elements an elementwise expression works on."""
        path = self.path(expression)
        if path:
            return frozenset([path])
        if isinstance(expression, ast.Name):
            return self.elements.get(expression.id, frozenset())
        inner: list[ast.expr] = []
        if isinstance(expression, ast.BinOp):
            inner = [expression.left, expression.right]
        elif isinstance(expression, ast.UnaryOp):
            inner = [expression.operand]
        elif isinstance(expression, (ast.List, ast.Tuple)):
            inner = expression.elts
        elif isinstance(expression, ast.Call):
            inner = callees.elementwise(expression, self.dotted(expression.func))
        return frozenset().union(*(self.sources(e) for e in inner)) if inner else frozenset()

    # Statements.

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.stmt):
            self._follow(node)
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            self._comprehension(node)
        else:
            super().visit(node)

    def _follow(self, statement: ast.stmt) -> None:
        """Which parameters reach each line: an error there is most likely about those."""
        used: set[str] = set()
        heads = parts.heads(statement)
        for head in heads:
            for part in ast.walk(head):
                if isinstance(part, ast.Name):
                    used |= self.roots.get(part.id, frozenset())
        for head in heads:
            for line in range(head.lineno, (head.end_lineno or head.lineno) + 1):
                known = self.flow.setdefault(line, [])
                known += [name for name in sorted(used) if name not in known]
        for name in parts.bound(statement):
            self.roots[name] = self.roots.get(name, frozenset()) | frozenset(used)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self.bind(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if node.value is not None:
            self.bind(node.target, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        self.note(node.target, "arithmetic")

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self.iterate(node.target, node.iter)
        for statement in [*node.body, *node.orelse]:
            self.visit(statement)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.visit(node.iter)
        self.iterate(node.target, node.iter)
        for test in node.ifs:
            self.visit(test)

    def _comprehension(self, node: Any) -> None:
        for generator in node.generators:
            self.visit(generator)
        for field in ("elt", "key", "value"):
            if hasattr(node, field):
                self.visit(getattr(node, field))

    def bind(self, target: ast.expr, value: ast.expr) -> None:
        """An assignment: the names are the parts that are assigned to them."""
        if isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target, value)
        elif isinstance(target, ast.Attribute):
            owner, given = self.path(target), self.path(value)
            if owner and len(owner) == 2 and owner[0][1] == "self":
                self.attributes.append(target.attr)
                if given and given[0][1] != "self":
                    self.kept[target.attr] = given
        elif isinstance(target, ast.Name):
            path, sources, origin = self.path(value), self.sources(value), self.origin(value)
            alike = self.like(value)
            for known in (self.env, self.elements, self.origins, self.alike):
                known.pop(target.id, None)
            if alike and not path:
                self.alike[target.id] = alike
            if origin:
                self.origins[target.id] = origin
            if path:
                self.env[target.id] = path
            elif sources:
                self.elements[target.id] = sources

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr) -> None:
        count = len(target.elts)
        starred = any(isinstance(e, ast.Starred) for e in target.elts)
        shaped = operands.shape_owner(value)
        if shaped is not None:
            fact = "rank at least" if starred else "rank"
            self.note(shaped, fact, count - starred)
        if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == count:
            for position in range(count):
                self.bind(target.elts[position], value.elts[position])
            return
        path = self.path(value)
        if path and not starred:
            self.note(value, "unpack", count)
        for position, element in enumerate(target.elts):
            if isinstance(element, ast.Name):
                self.env.pop(element.id, None)
                self.origins.pop(element.id, None)
                if path and not starred:
                    self.root.at((*path, ("item", position))).note("names", [element.id])
                    self.env[element.id] = self.origins[element.id] = (*path, ("item", position))
                    self.root.at(self.env[element.id])

    def iterate(self, target: ast.expr, source: ast.expr) -> None:
        """A `for` loop, through `enumerate`, `zip`, `tqdm` and the like."""
        called = self.dotted(source.func) if isinstance(source, ast.Call) else ""
        last = called.rsplit(".", 1)[-1]
        if isinstance(source, ast.Call) and source.args:
            if last == "enumerate" and isinstance(target, ast.Tuple) and len(target.elts) == 2:
                return self.iterate(target.elts[1], source.args[0])
            if last in ("tqdm", "trange", "iter", "reversed", "list", "sorted", "islice"):
                return self.iterate(target, source.args[0])
            if last == "zip" and isinstance(target, ast.Tuple):
                for position, element in enumerate(target.elts[: len(source.args)]):
                    self.iterate(element, source.args[position])
                return None
        path = self.path(source)
        for name in (n.id for n in ast.walk(target) if isinstance(n, ast.Name)):
            self.env.pop(name, None)
        if path:
            self.note(source, "iterated")
            self._each(target, (*path, ("each", 0)))
        return None

    def _each(self, target: ast.expr, path: Path) -> None:
        node = self.root.at(path)
        if isinstance(target, ast.Name):
            self.env[target.id] = self.origins[target.id] = path
            node.note("names", [target.id])
        elif isinstance(target, ast.Tuple):
            node.note("unpack", len(target.elts))
            for position, element in enumerate(target.elts):
                self._each(element, (*path, ("item", position)))

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)  # first: `f` of `g(f(x))` is called before `g`
        callees.call(self, node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        operands.subscript(self, node)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands.compare(self, node)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        operands.operation(self, node)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in _ABOUT:
            self.note(node.value, "tensor")
        elif not callees.is_method(node.attr):
            self.node(node)
        self.generic_visit(node)

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        operands.condition(self, node.test)
        self.generic_visit(node)

    visit_IfExp = visit_If
