"""Does a tensor hold floats, as far as the values it is made of tell?"""

from __future__ import annotations

import ast
from typing import TypeGuard

from autofix.flow.class_table import Store
from autofix.flow.index import last_name
from autofix.flow.values import FLOATING, Value
from autofix.flow.walk import walk


def is_floating(value: Value, store: Store) -> bool:
    """Also `torch.full(size, fill)` where the fill is made by a division, or of a float."""
    if value.dtype is not None:
        return value.dtype in FLOATING
    assert store.value is not None
    spec = store.method.args
    defaults = zip(reversed(spec.args), reversed(spec.defaults), strict=False)
    floats = {a.arg for a, d in defaults if isinstance(getattr(d, "value", None), float)}
    fills = [n.args[1] for n in walk(store.value) if _is_full(n) and len(n.args) > 1]
    return bool(fills) and all(any(_is_float(n, floats) for n in walk(fill)) for fill in fills)


def _is_full(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and last_name(node.func) == "full"
        and not any(k.arg == "dtype" for k in node.keywords)
    )


def _is_float(node: ast.AST, floats: set[str]) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    return isinstance(node, ast.Div) or (isinstance(node, ast.Name) and node.id in floats)
