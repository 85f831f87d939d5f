"""What a computation without gradients was made from, and whether that was meant to be trained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autofix.codemods.graph._optimized import has_own_optimizer, is_optimized, optimizers_of
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode, last_name, root_name
from autofix.flow.modules import has_parameters, identity
from autofix.flow.objects import Closure, Instance
from autofix.flow.syntax import calls_in, plain_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind, Value
from autofix.flow.walk import walk

_MEANT = (
    "teacher target frozen freeze ema pretrain momentum reference ref_ _ref old_ _old slow "
    "backbone vgg resnet clip_ inception lpips perceptual vae tokenizer bert expert prior fixed"
).split()
"""Parts of names for what is usually not trained."""
_PARTS = "backbone vgg resnet inception vae bert expert prior".split()
"""Those of them that a program trains as well as not: an optimizer may tell."""
_SAID = re.compile(r"(?i)fr[eo]+z|pre-?train|feature.extract|linear.(?:prob|eval)|fixed")


@dataclass(frozen=True, slots=True)
class Sources:
    """Why there would be a graph."""

    fresh: tuple[ast.expr, ...] = ()
    """Modules and parameters that this file makes and never trains otherwise."""
    live: tuple[ast.expr, ...] = ()
    """Tensors with a graph from outside, given to a module."""
    held: tuple[ast.expr, ...] = ()
    """The same, but with names of what is usually not trained; an optimizer gets them."""
    any: bool = False
    """Anything at all that has a graph."""


def sources_of(nodes: list[ast.AST], facts: Facts) -> Sources:
    """Of the code in `nodes`, and in the functions of this file that it calls."""
    fresh: list[ast.expr] = []
    live: list[ast.expr] = []
    held: list[ast.expr] = []
    found = False
    for node, inner in _evaluated(nodes, facts):
        around = facts.index.parents.get(node)
        if isinstance(around, ast.Attribute) and around.attr == "data":
            continue  # no graph begins there in any mode
        value = facts.value(node.func if isinstance(node, ast.Call) else node)
        if isinstance(node, ast.Call) and value.kind == Kind.MODULE:
            arguments = [a for a in node.args if _is_live(a, facts)]
            live += arguments if not inner else []
            if has_parameters(value) == Graph.YES and not identity(value) & facts.program.frozen:
                found = True
                fresh += [node.func] if _is_fresh(node.func, value, facts) else []
                held += [node.func] if _is_held(node.func, value, facts) else []
            found = found or bool(arguments)
        elif value.is_tensor and value.leaf and value.graph == Graph.YES:
            found = True
            alone = _is_trained_only_here(node, facts) and not has_own_optimizer(node, facts)
            fresh += [node] if alone else []
        elif not inner and _is_live(node, facts):
            found = True
    return Sources(tuple(fresh), tuple(live), tuple(held), found)


def _evaluated(nodes: list[ast.AST], facts: Facts) -> Iterator[tuple[ast.expr, bool]]:
    """Calls and reads, those in functions that are called as well (True for these)."""
    todo: list[tuple[ast.AST, bool]] = [(node, False) for node in nodes]
    entered: set[FunctionNode] = set()
    while todo:
        root, inner = todo.pop()
        for node in walk(root):
            if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
                yield node, inner
            if not isinstance(node, ast.Call):
                continue
            yield node, inner
            ref = facts.value(node.func).ref
            if isinstance(ref, Closure) and ref.node not in entered and len(entered) < 20:
                entered.add(ref.node)
                body = ref.node.body
                todo += [(s, True) for s in (body if isinstance(body, list) else [body])]


def _is_live(node: ast.expr, facts: Facts) -> bool:
    value = facts.value(node)
    return value.is_tensor and value.graph == Graph.YES and not value.leaf


def _is_fresh(node: ast.expr, value: Value, facts: Facts) -> bool:
    name = plain_name(node)
    if name is None or _names_frozen(name, facts):
        return False
    return _is_made_here(node, name, value, facts)


def _is_held(node: ast.expr, value: Value, facts: Facts) -> bool:
    """Does an optimizer get a module that its name, and nothing else, calls frozen?"""
    name = plain_name(node)
    if name is None or not optimizers_of(facts) or facts.program.frozen:
        return False
    rest = [part for part in _MEANT if part not in _PARTS and part in name.lower()]
    if rest or not any(part in name.lower() for part in _PARTS):
        return False
    if _SAID.search(facts.source.text) or _is_switched_to_evaluation(name, facts):
        return False
    return _is_made_here(node, name, value, facts)


def _is_switched_to_evaluation(name: str, facts: Facts) -> bool:
    """`self.backbone.eval()`"""
    return any(
        isinstance(call.func, ast.Attribute) and plain_name(call.func.value) == name
        for method in ("eval", "train")
        for call in uses_in(facts).names.calls.get(method, ())
    )


def _is_made_here(node: ast.expr, name: str, value: Value, facts: Facts) -> bool:
    """Is a module made here, with random weights, and trained nowhere else?"""
    if isinstance(value.ref, str):
        if torch_api.module(value.ref) is None:
            return False  # of another library: it may come with weights
    elif not isinstance(value.ref, Instance) or _may_freeze_itself(value.ref):
        return False
    for call in uses_in(facts).names.calls.get("load_state_dict", ()):
        if isinstance(call.func, ast.Attribute) and plain_name(call.func.value) == name:
            return False
    if _is_averaged(name, facts):
        return False
    if _is_prepared_abroad(value, facts):
        return False
    return is_optimized(node, value, facts) and not _runs_elsewhere(node, name, facts)


def _may_freeze_itself(instance: Instance) -> bool:
    """Do methods of its class set `requires_grad`, or call what freezes, also in ways that the
    analysis does not follow: `self.apply(freeze)`?"""
    return any(
        isinstance(node, (ast.Attribute, ast.Name))
        and (name := last_name(node) or "")
        and (name.startswith("requires_grad") or "freez" in name or "frozen" in name)
        for one in instance.info.lineage
        for node in walk(one.node)
    )


def _is_prepared_abroad(value: Value, facts: Facts) -> bool:
    """Does another file give the module weights from elsewhere, or run it with gradients?"""
    values, modes = facts.program.values, facts.program.modes
    for other in facts.program.modules.others:
        for call in other.unit.index.of_kind(ast.Call):
            match call.func:
                case ast.Attribute(attr="load_state_dict", value=owner):
                    found = values.get(owner)  # None if it stands on a way that nobody takes
                    if found is None or identity(found) & identity(value):
                        return True
            run = values.get(call.func)
            runs = run is not None and run.kind == Kind.MODULE and modes.get(call)
            if runs and run is not None and identity(run) & identity(value):
                return True
    return False


def _is_averaged(name: str, facts: Facts) -> bool:
    """`for q, k in zip(net.parameters(), slow.parameters()): k.data = m * k.data + (1 - m) * q`:
    are the parameters of the module `name` written from those of another one?"""
    for loop in facts.index.of_kind(ast.For):
        match loop.iter, loop.target:
            case ast.Call(func=ast.Name(id="zip"), args=lists), ast.Tuple(elts=targets):
                owners = [_whose_parameters(one) for one in lists]
                if name not in owners or len(targets) != len(lists):
                    continue
                own = targets[owners.index(name)]
                if isinstance(own, ast.Name) and any(_is_write(n, own.id) for n in walk(loop)):
                    return True
    return False


def _whose_parameters(node: ast.expr) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="parameters" | "buffers")):
            return plain_name(owner)
    return None


def _is_write(node: ast.AST, name: str) -> bool:
    """`name.data = ...`, `name.copy_(...)` or `name.data.mul_(...)`."""
    match node:
        case ast.Attribute(value=ast.Name(id=written), attr="data", ctx=ast.Store()):
            return written == name
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)):
            return attr.endswith("_") and root_name(owner) == name
    return False


def _names_frozen(name: str, facts: Facts) -> bool:
    """Is it called like what is usually not trained? (A program that freezes other parts by their
    flags would have frozen this one so.)"""
    return not facts.program.frozen and any(part in name.lower() for part in _MEANT)


def _is_trained_only_here(node: ast.expr, facts: Facts) -> bool:
    name = plain_name(node)
    if name is None or _names_frozen(name, facts):
        return False
    names = uses_in(facts).names
    reads: list[ast.expr] = [*names.attributes.get(name, ())]
    if isinstance(node, ast.Name):
        reads = [n for n in names.all_loads(node) if isinstance(n.ctx, ast.Load)]
    return not any(_is_recorded(read, facts) for read in reads)


def _is_recorded(read: ast.expr, facts: Facts) -> bool:
    """Does a graph begin where a parameter is read?"""
    user = facts.index.parents.get(read)
    while isinstance(user, ast.Attribute):
        user = facts.index.parents.get(user)
    if not isinstance(user, (ast.BinOp, ast.Call, ast.Subscript)):
        return False
    value = facts.value(user)
    return value.is_tensor and value.graph > Graph.NO


def gives_a_side(chosen: Sequence[ast.stmt], behind: Sequence[ast.stmt], facts: Facts) -> bool:
    """`v = net(s); v_next = net(s2); target = r + v_next`: of what one module gives for several
    inputs, a part goes on by itself, and may be meant as given."""
    results: dict[str, list[set[str]]] = {}
    for statement in chosen:
        for call in calls_in(statement):
            if facts.library_name(call.func) is None:
                results.setdefault(ast.dump(call.func), []).append(stored_in([statement]))
    for sides in (found for found in results.values() if len(found) > 1):
        for statement in behind:
            reads = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
            if (
                0
                < sum(bool((reads - stored_in([statement])) & side) for side in sides)
                < len(sides)
            ):
                return True
    return False


def is_taken_up(block: ast.With, facts: Facts) -> bool:
    """`with no_grad(): z = solve(lambda v: cell(v, x))`, and `z = cell(z, x)` behind it: the point
    is found without gradients, and gets them by one more step."""
    found = stored_in(block.body)
    inside = {ast.dump(call.func) for statement in block.body for call in calls_in(statement)}
    around = facts.index.block_of(block)
    return any(
        ast.dump(call.func) in inside
        and any(isinstance(given, ast.Name) and given.id in found for given in call.args)
        for statement in around[around.index(block) + 1 :]
        if isinstance(statement, (ast.Assign, ast.Return))
        for call in calls_in(statement)
        if facts.value(call.func).kind & (Kind.MODULE | Kind.FUNCTION | Kind.UNKNOWN)
    )


def stored_in(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that statements bind, but for those that only comprehensions use."""
    inside = [n for node in nodes for n in walk(node)]
    own = {m for n in inside if isinstance(n, ast.comprehension) for m in walk(n.target)}
    stores = (n for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return {name.id for name in stores if name not in own}


def _runs_elsewhere(node: ast.expr, name: str, facts: Facts) -> bool:
    """Does a module of this name also run with gradients?"""
    mine = facts.index.class_of(node)
    for call in uses_in(facts).names.calls.get(name, ()):
        same = facts.index.class_of(call) is mine or isinstance(node, ast.Name)
        if same and facts.grad_enabled(call) and facts.reached(call):
            return True
    return False
