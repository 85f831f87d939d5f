"""Which statements change the weights of a model in place."""

from __future__ import annotations

import ast
import builtins
import re
import sys

from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, FunctionNode, last_name
from autofix.flow.roles import constructors
from autofix.flow.syntax import all_arguments, calls_in, taken_from
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import children, walk

_TRAINS = re.compile(r"train|fit|learn|epoch|optimi[sz]e|finetune|fine_tune|update|step", re.I)
_NOT_TRAINS = re.compile(r"sched|warmup|lr_|pbar|tqdm|bar$|eval|valid|test|profil|timer", re.I)
_OPTIMIZER = re.compile(r"opt(im(izer)?s?)?(_?\w)?$|_opt(im(izer)?s?)?$|^optim", re.I)
_OF_OPTIMIZER = re.compile(r"(?:state|dict|params?|config|cfg|args|cls|class|name|type)s?$", re.I)
_HANDS_ON = re.compile(r"state_dict|checkpoint|ckpt", re.I)
"""What is loaded or saved with the help of an optimizer is not trained by that."""
_REPLACES = frozenset({"load_state_dict", "apply", "reset_parameters", "vector_to_parameters"})
_PARAMETERS = frozenset({"parameters", "named_parameters"})
_BUILTINS = frozenset(dir(builtins))
_LAYERS = 4


def head(statement: ast.stmt) -> list[ast.AST]:
    """The nodes that run with a statement itself: of a compound one, those of its head."""
    blocks = ("body", "orelse", "finalbody", "handlers", "cases")
    inside = {id(n) for block in blocks for n in getattr(statement, block, ())}
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return []
    found: list[ast.AST] = [statement]
    for node in found:  # grows while it is read
        found += [child for child in children(node) if id(child) not in inside]
    return found


def changes_weights(facts: Facts, statement: ast.stmt) -> bool:
    """May running the statement train a model, or load other weights into it?"""
    return any(_trains(facts, node, _LAYERS, set()) for node in head(statement))


def _trains(facts: Facts, node: ast.AST, layers: int, seen: set[FunctionNode]) -> bool:
    if isinstance(node, ast.AugAssign):
        return _is_weight(facts, node.target)
    if not isinstance(node, ast.Call):
        return False
    name = last_name(node.func) or ""
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    if name == "step" and owner is not None:
        return _steps(facts, owner)
    if name in _REPLACES:
        method = owner is not None and facts.value(owner).kind != Kind.LIBRARY
        return method == (name != "vector_to_parameters") and not (
            owner is not None and _is_optimizer(facts, owner)
        )
    if name.endswith("_") and owner is not None and not name.startswith("_"):
        return _is_weight(facts, owner) and name not in ("requires_grad_", "zero_grad_")
    known = _function(facts, node)
    if known is not None:
        if known in seen or not layers:
            return False
        seen.add(known)
        return any(_trains(facts, n, layers - 1, seen) for n in walk(known) if n is not known)
    if any(_is_optimizer(facts, a) for a in all_arguments(node)):
        return (
            not _HANDS_ON.search(name)
            and name not in ("DataParallel", "prepare")
            and not name.endswith(("LR", "Scheduler"))
            and not _is_of_python(facts, node.func)
        )
    return bool(_TRAINS.search(name)) and not _NOT_TRAINS.search(name) and _given_model(facts, node)


def _is_of_python(facts: Facts, function: ast.expr) -> bool:
    """`isinstance(opt, Adam)`, `pickle.dumps(self.optimizer)`"""
    if isinstance(function, ast.Name) and function.id in _BUILTINS:
        return function.id not in uses_in(facts).names.definitions
    root = (facts.library_name(function) or "").partition(".")[0]
    return root in sys.stdlib_module_names


def _function(facts: Facts, call: ast.Call) -> FunctionNode | None:
    """The function of this file that a call runs, also by a name that only one method has."""
    if facts.library_name(call.func) is not None:
        return None  # `torch.save`, beside a method `save`
    names = uses_in(facts).names
    known = names.function_named(call.func)
    if known is not None:
        return known
    ref = facts.value(call.func).ref
    node = getattr(ref, "node", None)
    if isinstance(node, FUNCTIONS):
        return node
    found = names.definitions.get(last_name(call.func) or "", [])
    if facts.index.function_of(call) in found:
        return None  # `super().build()` in a method `build`
    if isinstance(call.func, ast.Attribute) and len(found) == 1 and isinstance(found[0], FUNCTIONS):
        return found[0]
    return None


def _steps(facts: Facts, owner: ast.expr) -> bool:
    text = last_name(owner) or ""
    return facts.value(owner).kind == Kind.OPTIMIZER or not _NOT_TRAINS.search(text)


def _is_optimizer(facts: Facts, node: ast.expr) -> bool:
    name = last_name(node) or ""
    named = _OPTIMIZER.search(name) is not None and _OF_OPTIMIZER.search(name) is None
    return named or facts.value(node).kind == Kind.OPTIMIZER


def _given_model(facts: Facts, call: ast.Call) -> bool:
    """A function elsewhere whose name says that it trains: it is given a model, or has one."""
    given = all_arguments(call)
    if any(facts.value(a).kind & Kind.MODULE for a in given):
        return True
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if owner is not None and last_name(call.func) == "update":
        return False  # of a dict, as a rule
    known = Kind.MODULE | Kind.OBJECT | Kind.UNKNOWN
    if owner is not None and facts.value(owner).kind & known:
        return True  # `trainer.fit(loader)`
    perhaps = [a for a in given if facts.value(a).kind & known]
    return any(re.search(r"model|net", last_name(a) or "", re.I) for a in perhaps)


def _is_weight(facts: Facts, node: ast.expr) -> bool:
    """`p`, `p.data`, `p.data[0]` of a parameter."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        if isinstance(node, ast.Attribute) and node.attr == "grad":
            return False
        value = facts.value(node)
        if value.leaf:
            return True
        node = node.value
    return facts.value(node).leaf or (isinstance(node, ast.Name) and _is_each(facts, node))


def _is_each(facts: Facts, name: ast.Name) -> bool:
    """`p` of `for p in model.parameters()`, `for i, (p, g) in enumerate(zip(params, grads))`"""
    loops = [o for o in facts.index.loops_around(name) if isinstance(o, ast.For)]
    return any(
        each.id == name.id and _are_weights(facts, source)
        for loop in loops
        for each, source in taken_from(loop.target, loop.iter)
    )


def _are_weights(facts: Facts, source: ast.expr) -> bool:
    """`model.parameters()`, or a name that a list of them is bound to."""
    if any(last_name(call.func) in _PARAMETERS for call in calls_in(source)):
        return True
    return isinstance(source, ast.Name) and any(
        last_name(call.func) in _PARAMETERS
        for made in constructors(source, facts)
        for call in calls_in(made)
    )
