"""Lists of numbers that numpy makes an array of, on their way to a tensor."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name


def listed_in_array(data: ast.expr, facts: Facts) -> tuple[ast.expr | None, str]:
    """The list in `np.array([x.item(), y.item()])`, and the constructor of torch that gives the
    dtype of the array: float64, if nothing else is said."""
    match data:
        case ast.Call(func=ast.Attribute(value=inner, attr="astype"), args=[kind], keywords=[]):
            made = _of_dtype(kind)
            return (listed_in_array(inner, facts)[0], made) if made else (None, "")
        case ast.Call(args=[(ast.List() | ast.ListComp()) as listed, *rest], keywords=keywords):
            name = facts.library_name(data.func) or ""
            if name == "numpy.float32" and not (rest or keywords):
                return listed, "FloatTensor"
            if name not in ("numpy.array", "numpy.asarray"):
                return None, ""
            kinds = [*rest, *(k.value for k in keywords if k.arg == "dtype")]
            if not kinds and not keywords:
                return listed, "from_numpy"
            if len(kinds) == 1 and len(rest) + len(keywords) == 1:
                made = _of_dtype(kinds[0])
                return (listed, made) if made else (None, "")
    return None, ""


def _of_dtype(kind: ast.expr) -> str | None:
    name = kind.value if isinstance(kind, ast.Constant) else last_name(kind)
    return _MADE.get(name) if isinstance(name, str) else None


_MADE = {"float32": "FloatTensor", "single": "FloatTensor", "float64": "from_numpy"}
_MADE |= {"double": "from_numpy", "float": "from_numpy"}
"""By the dtype of an array, the constructor of torch that gives it."""
