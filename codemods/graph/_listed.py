"""Lists that become a tensor: of plain data, of a rotation, and by way of an array of numpy."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in


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


def is_plain_data(data: ast.expr) -> bool:
    """Numbers and strings only: the usual case, decided without any analysis."""
    if isinstance(data, (ast.List, ast.Tuple)):
        return all(is_plain_data(element) for element in data.elts)
    if isinstance(data, ast.UnaryOp):
        return is_plain_data(data.operand)
    return isinstance(data, ast.Constant)


def is_reflection(data: ast.expr, facts: Facts) -> bool:
    """`[[1, 0, 0], [0, 1, 0], [0, 0, det(v @ u.t())]]`: the determinant of a rotation is 1 or -1,
    and has no gradient to lose."""
    parts = [data]
    for part in parts:  # grows while it is read
        parts += part.elts if isinstance(part, (ast.List, ast.Tuple)) else []
    inner = [p for p in parts if not isinstance(p, (ast.List, ast.Tuple))]
    computed = [p for p in inner if not is_plain_data(p)]
    return len(computed) < len(inner) and all(_is_sign(p, facts) for p in computed)


def _is_sign(node: ast.expr, facts: Facts) -> bool:
    """`det(v @ u.t())`, `sign(...)`, or a name for nothing else."""
    if isinstance(node, ast.Name):
        stores = [facts.index.parents.get(s) for s in uses_in(facts).names.stores(node)]
        made = [one.value for one in stores if isinstance(one, ast.Assign)]
        return 0 < len(made) == len(stores) and all(_is_sign(one, facts) for one in made)
    return isinstance(node, ast.Call) and last_name(node.func) in ("det", "sign")
