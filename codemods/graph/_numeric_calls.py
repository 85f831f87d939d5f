"""Calls of `math` and numpy rewritten as calls of torch, with those around them that follow."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from autofix.codemods.graph._numeric_names import Counterpart, counterpart
from autofix.codemods.graph._stacking import CannotStack, Stacker, element_dtypes, like_what
from autofix.flow.facts import Facts
from autofix.flow.syntax import all_arguments
from autofix.flow.values import Kind
from autofix.model import Edit
from autofix.rewrite.names import spell
from autofix.rewrite.nodes import code


class CannotTranslate(Exception):
    """A call has no counterpart in torch; the message says why."""


@dataclass(slots=True)
class Translation:
    """A chain of calls, rewritten."""

    outermost: ast.expr
    edits: tuple[Edit, ...]
    doubt: str | None = None
    """Why its value may not be what it was."""


def chain(node: ast.Call, facts: Facts) -> list[ast.Call]:
    """The call, and the calls of `math` and numpy around it that get its result as a number:
    `math.exp` of `math.sqrt(1 + math.exp(x))`, and `math.sqrt`."""
    found = [node]
    at: ast.expr = node
    for parent in facts.index.ancestors(node):
        match parent:
            case ast.BinOp() | ast.UnaryOp():
                at = parent
            case ast.Call() if at in parent.args:
                if counterpart(facts.library_name(parent.func) or "") is None:
                    break
                found.append(parent)
                at = parent
            case _:
                break
    return found


def translated(calls: list[ast.Call], facts: Facts) -> Translation:
    """The edits that make torch calls of all of these; the innermost one comes first."""
    writer = _Writer(facts, set(calls))
    for node in calls:
        writer.rewrite(node)
    outermost: ast.expr = calls[-1]
    parent = facts.index.parents.get(outermost)
    if (
        isinstance(parent, ast.Call)
        and outermost in parent.args
        and facts.library_name(parent.func) == "torch.from_numpy"
    ):
        writer.unwrap(parent, outermost)
        outermost = parent
    return Translation(outermost, tuple(dict.fromkeys(writer.edits)), writer.doubt)


@dataclass(slots=True)
class _Writer:
    """Writes small edits, so that calls inside each other need not know of each other."""

    facts: Facts
    chain: set[ast.Call]
    edits: list[Edit] = field(default_factory=list)
    doubt: str | None = None

    def torch(self, name: str, near: ast.AST) -> str:
        spelling = spell(self.facts, f"torch.{name}", near)
        self.edits.extend(spelling.edits)
        return spelling.code

    def rewrite(self, node: ast.Call) -> None:
        name = self.facts.library_name(node.func) or ""
        to = counterpart(name)
        if to is None or any(isinstance(a, ast.Starred) for a in node.args):
            raise CannotTranslate(f"`{name}` has no exact counterpart in torch")
        if len(all_arguments(node)) < to.least + to.flat:
            raise CannotTranslate("torch has to be told an axis here")
        function = to.name
        if name == "math.log" and len(node.args) == 2:
            function = self._logarithm(node)
        elif len(node.args) > to.most:
            raise CannotTranslate("these arguments have no counterpart in torch")
        elif to.tensors:
            function = self._all_tensors(node, to)
        self._replace(node.func, self.torch(function, node))
        self._keywords(node, to)
        for argument in node.args:
            self._argument(argument, name)
        if any(self.facts.value(a).kind == Kind.TENSOR | Kind.NUMBER for a in node.args):
            self._for_tensors(node)

    def _for_tensors(self, node: ast.Call) -> None:
        """Numbers that other calls give still make numbers."""
        if len(self.chain) > 1 or len(node.args) > 1 or node.keywords:
            raise CannotTranslate("what it is given is a number at times")
        given = node.args[0].operand if isinstance(node.args[0], ast.UnaryOp) else node.args[0]
        if not isinstance(given, (ast.Name, ast.Attribute)):
            raise CannotTranslate("what it is given is a number at times")
        source = self.facts.source
        test = f"{self.torch('is_tensor', node)}({source.segment(given)})"
        start, end = source.span(node)
        alone = isinstance(self.facts.index.parents.get(node), (ast.Return, ast.Assign))
        before, behind = ("", "") if alone else ("(", ")")
        self.edits.append(Edit(start, start, before))
        self.edits.append(Edit(end, end, f" if {test} else {source.segment(node)}{behind}"))

    def _replace(self, node: ast.expr, text: str) -> None:
        self.edits.append(Edit(*self.facts.source.span(node), text))

    def _keywords(self, node: ast.Call, to: Counterpart) -> None:
        source = self.facts.source
        for keyword in node.keywords:
            name = to.keywords.get(keyword.arg or "")
            if name is None or keyword.arg is None:
                raise CannotTranslate(f"`{keyword.arg or '**'}` has no counterpart in torch")
            start = source.span(keyword)[0]
            if name != keyword.arg:
                self.edits.append(Edit(start, start + len(keyword.arg), name))
        given = {to.keywords.get(k.arg or "") for k in node.keywords}
        missing = [f"{name}={value}" for name, value in to.defaults.items() if name not in given]
        if missing:
            at = self._end_of_arguments(node)
            self.edits.append(Edit(at, at, ", " + ", ".join(missing)))

    def _end_of_arguments(self, node: ast.Call) -> int:
        """Behind the last argument, where another one can be written."""
        source = self.facts.source
        last = source.span(all_arguments(node)[-1])[1]
        rest = source.text[last : source.span(node)[1]]
        if rest.replace(",", "", 1).strip() != ")":
            raise CannotTranslate("its arguments are laid out in a way that cannot be added to")
        return last

    def _argument(self, node: ast.expr, name: str) -> None:
        value = self.facts.value(node)
        if name.startswith("math.") and node not in self.chain and value.kind & Kind.TENSOR:
            if value.shape != ():
                self._suffix(node, ".reshape(())")
        elif value.kind & Kind.SEQUENCE and not name.endswith(("stack", "concatenate")):
            stacker = Stacker(
                self.facts,
                next(c for c in self.chain if node in c.args),
                like_what(node, self.facts),
                like_what(node, self.facts, exact=False),
                element_dtypes(node, self.facts),
            )
            try:
                self._replace(node, code(stacker.stack(node)))
            except CannotStack as reason:
                raise CannotTranslate(str(reason)) from None
            self.edits.extend(stacker.edits)

    def _suffix(self, node: ast.expr, text: str) -> None:
        start, end = self.facts.source.span(node)
        if isinstance(node, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
            self.edits.append(Edit(end, end, text))
        else:
            self.edits += [Edit(start, start, "("), Edit(end, end, f"){text}")]

    def _logarithm(self, node: ast.Call) -> str:
        """`math.log(x, base)`, for the bases that have a function of their own."""
        base = node.args[1]
        name = {2: "log2", 10: "log10"}.get(getattr(base, "value", None))  # type: ignore[arg-type]
        if name is None:
            raise CannotTranslate("torch has no logarithm to this base: divide two logarithms")
        source = self.facts.source
        self.edits.append(Edit(source.span(node.args[0])[1], source.span(base)[1], ""))
        return name

    def _all_tensors(self, node: ast.Call, to: Counterpart) -> str:
        """Numbers among the arguments become tensors; or a bound, where that is what they are."""
        numbers = [a for a in node.args if not self.facts.value(a).kind & Kind.TENSOR]
        numbers = [a for a in numbers if a not in self.chain]
        tensors = [a for a in node.args if a not in numbers]
        bound = {"maximum": "min", "minimum": "max"}.get(to.name)
        if not numbers or len(node.args) != 2:
            return to.name
        if bound is not None and numbers == node.args[1:]:
            start = self.facts.source.span(numbers[0])[0]
            self.edits.append(Edit(start, start, f"{bound}="))
            return "clamp"
        like = next((t for t in tensors if isinstance(t, (ast.Name, ast.Attribute))), None)
        if like is None or not all(self.facts.value(n).is_number for n in numbers):
            raise CannotTranslate("one argument is no tensor, and torch takes only tensors here")
        owner = self.facts.source.segment(like)
        for number in numbers:
            text = self.facts.source.segment(number)
            self._replace(number, f"{owner}.new_tensor({text})")
        return to.name

    def unwrap(self, outer: ast.Call, inner: ast.expr) -> None:
        """`torch.from_numpy(x)` becomes `x`."""
        source = self.facts.source
        (start, end), (first, last) = source.span(outer), source.span(inner)
        self.edits += [Edit(start, first, ""), Edit(last, end, "")]
