"""Calls of `math`, `numpy` and of arrays' methods, in torch: as small edits of their text."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from autofix.codemods.graph._exports import Form
from autofix.codemods.graph._numeric_names import Counterpart, counterpart
from autofix.codemods.graph._unwrapping import replaced, unwrapped, wrapped
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import all_arguments
from autofix.flow.values import Kind
from autofix.model import Edit
from autofix.rewrite.names import spell

_SAME = frozenset({"array", "asarray", "float32", "float64", "asanyarray", "ascontiguousarray"})
_REDUCTIONS = frozenset({"sum", "mean", "prod", "amax", "amin", "std", "var"})
_LIKE_NUMPY = frozenset({"sum", "mean", "prod", "std", "var", "squeeze", "max", "min", "clip"})
"""Methods of arrays that are called as the function is; the rest is spelled alike in torch."""
_METHODS = {
    "reshape": "reshape",
    "flatten": "flatten",
    "ravel": "ravel",
    "trace": "trace",
    "copy": "clone",
    "dot": "matmul",
}
_DTYPES = {"float": "float64", "double": "float64", "float16": "float16"}
_DTYPES |= {"float32": "float32", "float64": "float64"}

Translated = tuple[Form, list[Edit]]


@dataclass(eq=False)
class Translator:
    """Writes calls anew, and knows the imports that this takes."""

    facts: Facts
    rank: int | None = None
    """That of the tensor which the array was made of."""
    cut: ast.expr | None = None
    """Where the numbers that are to be tensors leave the graph."""
    imports: list[Edit] = field(default_factory=list)

    def torch(self, name: str, near: ast.AST) -> str:
        spelling = spell(self.facts, f"torch.{name}", near)
        self.imports += [edit for edit in spelling.edits if edit not in self.imports]
        return spelling.code

    def function(
        self, call: ast.Call, node: ast.expr, form: Form, mixed: bool
    ) -> Translated | None:
        """`math.exp(node)`, `np.mean(node, axis=0)`: what comes out, and the edits."""
        dotted = self.facts.library_name(call.func)
        if dotted is None or (dotted.startswith("math.") and form != Form.NUMBER):
            return None
        if dotted.startswith("numpy.") and dotted[6:] in _SAME:
            return self._as_is(call, node, form)
        to = counterpart(dotted)
        if (
            to is None
            or node not in call.args
            or any(isinstance(a, ast.Starred) for a in call.args)
            or len(all_arguments(call)) < to.least
        ):
            return None
        settings = self._settings(call, to, len(call.args) - to.most)
        if settings is None or (to.name in ("where", "clamp") and call.args[0] is not node):
            return None
        edits = [*replaced(self.facts, call.func, self.torch(to.name, call)), *settings]
        flat = to.flat and all_arguments(call) == [node]
        edits += wrapped(self.facts, node, self.torch("ravel", call)) if flat else []
        for argument in call.args:
            if argument is node:
                edits += self._operand(node, call, form, mixed)
            elif to.tensors and not self.facts.value(argument).is_tensor:
                edits += wrapped(self.facts, argument, self.torch("as_tensor", call))
        edits += self._also(call, "dim=0") if flat else []
        alone = form == Form.ARRAY and len(call.args) == 1 and not call.keywords
        reduced = to.name in _REDUCTIONS and (form == Form.NUMBERS or alone)
        reduced = reduced or (to.name == "linalg.det" and alone and self.rank == 2)
        return (Form.NUMBER if form == Form.NUMBER or reduced else Form.ARRAY), edits

    def _as_is(self, call: ast.Call, node: ast.expr, form: Form) -> Translated | None:
        """`np.array(node)`: nothing, once it is a tensor."""
        if call.args != [node] or call.keywords:
            return None
        if form == Form.NUMBERS:
            stack = replaced(self.facts, call.func, self.torch("stack", call))
            return Form.ARRAY, [*stack, *self.others(node, call)]
        return form, unwrapped(self.facts, call, node)

    def _operand(self, node: ast.expr, call: ast.Call, form: Form, mixed: bool) -> list[Edit]:
        if form == Form.NUMBERS:
            stack = wrapped(self.facts, node, self.torch("stack", call))
            return [stack[0], *self.others(node, call), stack[1]]
        return wrapped(self.facts, node, self.torch("as_tensor", call)) if mixed else []

    def others(self, node: ast.expr, near: ast.AST) -> list[Edit]:
        """Numbers and arrays beside those in a list that are tensors now: a stack takes only
        tensors."""
        edits: list[Edit] = []
        for element in node.elts if isinstance(node, (ast.List, ast.Tuple)) else ():
            plain = self.facts.value(element).kind in (Kind.NUMBER, Kind.NUMPY)
            if plain and self.cut not in self.facts.cuts_before(element):
                edits += wrapped(self.facts, element, self.torch("as_tensor", near))
        return edits

    def _settings(self, call: ast.Call, to: Counterpart, over: int) -> list[Edit] | None:
        """The keywords, as torch names them; None if it has no such."""
        if over > 0 or any(k.arg not in to.keywords for k in call.keywords):
            return None
        edits: list[Edit] = []
        given = set()
        for keyword in call.keywords:
            name = to.keywords[keyword.arg or ""]
            given.add(name)
            if name != keyword.arg:
                edits += self._rename(keyword, name)
        for name, value in to.defaults.items():
            if name not in given:
                edits += self._also(call, f"{name}={value}")
        return edits

    def _rename(self, keyword: ast.keyword, name: str) -> list[Edit]:
        start = self.facts.source.span(keyword.value)[0]
        old = keyword.arg or ""
        at = self.facts.source.text.rfind(old, 0, start)
        return [Edit(at, at + len(old), name)]

    def _also(self, call: ast.Call, argument: str) -> list[Edit]:
        """One more argument, the last of the call."""
        end = self.facts.source.span(call)[1] - 1
        parts: list[ast.expr] = all_arguments(call)
        if not parts:
            return [Edit(end, end, argument)]
        comma = ast.unparse(call) and self.facts.source.text[:end].rstrip().endswith(",")
        return [Edit(end, end, argument if comma else f", {argument}")]

    def method(self, call: ast.Call, name: str) -> list[Edit] | None:
        """`array.name(...)`: the edits, or None if torch has no such method."""
        assert isinstance(call.func, ast.Attribute)
        if name == "astype":
            return self._astype(call)
        if name in ("item", "tolist"):
            return unwrapped(self.facts, call, call.func.value)
        wanted = _METHODS.get(name)
        settings: list[Edit] | None = None
        if wanted is not None and not call.keywords:
            settings = []
        elif name in _LIKE_NUMPY and (to := counterpart(f"numpy.{name}")) is not None:
            wanted, settings = to.name, self._settings(call, to, len(call.args) + 1 - to.most)
        if wanted is None or settings is None:
            return None
        end = self.facts.source.span(call.func)[1]
        return [Edit(end - len(name), end, wanted), *settings]

    def _astype(self, call: ast.Call) -> list[Edit] | None:
        assert isinstance(call.func, ast.Attribute)
        if len(call.args) != 1 or call.keywords:
            return None
        kind = call.args[0]
        text = kind.value if isinstance(kind, ast.Constant) else last_name(kind)
        wanted = _DTYPES.get(text) if isinstance(text, str) else None
        if wanted is None:
            return None
        end = self.facts.source.span(call.func)[1]
        edits = [Edit(end - len("astype"), end, "to")]
        return [*edits, *replaced(self.facts, kind, self.torch(wanted, call))]
