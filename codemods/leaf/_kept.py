"""Is a value kept as a parameter: registered, optimized, or asked for its gradient?"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from enum import Enum

from autofix.codemods.leaf._operations import Chain, Tier, chain_from, step
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import ClassInfo, Instance
from autofix.flow.torch_api import is_optimizer
from autofix.flow.uses import ADDING, Use, uses_in
from autofix.flow.values import Kind


class How(Enum):
    REGISTERED = "an attribute of a module"
    OPTIMIZED = "given to an optimizer"
    GRADIENT = "asked for its `.grad`"
    LISTED = "kept in a list or dict of a module"
    ATTRIBUTE = "kept as an attribute"
    RETURNED = "returned"


CERTAIN = frozenset({How.REGISTERED, How.OPTIMIZED, How.GRADIENT})
_QUERIES = frozenset(
    {"data", "shape", "dtype", "device", "ndim", "is_leaf", "requires_grad", "is_cuda", "layout"}
)
_LOOKED_AT = frozenset({"print", "len", "isinstance", "type", "repr", "str", "id"})


@dataclass(frozen=True, slots=True)
class Keep:
    how: How
    use: Use
    attribute: str | None = None
    path: tuple[Chain, ...] = ()
    """The operations that the value went through after the Parameter was lost."""


def all_uses(facts: Facts, node: ast.expr) -> list[Use]:
    """Every use of a value, also of what returns the value itself: `nn.init.zeros_(p)`."""
    todo: list[tuple[ast.expr, ast.expr | None]] = [(node, None)]
    seen = {node}
    found: dict[Use, None] = {}
    while todo:
        for use in uses_in(facts).follow(*todo.pop()):
            found[use] = None
            if use.contained or use.stored or not _may_return_it(facts, use):
                continue
            same = step(facts, use.node)
            if same is not None and same.tier == Tier.SAME and same.node not in seen:
                seen.add(same.node)
                todo.append((same.node, use.origin))
    return list(found)


def _may_return_it(facts: Facts, use: Use) -> bool:
    """By the name alone, and only where something is done with what is returned."""
    call = use.user
    name = last_name(call) if isinstance(call, ast.Attribute) else None
    if isinstance(call, ast.Attribute):
        call = facts.index.parents[call]
    elif isinstance(call, ast.Call):
        name = last_name(call.func)
    return bool(name and name.endswith("_")) and not isinstance(
        facts.index.parents.get(call), ast.Expr
    )


def direct_keeps(facts: Facts, uses: list[Use]) -> list[Keep]:
    """How a value with these uses is kept, itself."""
    if any(_gets_own_gradient(facts, use) for use in uses):
        return []
    return [keep for use in uses if (keep := _kept_by(facts, use)) is not None]


def keeps(facts: Facts, chain: Chain, before: tuple[Chain, ...] = ()) -> list[Keep]:
    """How the result of `chain` is kept as a parameter, if need be by way of more operations
    after each of which the name is bound again (`w = w.view(2, 3)`)."""
    path = (*before, chain)
    uses = all_uses(facts, chain.node)
    found = [replace(keep, path=path) for keep in direct_keeps(facts, uses)]
    for use in uses:
        if use.contained or use.stored or len(path) > 4:
            continue
        after = chain_from(facts, use.node)
        name = rebound(facts, after.node) if after is not None else None
        if after is not None and after not in path and name and name == last_name(use.node):
            found += keeps(facts, after, path)
    return found


def rebound(facts: Facts, node: ast.expr) -> str | None:
    """`w` of `w = <node>`."""
    match facts.index.parents.get(node):
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return None


def _gets_own_gradient(facts: Facts, use: Use) -> bool:
    """`grid.retain_grad()`: the author knows that it is no leaf."""
    if isinstance(use.user, ast.Attribute):
        return use.user.attr in ("retain_grad", "register_hook", "grad_fn")
    if isinstance(use.user, ast.Call):
        return (facts.library_name(use.user.func) or "").startswith("torch.autograd.")
    return False


def _kept_by(facts: Facts, use: Use) -> Keep | None:
    user = use.user
    if use.stored:
        return _stored(facts, use)
    if isinstance(user, ast.Call):
        return _given(facts, use, user)
    if isinstance(user, ast.Attribute) and user.attr == "grad" and not use.contained:
        return Keep(How.GRADIENT, use)
    if isinstance(user, ast.Return):
        function = facts.index.function_of(user)
        if function is None or facts.index.class_of(function) is not None:
            return None  # what the callers of a method do with it is anybody's guess
        if not uses_in(facts).calls_of(function):
            return Keep(How.RETURNED, use)
    return None


def _stored(facts: Facts, use: Use) -> Keep | None:
    target = use.node
    if not isinstance(target, ast.Attribute) or target.attr in ("data", "grad", "__dict__"):
        return None
    how = _owner(facts, target.value)
    if how is None:
        return None
    if use.contained:
        if _converts(facts, target):
            return None
        how = How.LISTED if how == How.REGISTERED else How.ATTRIBUTE
    return Keep(how, use, target.attr)


def _owner(facts: Facts, owner: ast.expr) -> How | None:
    """Whose attribute is set: a module's, another object's, or nobody knows whose."""
    value = facts.value(owner)
    if isinstance(value.ref, Instance):
        return How.REGISTERED if is_module(value.ref.info) else How.ATTRIBUTE
    if value.kind == Kind.MODULE:
        return How.REGISTERED
    node, function = facts.index.class_of(owner), facts.index.function_of(owner)
    me = function.args.args[0].arg if function is not None and function.args.args else None
    info = facts.program.classes.get(node) if node is not None else None
    if info is not None and isinstance(owner, ast.Name) and owner.id == me:
        return How.REGISTERED if is_module(info) else How.ATTRIBUTE
    return How.ATTRIBUTE if value.kind & Kind.UNKNOWN else None


def is_module(info: ClassInfo) -> bool:
    """A module, also one whose base class is in another file: it has a `forward`."""
    if info.is_module:
        return True
    if info.is_autograd_function or not info.foreign_bases:
        return False
    forward = info.find("forward")
    return forward is not None and forward.kind == Kind.FUNCTION


def _converts(facts: Facts, node: ast.expr) -> bool:
    """A ParameterList makes a Parameter of each tensor it is given."""
    value = facts.value(node)
    return value.kind == Kind.MODULE


def _given(facts: Facts, use: Use, call: ast.Call) -> Keep | None:
    name = last_name(call.func)
    if name == "register_parameter" and isinstance(call.func, ast.Attribute):
        return Keep(How.REGISTERED, use, _constant(call.args[0]) if call.args else None)
    if name == "setattr" and isinstance(call.func, ast.Name) and len(call.args) == 3:
        how = _owner(facts, call.args[0])
        return Keep(how, use, _constant(call.args[1])) if how is not None else None
    if name in ADDING and isinstance(call.func, ast.Attribute):
        return None  # followed through the container
    if name == "add_param_group" or _optimizer(facts, call):
        return Keep(How.OPTIMIZED, use)
    if use.contained and any(k.arg == "lr" for k in call.keywords):
        known = name in uses_in(facts).names.definitions
        return None if known else Keep(How.OPTIMIZED, use)  # of a class that is chosen elsewhere
    return None


def _constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _optimizer(facts: Facts, call: ast.Call) -> bool:
    dotted = facts.library_name(call.func)
    if dotted is None:
        return facts.value(call).kind == Kind.OPTIMIZER
    return is_optimizer(dotted) or (
        ".optim" in dotted
        and dotted.rpartition(".")[2][:1].isupper()
        and "lr_scheduler" not in dotted
    )


def is_initialiser(facts: Facts, node: ast.AST) -> bool:
    """Is `node` run when the object is made, and not again for each input?"""
    function = facts.index.function_of(node)
    return isinstance(function, FUNCTIONS) and function.name in (
        "__init__",
        "__post_init__",
        "setup",
    )


def harmless(facts: Facts, use: Use) -> bool:
    """A use that works as well on the plain tensor, or before the Parameter is made anew."""
    return transparent(facts, use) or (
        isinstance(use.user, ast.Call) and last_name(use.user.func) in _LOOKED_AT
    )


def transparent(facts: Facts, use: Use) -> bool:
    user = use.user
    if isinstance(user, ast.Call):
        dotted = facts.library_name(user.func) or ""
        return dotted.startswith("torch.nn.init.")
    if not isinstance(user, ast.Attribute):
        return False
    method = torch_api.method(user.attr)
    if user.attr.endswith("_"):
        return True
    return user.attr in _QUERIES or (
        method is not None and method.ret in ("sizes", "number", "bool")
    )


def without_gradient(facts: Facts, node: ast.AST) -> bool:
    """Does `node` stand under `no_grad` or `inference_mode`, as a statement or a decorator?"""
    for owner in facts.index.ancestors(node):
        found: list[ast.expr] = []
        if isinstance(owner, (ast.With, ast.AsyncWith)):
            found = [item.context_expr for item in owner.items]
        elif isinstance(owner, FUNCTIONS):
            found = owner.decorator_list
        names = {last_name(f.func if isinstance(f, ast.Call) else f) for f in found}
        if names & {"no_grad", "inference_mode"}:
            return True
    return False
