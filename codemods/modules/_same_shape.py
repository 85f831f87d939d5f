"""Does an expression have the shape of the parameter that it is computed from?"""

from __future__ import annotations

import ast

from autofix.flow.class_table import How
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import Closure
from autofix.flow.syntax import is_true, keyword, mentions
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.values import Dim
from autofix.flow.walk import walk

Shape = tuple[Dim, ...] | None

_KEEPING = frozenset(
    "abs absolute clamp clamp_min clamp_max clip clone contiguous data detach div divide exp mul "
    "multiply sub subtract add neg normalize relu round sigmoid sign softmax log_softmax softplus "
    "sqrt square tanh tril triu nan_to_num renorm cumsum flip roll hardtanh".split()
)
_REDUCING = frozenset({"norm", "sum", "mean", "std", "var", "max", "min", "amax", "amin"})


def depends_on(facts: Facts, node: ast.expr, target: ast.expr) -> bool:
    """Does `node` read what `target` names, also by way of names that are bound once?"""
    if _reads(node, target):
        return True
    made = [meaning(facts, n) for n in walk(node) if isinstance(n, ast.Name)]
    return any(one is not None and depends_on(facts, one, target) for one in made)


def _reads(node: ast.expr, target: ast.expr) -> list[ast.expr]:
    """Where an expression is written like `target`, which may also be `getattr(layer, name)`."""
    if isinstance(target, (ast.Name, ast.Attribute)):
        return [*mentions(node, ast.unparse(target))]
    same = (n for n in walk(node) if isinstance(n, type(target)))
    return [n for n in same if ast.unparse(n) == ast.unparse(target)]


def meaning(facts: Facts, name: ast.Name) -> ast.expr | None:
    """What a name stands for, where only one assignment of the function can have set it."""
    names = uses_in(facts).names
    stores = [one for one in names.stores(name) if name in names.loads(one)]
    made = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
    return made.value if isinstance(made, ast.Assign) and made.targets == stores else None


def same_shape(facts: Facts, node: ast.expr, target: ast.expr) -> bool:
    if ast.unparse(node) == ast.unparse(target):
        return True
    match node:
        case ast.Name() if (made := meaning(facts, node)) is not None:
            return same_shape(facts, made, target)
        case ast.Attribute(value=inner, attr="data"):
            return same_shape(facts, inner, target)
        case ast.UnaryOp(operand=inner):
            return same_shape(facts, inner, target)
        case ast.BinOp(left=left, right=right) if not isinstance(node.op, ast.MatMult):
            return (same_shape(facts, left, target) and _fits(facts, right, target)) or (
                same_shape(facts, right, target) and _fits(facts, left, target)
            )
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name.rstrip("_") in _KEEPING:
            if same_shape(facts, owner, target) and all(_fits(facts, a, target) for a in node.args):
                return True
            first = node.args[0] if node.args else None
            library = (facts.library_name(node.func) or "").startswith("torch.")
            return first is not None and library and same_shape(facts, first, target)
        case ast.Call(args=args) if (plain := _computed_by(facts, node)) is not None:
            at = next((i for i, one in enumerate(args) if same_shape(facts, one, target)), None)
            if at is not None and at < len(plain[0]) and same_shape(facts, plain[1], plain[0][at]):
                return True
    value = facts.value(node)
    wanted = facts.value(target).shape or _read_shape(facts, node, target)
    known = value.shape is not None and None not in value.shape
    return value.is_tensor and known and value.shape == wanted


def _computed_by(facts: Facts, call: ast.Call) -> tuple[list[ast.expr], ast.expr] | None:
    """The parameters of a function of this file that does nothing but return an expression, and
    the expression."""
    ref = facts.value(call.func).ref
    if not isinstance(ref, Closure) or ref.bound_to is not None or is_foreign(ref.node):
        return None
    match ref.node:
        case ast.FunctionDef(body=[ast.Return(value=ast.expr() as value)], decorator_list=[]):
            names = [a.arg for a in (*ref.node.args.posonlyargs, *ref.node.args.args)]
            return [ast.Name(name, ast.Load()) for name in names], value
    return None


def masked(facts: Facts, node: ast.expr, target: ast.expr) -> bool:
    """`weight * masks[name]`: whatever would not fit the parameter, no layer could use."""
    if isinstance(node, ast.Attribute) and node.attr == "data":
        return masked(facts, node.value, target)
    if isinstance(node, ast.Name) and (made := meaning(facts, node)) is not None:
        return masked(facts, made, target)
    factors = _factors(node)
    wanted = facts.value(target).shape or _read_shape(facts, node, target)
    for mine, other in (factors, factors[::-1]) if factors else ():
        if same_shape(facts, mine, target) and not depends_on(facts, other, target):
            return _may_be_equal(facts.value(other).shape, wanted)
    return False


def _may_be_equal(shape: Shape, wanted: Shape) -> bool:
    if shape is None or wanted is None:
        return True
    sizes = [pair for pair in zip(shape, wanted, strict=False) if None not in pair]
    told = all(a == b for a, b in sizes if isinstance(a, int) and isinstance(b, int))
    return len(shape) == len(wanted) and told


def _factors(node: ast.expr) -> tuple[ast.expr, ...]:
    """`a` and `b` of `a * b`, `a.mul(b)` and `torch.mul(a, b)`."""
    match node:
        case ast.BinOp(left=left, right=right, op=ast.Mult()):
            return left, right
        case ast.Call(func=func, args=[left, right], keywords=[]) if last_name(func) == "mul":
            return left, right
        case ast.Call(func=ast.Attribute(value=left, attr="mul"), args=[right], keywords=[]):
            return left, right
    return ()


def _read_shape(facts: Facts, node: ast.expr, target: ast.expr) -> Shape:
    found = _reads(node, target)
    return facts.value(found[0]).shape if found else None


def _fits(facts: Facts, node: ast.expr, target: ast.expr) -> bool:
    """A number, a reduction of the parameter that broadcasts against it, something as large, or a
    buffer that is kept beside it, such as a mask."""
    if isinstance(node, ast.Constant) or facts.value(node).is_number or facts.value(node).is_scalar:
        return True
    if isinstance(node, ast.Attribute) and _is_buffer(facts, node):
        return True
    if isinstance(node, ast.Call):
        name = last_name(node.func)
        if name in _REDUCING:
            bare = not node.keywords and not node.args
            kept = is_true(keyword(node, "keepdim"))
            return depends_on(facts, node, target) and (kept or bare or _only(facts, node, target))
        if name in ("clamp", "clamp_min", "add", "sqrt", "max", "maximum", "item", "detach"):
            inner = node.func.value if isinstance(node.func, ast.Attribute) else node
            return inner is not node and _fits(facts, inner, target)
    if isinstance(node, ast.BinOp):
        return _fits(facts, node.left, target) and _fits(facts, node.right, target)
    if isinstance(node, ast.Name):
        made = meaning(facts, node)
        return facts.value(node).is_number or (made is not None and _fits(facts, made, target))
    return same_shape(facts, node, target) if depends_on(facts, node, target) else False


def _is_buffer(facts: Facts, node: ast.Attribute) -> bool:
    owner = facts.index.class_of(node)
    table = facts.class_table(owner) if owner is not None else None
    made = table.stores.get(node.attr, []) if table is not None else []
    return any(store.how == How.BUFFER for store in made)


def _only(facts: Facts, node: ast.Call, target: ast.expr) -> bool:
    """`torch.norm(self.w)`"""
    only = len(node.args) == 1 and not node.keywords
    return only and depends_on(facts, node.args[0], target)
