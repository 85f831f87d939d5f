"""Whose flag is set by `owner.requires_grad = ...`, and how it is set rightly."""

from __future__ import annotations

import ast
from enum import Enum

from autofix.codemods.leaf._kept import is_module
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import Instance
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.model import Edit

_RIGHT = "requires_grad"
_OF_MODULES = frozenset(
    {"parameters", "named_parameters", "state_dict", "load_state_dict", "children", "modules"}
    | {"named_children", "named_modules", "zero_grad", "eval", "train", "register_buffer"}
)
_PARTS = frozenset({"children", "modules", "named_children", "named_modules"})
_PARAMETERS = frozenset({"parameters", "named_parameters"})
_TENSORS = frozenset({"weight", "bias", "p", "param", "params", "parameter", "tensor"})
_USUAL = frozenset(
    {"features", "classifier", "fc", "conv1", "layer1", "layer2", "layer3", "layer4", "encoder"}
    | {"decoder", "embeddings", "embedding", "backbone", "head", "base_model", "transformer"}
)


class Owner(Enum):
    TENSOR = "a tensor"
    MODULE = "a module"
    GENERATOR = "what `parameters()` gives"
    UNKNOWN = "not known"
    OTHER = "something that may have such an attribute"


def is_typo(name: str) -> bool:
    """One or two letters away from `requires_grad`."""
    if name in (_RIGHT, f"{_RIGHT}_") or abs(len(name) - len(_RIGHT)) > 2 or name[0] != "r":
        return False
    return _distance(name, _RIGHT) <= 2


def _distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def owner_of(facts: Facts, node: ast.expr) -> Owner:
    """What kind of thing the flag is set on."""
    match node:
        case ast.Call(func=ast.Attribute(attr="parameters"), args=[], keywords=[]):
            return Owner.GENERATOR
        case ast.Name(id="self" | "cls"):
            return Owner.OTHER
    value = facts.value(node)
    if isinstance(value.ref, Instance):
        return Owner.MODULE if is_module(value.ref.info) else Owner.OTHER
    if value.kind == Kind.MODULE:
        return Owner.MODULE
    if value.kind & Kind.TENSOR:
        return Owner.TENSOR
    if not value.kind & Kind.UNKNOWN:
        return Owner.OTHER
    return _by_use(facts, node)


def _by_use(facts: Facts, node: ast.expr) -> Owner:
    """By what else the file does with it, where the analysis does not know it."""
    name = last_name(node)
    if _is_asked_for(facts, node):
        return Owner.TENSOR
    source = _loop_source(facts, node)
    if source is not None:
        return Owner.MODULE if source in _PARTS else Owner.TENSOR
    if name in _TENSORS or (name or "").endswith(("_weight", "_bias")):
        return Owner.TENSOR
    if _used_as_module(facts, node) or _set_to_module(facts, node):
        return Owner.MODULE
    if isinstance(node, ast.Attribute) and name in _USUAL:
        around = owner_of(facts, node.value)
        if around == Owner.MODULE:
            return Owner.MODULE
    return Owner.UNKNOWN


def _is_asked_for(facts: Facts, node: ast.expr) -> bool:
    """`if isinstance(x, nn.Parameter):` around it (in code that nothing is seen to come by)."""
    inner: ast.AST = node
    for owner in facts.index.ancestors(node):
        if isinstance(owner, ast.If) and inner in owner.body:
            match owner.test:
                case ast.Call(func=ast.Name(id="isinstance"), args=[subject, kind]):
                    asked = (last_name(kind) or "").endswith(("Parameter", "Tensor"))
                    if asked and ast.dump(subject) == ast.dump(_read(node)):
                        return True
        inner = owner
    return False


def _read(node: ast.expr) -> ast.expr:
    copy: ast.expr = ast.parse(ast.unparse(node), mode="eval").body
    return copy


def _loop_source(facts: Facts, node: ast.expr) -> str | None:
    """`parameters` of `for node in model.parameters()`, `for name, node in ...`."""
    if not isinstance(node, ast.Name):
        return None
    for owner in facts.index.ancestors(node):
        if isinstance(owner, (ast.For, ast.comprehension)) and any(
            isinstance(n, ast.Name) and n.id == node.id for n in ast.walk(owner.target)
        ):
            calls = [n for n in ast.walk(owner.iter) if isinstance(n, ast.Call)]
            names = [last_name(c.func) or "" for c in calls]
            return next((n for n in names if n in _PARTS | _PARAMETERS), None)
    return None


def _used_as_module(facts: Facts, node: ast.expr) -> bool:
    """Does the file call `node.parameters()`, `node.eval()` or the like, or the thing itself?"""
    wanted, calls = ast.unparse(node), uses_in(facts).names.calls
    if any(ast.unparse(call.func) == wanted for call in calls.get(last_name(node) or "", ())):
        return True
    return any(
        ast.unparse(read.value) == wanted
        for name in sorted(_OF_MODULES)
        for read in uses_in(facts).names.attributes.get(name, ())
        if isinstance(facts.index.parents.get(read), ast.Call)
    )


def _set_to_module(facts: Facts, node: ast.expr) -> bool:
    """`model.stem`, and every class of this file that sets `self.stem` sets it to a Module."""
    if not isinstance(node, ast.Attribute):
        return False
    found = [facts.index.parents.get(s) for s in uses_in(facts).names.stored.get(node.attr, ())]
    values = [p.value for p in found if isinstance(p, (ast.Assign, ast.AnnAssign)) and p.value]
    return bool(values) and all(_makes_module(facts, v) for v in values)


def _makes_module(facts: Facts, node: ast.expr) -> bool:
    value = facts.value(node)
    if isinstance(value.ref, Instance):
        return is_module(value.ref.info)
    if value.kind == Kind.MODULE:
        return True
    name = last_name(node.func) if isinstance(node, ast.Call) else None
    return name in ("from_pretrained", "create_model")


def attribute_is_own(facts: Facts, node: ast.Attribute) -> bool:
    """Does a class of this file have an attribute of that name, or does anybody read it?"""
    names = uses_in(facts).names
    if node.attr == _RIGHT:
        mine = [s for s in names.stored.get(_RIGHT, ()) if last_name(s.value) == "self"]
        return bool(mine) or bool(names.definitions.get(_RIGHT))
    reads = [r for r in names.attributes.get(node.attr, ()) if r is not node]
    if node.attr == "requires_grad_":
        return False
    owns = [s for s in names.stored.get(node.attr, ()) if last_name(s.value) in ("self", "cls")]
    return bool(owns) or bool(names.definitions.get(node.attr)) or bool(reads)


def method_call(
    facts: Facts, node: ast.stmt | ast.expr, target: ast.Attribute, value: ast.expr, owner: Owner
) -> tuple[Edit, ...]:
    """`owner.requires_grad_(value)`"""
    if _is_one_of_nested(facts, target.value):
        return _only_own(facts, node, target.value, value)
    start = facts.source.span(target.value)[1]
    if owner == Owner.GENERATOR and isinstance(target.value, ast.Call):
        func = target.value.func
        assert isinstance(func, ast.Attribute)
        start = facts.source.span(func.value)[1]
    at = facts.source.span(value)[0]
    text = facts.source.text
    while text[at - 1] == "(":
        at -= 1
    end = facts.source.span(node)[1]
    return (Edit(start, at, ".requires_grad_("), Edit(end, end, ")"))


def _is_one_of_nested(facts: Facts, node: ast.expr) -> bool:
    """`for node in model.modules():`, of which only some are meant: each holds others of them."""
    if _loop_source(facts, node) not in ("modules", "named_modules"):
        return False
    for above in facts.index.ancestors(node):
        if isinstance(above, ast.For):
            jumps = (ast.If, ast.Continue, ast.Break)
            return any(
                isinstance(n, jumps) for statement in above.body for n in ast.walk(statement)
            )
    return True


def _only_own(
    facts: Facts, node: ast.stmt | ast.expr, owner: ast.expr, value: ast.expr
) -> tuple[Edit, ...]:
    """Its own parameters, and none of those of the modules in it."""
    source, function = facts.source, facts.index.function_of(node)
    taken = facts.index.bound_names(function) if function is not None else frozenset()
    name = "p" if "p" not in taken else "parameter"
    start, end = source.span(node)
    before = source.text[source.text.rfind("\n", 0, start) + 1 : start]
    indent = before[: len(before) - len(before.lstrip())]
    lines = [
        f"for {name} in {source.segment(owner)}.parameters(recurse=False):",
        f"    {name}.requires_grad = {source.segment(value)}",
    ]
    if before.strip():  # `if not trained: m.requires_grad = False`
        start -= len(before) - len(before.rstrip())
        indent, lines = f"{indent}    ", ["", *lines]
    return (Edit(start, end, f"\n{indent}".join(lines)),)


def assigned(facts: Facts, target: ast.Attribute, flag: ast.expr) -> tuple[Edit, ...]:
    """`target = flag`"""
    end = facts.source.span(target)[1]
    start = facts.source.span(flag)[0]
    return (Edit(end - len(target.attr), end, _RIGHT), Edit(end, start, " = "))
