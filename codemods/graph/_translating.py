"""Calls of `math`, `numpy` and of arrays' methods, in torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from autofix.codemods.graph._exports import Form
from autofix.codemods.graph._numeric_names import (
    ARRAY_METHODS,
    DTYPES,
    MATH,
    MATH_ARGUMENTS,
    NUMPY,
    NUMPY_REDUCTIONS,
    NUMPY_SPREAD,
)
from autofix.codemods.graph._unwrapping import replaced, unwrapped, wrapped
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.model import Edit
from autofix.rewrite.names import spell

_RENAMED = {"a_min": "min", "a_max": "max"}
_REDUCED = frozenset({"axis", "keepdims", "ddof"})
_ALLOWED = {
    "clip": frozenset({"a_min", "a_max", "min", "max"}),
    "unsqueeze": frozenset({"axis"}),
    "cumsum": frozenset({"axis"}),
    "squeeze": frozenset({"axis"}),
    "linalg.norm": frozenset({"ord", "axis", "keepdims"}),
}
_SAME = frozenset({"array", "asarray", "float32", "float64", "asanyarray", "ascontiguousarray"})

Translated = tuple[Form, list[Edit]]


@dataclass(eq=False)
class Translator:
    """Writes calls anew, and knows the imports that this takes."""

    facts: Facts
    imports: list[Edit] = field(default_factory=list)

    def torch(self, name: str, near: ast.AST) -> str:
        spelling = spell(self.facts, f"torch.{name}", near)
        self.imports += [edit for edit in spelling.edits if edit not in self.imports]
        return spelling.code

    def function(self, call: ast.Call, node: ast.expr, form: Form, mixed: bool) -> Translated | None:
        """`math.exp(node)`, `np.mean(node, axis=0)`: what comes out, and the edits."""
        dotted = self.facts.library_name(call.func)
        if dotted is None:
            return None
        root, _, name = dotted.partition(".")
        if root == "math" and form == Form.NUMBER:
            return self._math(call, node, name, mixed)
        if root == "numpy":
            return self._numpy(call, node, name, form, mixed)
        return None

    def _math(self, call: ast.Call, node: ast.expr, name: str, mixed: bool) -> Translated | None:
        wanted = MATH.get(name)
        if wanted is None or call.keywords or len(call.args) != MATH_ARGUMENTS.get(name, 1):
            return None
        edits = replaced(self.facts, call.func, self.torch(wanted, call))
        if wanted in ("atan2", "hypot") or mixed:
            for argument in call.args:
                if argument is not node or mixed:
                    edits += wrapped(self.facts, argument, self.torch("as_tensor", call))
        return Form.NUMBER, edits

    def _numpy(
        self, call: ast.Call, node: ast.expr, name: str, form: Form, mixed: bool
    ) -> Translated | None:
        if name in _SAME and call.args == [node] and not call.keywords:
            if form == Form.NUMBERS:
                function = self.torch("stack", call)
                return Form.ARRAY, replaced(self.facts, call.func, function)
            return form, unwrapped(self.facts, call, node)
        wanted = NUMPY.get(name)
        if wanted is None or call.args[:1] != [node]:
            return None
        edits = replaced(self.facts, call.func, self.torch(wanted, call))
        edits += self._first(call, node, form, mixed)
        settings = self._settings(call, wanted)
        if settings is None:
            return None
        reduced = form == Form.NUMBERS and wanted in NUMPY_REDUCTIONS
        after = Form.NUMBER if form == Form.NUMBER or reduced else Form.ARRAY
        return after, [*edits, *settings]

    def _first(self, call: ast.Call, node: ast.expr, form: Form, mixed: bool) -> list[Edit]:
        if form == Form.NUMBERS:
            return wrapped(self.facts, node, self.torch("stack", call))
        return wrapped(self.facts, node, self.torch("as_tensor", call)) if mixed else []

    def _settings(self, call: ast.Call, wanted: str) -> list[Edit] | None:
        """The keywords, as torch names them; None if it has no such."""
        allowed = _ALLOWED.get(wanted, _REDUCED if wanted in NUMPY_REDUCTIONS else frozenset())
        if any(k.arg not in allowed for k in call.keywords):
            return None
        edits: list[Edit] = []
        spread = "0"
        for keyword in call.keywords:
            if keyword.arg in _RENAMED:
                edits += self._rename(keyword, _RENAMED[keyword.arg])
            elif keyword.arg == "ddof":
                edits += self._rename(keyword, "correction")
                spread = ""
        if wanted == "cumsum" and not call.keywords and len(call.args) == 1:
            edits += self._also(call, "dim=0")
        if wanted in NUMPY_SPREAD and spread:
            edits += self._also(call, "correction=0")
        return edits

    def _rename(self, keyword: ast.keyword, name: str) -> list[Edit]:
        start = self.facts.source.span(keyword.value)[0]
        old = keyword.arg or ""
        at = self.facts.source.text.rfind(old, 0, start)
        return [Edit(at, at + len(old), name)]

    def _also(self, call: ast.Call, argument: str) -> list[Edit]:
        """One more argument, the last of the call."""
        parts: list[ast.expr] = [*call.args, *(k.value for k in call.keywords)]
        if not parts:
            at = self.facts.source.span(call)[1] - 1
            return [Edit(at, at, argument)]
        at = max(self.facts.source.span(part)[1] for part in parts)
        text = self.facts.source.text
        while text[at] in " )" and at < self.facts.source.span(call)[1] - 1:
            at += 1
        return [Edit(at, at, f", {argument}")]

    def method(self, call: ast.Call, name: str) -> list[Edit] | None:
        """`array.name(...)`: the edits, or None if torch has no such method."""
        assert isinstance(call.func, ast.Attribute)
        if name == "astype":
            return self._astype(call)
        wanted = ARRAY_METHODS.get(name)
        if wanted is None:
            return None
        if name in ("item", "tolist"):
            return unwrapped(self.facts, call, call.func.value)
        settings = self._settings(call, wanted)
        if settings is None:
            return None
        end = self.facts.source.span(call.func)[1]
        return [Edit(end - len(name), end, wanted), *settings]

    def _astype(self, call: ast.Call) -> list[Edit] | None:
        assert isinstance(call.func, ast.Attribute)
        if len(call.args) != 1 or call.keywords:
            return None
        kind = call.args[0]
        text = kind.value if isinstance(kind, ast.Constant) else last_name(kind)
        wanted = DTYPES.get(text) if isinstance(text, str) else None
        if wanted is None:
            return None
        end = self.facts.source.span(call.func)[1]
        edits = [Edit(end - len("astype"), end, "to")]
        return [*edits, *replaced(self.facts, kind, self.torch(wanted, call))]
