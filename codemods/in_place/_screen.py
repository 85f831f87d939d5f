"""Writes of which the syntax says that they break nothing, which spares most of a file: the memory
is new, and nothing has read it before. (Whatever does, has perhaps kept it for a backward pass.)"""

from __future__ import annotations

import ast

from autofix.flow import torch_api
from autofix.flow.class_table import How, methods_of, stores_of
from autofix.flow.evidence import static_name
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.op_memory import SPREADING
from autofix.flow.syntax import unsubscripted
from autofix.flow.torch_api import Op
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind

_FORGETFUL = (ast.Add, ast.Sub)
"""Operators that keep nothing."""
_COMPUTED = (*_FORGETFUL, ast.Mult, ast.Div, ast.MatMult)
"""Operators whose result nobody keeps."""
_ASKED = frozenset({"shape", "dtype", "device", "ndim", "size", "dim", "numel", "new_zeros"})
"""Whoever asks for these keeps nothing of a tensor's memory."""


def writes_no_tensor(node: ast.Assign | ast.AugAssign, target: ast.expr, facts: Facts) -> bool:
    """`state["step"] = 1`, `names += ["w"]`, `rows[i] = x` where `rows` is a list."""
    if isinstance(node, ast.AugAssign) and _is_container(node.value):
        return True
    changed = target
    if isinstance(node, ast.Assign) and isinstance(target, ast.Subscript):
        if _is_text(target.slice):
            return True
        if _is_key(target.slice, facts) and not _is_made_by_torch(target.value, facts):
            return True
        if _is_keyed(target.value, facts):
            return True
        if is_reshaped_slot(target, facts):
            return True
        changed = target.value
    bound = _values_of(changed, facts)
    return bool(bound) and all(map(_is_plain, bound))


def is_reshaped_slot(target: ast.expr, facts: Facts) -> bool:
    """Is `x[i] = x[i].view(n, -1)` met in the function, too? A list takes what is shaped in another
    way, a tensor would have to spread it."""
    function = facts.index.function_of(target)
    if not isinstance(target, ast.Subscript):
        return False
    slot = ast.dump(target.slice), ast.dump(target.value)
    return function is not None and any(
        isinstance(node, ast.Assign)
        and isinstance(taken := _reshaped(node.value), ast.Subscript)
        and slot == (ast.dump(taken.slice), ast.dump(taken.value))
        and any(ast.dump(one) == ast.dump(target) for one in node.targets)
        for node in facts.index.body_nodes(function)
    )


def _reshaped(value: ast.expr) -> ast.expr | None:
    """What a chain of methods begins with, if one of them gives it another shape."""
    found = False
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        found = found or value.func.attr in ("view", "reshape", "flatten", "unsqueeze")
        value = value.func.value
    return value if found else None


def writes_new_memory(target: ast.expr, statement: ast.stmt, facts: Facts) -> bool:
    """Is what is written new, and has nothing kept it before?"""
    base = unsubscripted(target)
    if not isinstance(base, ast.Name):
        return _is_new(base, facts)
    stores = _stores(base, facts)
    before = [s for s in stores or () if _may_be_before(s, stores or [], statement, facts)]
    bound = [parent.value for s in before if (parent := _assignment(s, facts)) is not None]
    if not stores or len(bound) < len(before) or not before:
        return False
    again = [value for value in bound if not _is_new(value, facts)]
    if len(again) == len(bound) or not all(_is_view_of(value, base.id) for value in again):
        return False
    return not any(
        _may_be_before(read, stores, statement, facts) and _may_keep(read, base.id, facts)
        for read in uses_in(facts).names.all_loads(base)
        if read is not base
    )


def _may_be_before(
    name: ast.Name, stores: list[ast.Name], statement: ast.stmt, facts: Facts
) -> bool:
    """Can a name be met before a write, in this turn of a loop or in one before?"""
    index = facts.index
    if index.function_of(name) is not index.function_of(statement):
        return True
    end = (statement.end_lineno or statement.lineno, statement.end_col_offset or 0)
    if (name.lineno, name.col_offset) < end:
        return True
    around = index.ancestors(name)
    return any(
        loop in around and not all(loop in index.ancestors(store) for store in stores)
        for loop in index.loops_around(statement)
    )


def _may_keep(node: ast.expr, name: str, facts: Facts) -> bool:
    """May an operation keep the tensor `node`, which is (a view of) that of a name?"""
    parent = facts.index.parents.get(node)
    match parent:
        case ast.Attribute(attr=attribute):
            call = facts.index.parents.get(parent)
            if attribute in _ASKED or not isinstance(call, ast.Call) or call.func is not parent:
                return attribute not in _ASKED
            known = torch_api.method(attribute)
            if known is None or known.saves or known.alias == "self":
                return True
            return known.alias is not None and _may_keep(call, name, facts)
        case ast.Subscript(value=owner, ctx=ast.Load()) if owner is node:
            return _may_keep(parent, name, facts)
        case ast.Subscript(value=owner) if owner is node:
            user = facts.index.parents.get(parent)
            plainly = isinstance(user, ast.AugAssign) and isinstance(user.op, _FORGETFUL)
            return not (plainly or isinstance(user, ast.Assign))
        case ast.BinOp(op=op) | ast.AugAssign(op=op):
            return not isinstance(op, _FORGETFUL)
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if value is node:
            return target != name
    return not isinstance(parent, (ast.Compare, ast.Expr))


def _values_of(owner: ast.expr, facts: Facts) -> list[ast.expr]:
    """All that is assigned to a local name, or by a class to an attribute of its objects; none if
    something is bound in another way."""
    match owner:
        case ast.Name():
            stores = _stores(owner, facts)
            found = [_assignment(store, facts) for store in stores or ()]
            return [each.value for each in found if each is not None] if None not in found else []
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            scope = facts.index.class_of(owner)
            if scope is None:
                return []
            made = [
                store
                for method in methods_of(scope)
                for store in stores_of(method, scope)
                if store.attribute == name and store.how in (How.ASSIGNED, How.BUFFER)
            ]
            values = [store.value for store in made if store.value is not None]
            return values if len(values) == len(made) else []
    return []


def _stores(name: ast.Name, facts: Facts) -> list[ast.Name] | None:
    """Where a local name is bound, but for `name += 1`; None if it is an argument, too."""
    function = facts.index.function_of(name)
    if function is None:
        return None
    spec = function.args
    named = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    if any(argument is not None and argument.arg == name.id for argument in named):
        return None
    return [
        store
        for store in uses_in(facts).names.stores(name)
        if not isinstance(facts.index.parents.get(store), ast.AugAssign)
    ]


def _assignment(store: ast.Name, facts: Facts) -> ast.Assign | None:
    parent = facts.index.parents.get(store)
    return parent if isinstance(parent, ast.Assign) else None


def _is_view_of(value: ast.expr, name: str) -> bool:
    """`x.permute(1, 2, 0).contiguous()` of `x`"""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        op = torch_api.method(value.func.attr)
        if op is None or op.alias not in ("view", "maybe") or op.ret != "tensor":
            return False
        if value.func.attr in SPREADING:
            return False
        value = value.func.value
    return isinstance(value, ast.Name) and value.id == name


def _is_made_by_torch(owner: ast.expr, facts: Facts) -> bool:
    """`layer.weight`, or a name for what torch has made, or a function of this file perhaps."""
    if isinstance(owner, ast.Attribute) and owner.attr in ("weight", "bias"):
        return True
    return any(
        _is_by_torch(value, facts)
        for value in _values_of(owner, facts)
        if isinstance(value, ast.Call)
    )


def _is_by_torch(call: ast.Call, facts: Facts) -> bool:
    if (facts.library_name(call.func) or "").startswith("torch."):
        return True
    name = last_name(call.func) or ""
    method = torch_api.method(name) if isinstance(call.func, ast.Attribute) else None
    if method is not None and method.ret == "tensor" and not hasattr(dict, name):
        return True
    return any(function.name == name for function in facts.index.of_kind(ast.FunctionDef))


def _is_key(index: ast.expr, facts: Facts) -> bool:
    """`key` of `for key, value in found.items()`"""
    if not isinstance(index, ast.Name):
        return False
    stores = uses_in(facts).names.stores(index)
    return bool(stores) and all(_is_bound_to_keys(store, facts) for store in stores)


def _is_keyed(owner: ast.expr, facts: Facts) -> bool:
    """Does the function read it by a string as well: `data["rows"]`, `data[NAME]`?"""
    function = facts.index.function_of(owner)
    if function is None or not isinstance(owner, ast.Name):
        return False
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == owner.id
        and (_is_text(node.slice) or _is_string(node.slice, facts))
        for node in facts.index.body_nodes(function)
    )


def _is_string(index: ast.expr, facts: Facts) -> bool:
    named = isinstance(index, (ast.Name, ast.Attribute))
    return named and facts.value(index).kind == Kind.STRING


def _is_bound_to_keys(store: ast.Name, facts: Facts) -> bool:
    parent = facts.index.parents.get(store)
    if isinstance(parent, ast.Tuple) and parent.elts[0] is store:
        parent = facts.index.parents.get(parent)
    return (
        isinstance(parent, (ast.For, ast.comprehension))
        and isinstance(parent.iter, ast.Call)
        and last_name(parent.iter.func) in ("items", "keys")
    )


def _is_new(value: ast.expr, facts: Facts) -> bool:
    """Does the expression give memory that nothing else has, not even what computed it?"""
    match value:
        case ast.BinOp(op=op):
            return isinstance(op, _COMPUTED)
        case ast.Call(keywords=keywords) if not any(
            k.arg in (None, "requires_grad", "out", "inplace") for k in keywords
        ):
            made = _operation(value, facts)
            if made is None or made.ret != "tensor" or "result" in made.saves:
                return False
            if last_name(value.func) in SPREADING:
                return False
            if made.alias is None:
                return True
            owner = value.func.value if isinstance(value.func, ast.Attribute) else None
            return made.alias != "self" and isinstance(owner, ast.Call) and _is_new(owner, facts)
    return False


def _operation(call: ast.Call, facts: Facts) -> Op | None:
    """What torch does at a call, if it is one of a function of a library or of a method."""
    dotted = static_name(call.func, facts.program.module)
    if dotted is not None:
        return torch_api.function(dotted)
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if owner is None or (isinstance(owner, ast.Name) and owner.id in ("self", "cls")):
        return None
    return torch_api.method(call.func.attr)  # type: ignore[attr-defined]


def _is_container(value: ast.expr) -> bool:
    return _is_text(value) or isinstance(value, (ast.List, ast.Tuple, ast.ListComp, ast.Dict))


def _is_text(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str)
    return isinstance(value, ast.JoinedStr)


def _is_plain(value: ast.expr) -> bool:
    """A number, a string, a list or the like, as it is written."""
    match value:
        case ast.Constant() | ast.JoinedStr() | ast.List() | ast.ListComp() | ast.Dict():
            return True
        case ast.UnaryOp(operand=inner):
            return _is_plain(inner)
        case ast.Call(func=ast.Name(id="len" | "int" | "float" | "str" | "list" | "set")):
            return True
    return False
