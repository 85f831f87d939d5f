"""Parameters that are lost: made, taken through an operation, and kept as what comes out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.leaf._kept import (
    How,
    Keep,
    all_uses,
    direct_keeps,
    harmless,
    is_initialiser,
    keeps,
    rebound,
    without_gradient,
)
from autofix.codemods.leaf._new_name import needs_name
from autofix.codemods.leaf._operations import Chain, Tier, chain_from, returns_itself
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import ClassInfo
from autofix.flow.syntax import argument
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import Graph

_PARAMETER = frozenset({"torch.nn.Parameter", "torch.nn.parameter.Parameter"})


@dataclass(frozen=True, slots=True)
class Lost:
    """A Parameter that `call` makes and of which `keep` keeps a plain tensor."""

    call: ast.Call
    data: ast.expr
    trains: bool | None
    subclass: bool
    keep: Keep
    others: tuple[Use, ...] = ()
    """What else is done with the Parameter itself."""
    around: bool = False
    """The Parameter itself is needed too, so it is wrapped once more."""
    declined: str | None = None

    @property
    def node(self) -> ast.expr:
        return self.keep.path[0].node

    @property
    def tier(self) -> Tier:
        return max(chain.tier for chain in self.keep.path)


def lost_parameters(facts: Facts, call: ast.Call) -> Iterator[Lost]:
    data = argument(call, 0, "data")
    if data is None or not _plain(call) or _only_stored(facts, call):
        return
    uses = all_uses(facts, call)
    candidates = [u for u in uses if _may_lose(facts, u, call)]
    if not candidates or (subclass := _is_subclass(facts, call)) is None:
        return
    flag = argument(call, 1, "requires_grad")
    trains = _flag(facts, flag)
    if trains is False or any(_freezes(facts, u) for u in uses):
        return
    for use in candidates:
        chain = chain_from(facts, use.node)
        if chain is None:
            continue
        if facts.value(chain.node).graph == Graph.NO or needs_name(facts, call, chain):
            continue
        if returns_itself(facts, chain, data):
            continue
        others = [u for u in uses if u is not use and _same_object(u, use)]
        lost = _lost(
            facts, chain, others, Lost(call, data, trains, subclass, Keep(How.LISTED, use))
        )
        if lost is not None:
            yield lost


def _freezes(facts: Facts, use: Use) -> bool:
    """`w.requires_grad = False`, `w.requires_grad_(False)`: not, or perhaps not, to be trained."""
    match use.user, facts.index.parents.get(use.user):
        case ast.Attribute(attr="requires_grad", ctx=ast.Store()), ast.Assign(value=flag):
            pass
        case ast.Attribute(attr="requires_grad_"), ast.Call() as call:
            given = argument(call, 0, "requires_grad")
            if given is None:
                return False
            flag = given
        case _:
            return False
    return facts.value(flag).const is not True


def _asked_for_class(facts: Facts, keep: Keep) -> bool:
    """`if isinstance(w, nn.Parameter)`: the program deals with both."""
    for use in all_uses(facts, keep.path[-1].node):
        match use.user:
            case ast.Call(func=ast.Name(id="isinstance")) as call:
                if isinstance(facts.index.statement_of(call), ast.If):
                    return True
    return False


def _same_object(a: Use, b: Use) -> bool:
    """Are both uses of one Parameter? Each call of a function makes one of its own."""
    return a.origin is b.origin or (a.origin is None and not isinstance(a.user, ast.Return))


def _plain(call: ast.Call) -> bool:
    """No `*args` or `**kwargs`, in which anything may be."""
    return not any(isinstance(a, ast.Starred) for a in call.args) and all(
        k.arg for k in call.keywords
    )


def _flag(facts: Facts, flag: ast.expr | None) -> bool | None:
    if flag is None:
        return True
    function = facts.index.function_of(flag)
    if isinstance(flag, ast.Name) and function is not None and flag.id in _arguments(function):
        return None  # its default is no promise
    value = facts.value(flag)
    return value.const if isinstance(value.const, bool) else None


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    spec = function.args
    return {a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}


def _is_subclass(facts: Facts, call: ast.Call) -> bool | None:
    """False for torch's own class, True for one of this file derived from it, else None."""
    if facts.library_name(call.func) in _PARAMETER:
        return False
    ref = facts.value(call.func).ref
    if isinstance(ref, ClassInfo) and any(b in _PARAMETER for b in ref.foreign_bases):
        return True
    return None


def _only_stored(facts: Facts, call: ast.Call) -> bool:
    """`self.w = nn.Parameter(...)` and no other word of it where it is made: nearly all of them,
    told without any analysis."""
    match facts.index.parents.get(call):
        case (
            ast.Assign(targets=[ast.Attribute(attr=name)])
            | ast.AnnAssign(target=ast.Attribute(attr=name))
        ):
            function = facts.index.function_of(call)
            if function is None:
                return False
            return facts.source.text.count(f".{name}", *facts.source.span(function)) == 1
    return False


def _may_lose(facts: Facts, use: Use, call: ast.Call) -> bool:
    """By the syntax alone: is `use` an operation whose result goes anywhere?"""
    if use.contained or use.stored or isinstance(use.user, (ast.Return, ast.Compare)):
        return False
    if isinstance(use.node, ast.Attribute) and not _where_made(facts, use.node, call):
        return False
    if isinstance(use.user, ast.Attribute):
        name = use.user.attr
        method = torch_api.method(name)
        known = method is not None and method.ret == "tensor"
        if not (known or name in ("T", "mT", "H", "mH")):
            return False
    elif isinstance(use.user, ast.Call) and (last_name(use.user.func) or "_").endswith("_"):
        return not isinstance(facts.index.parents.get(use.user), ast.Expr)
    statement = facts.index.statement_of(use.node)
    return not isinstance(statement, (ast.Assert, ast.Delete, ast.Raise))


def _where_made(facts: Facts, read: ast.Attribute, call: ast.Call) -> bool:
    """Is `self.w` read where it was set, by a constructor or to set it again? (Anywhere else it is
    simply used.)"""
    if facts.index.function_of(read) is not facts.index.function_of(call):
        return False
    statement = facts.index.statement_of(read)
    again = isinstance(statement, ast.Assign) and last_name(statement.targets[0]) == read.attr
    return again or is_initialiser(facts, read)


def _lost(facts: Facts, chain: Chain, others: list[Use], found: Lost) -> Lost | None:
    kept = keeps(facts, chain)
    keep = min(kept, key=lambda k: list(How).index(k.how), default=None)
    if keep is None or by_hand(facts, keep) or _asked_for_class(facts, keep):
        return None
    named = (
        isinstance(chain.inner, ast.Name) and rebound(facts, keep.path[0].node) != chain.inner.id
    )
    if keep.how not in (How.REGISTERED, How.OPTIMIZED) and named:
        return None
    if max(c.tier for c in keep.path) == Tier.CHOICE and not _sure(facts, keep):
        return None
    lost = Lost(found.call, found.data, found.trains, found.subclass, keep, tuple(others))
    alive = [k for k in direct_keeps(facts, others) if not _same_store(k, keep)]
    alive = [k for k in alive if k.use not in {e.use for e in kept}]
    if alive or any(isinstance(u.user, ast.Return) and u.node is not lost.call for u in others):
        return _of_registered(facts, lost)
    return _with_reason(facts, lost)


def _sure(facts: Facts, keep: Keep) -> bool:
    return keep.how == How.OPTIMIZED or (
        keep.how == How.REGISTERED and is_initialiser(facts, keep.use.node)
    )


def _same_store(a: Keep, b: Keep) -> bool:
    """`self.w = p` and later `self.w = self.w.view(...)`: the second replaces the first."""
    return a.how == b.how == How.REGISTERED and a.attribute == b.attribute and a.use.stored


def _of_registered(facts: Facts, lost: Lost) -> Lost | None:
    """The Parameter is kept too. What is computed from it once, and read later, goes stale."""
    keep = lost.keep
    if keep.how == How.OPTIMIZED:
        return _declined(lost, "the Parameter itself is kept elsewhere: optimize that")
    if keep.how != How.REGISTERED or not is_initialiser(facts, keep.use.node):
        return None
    owner = facts.index.class_of(keep.use.node)
    stored = uses_in(facts).names.stored.get(keep.attribute or "", ())
    if len([s for s in stored if facts.index.class_of(s) is owner]) > 1:
        return None  # computed again, in `forward` as a rule
    if not [r for r in _reads(facts, keep) if not is_initialiser(facts, r)]:
        return None
    return _declined(
        lost,
        "it is computed once from a Parameter that is kept too, and goes stale "
        "when that is moved or trained: compute it in `forward`",
    )


def _reads(facts: Facts, keep: Keep) -> list[ast.Attribute]:
    """Where the class reads the attribute."""
    owner = facts.index.class_of(keep.use.node)
    reads = uses_in(facts).names.attributes.get(keep.attribute or "", ())
    return [r for r in reads if facts.index.class_of(r) is owner]


def by_hand(facts: Facts, keep: Keep) -> bool:
    """Is what is kept only ever read without gradients? Then it is a target, a running mean or the
    like, which is changed by hand and was meant to be no parameter."""
    reads = [r for r in _reads(facts, keep) if not is_initialiser(facts, r)]
    return bool(reads) and all(without_gradient(facts, r) or _is_detached(facts, r) for r in reads)


def _is_detached(facts: Facts, read: ast.Attribute) -> bool:
    """`self.w.detach()`, `self.w.data`"""
    parent = facts.index.parents.get(read)
    return isinstance(parent, ast.Attribute) and parent.attr in ("detach", "data")


def never_read(facts: Facts, keep: Keep) -> bool:
    """Does nothing in this file mention the attribute again?"""
    if keep.how != How.REGISTERED or keep.attribute is None:
        return False
    if isinstance(keep.use.node, ast.Attribute) and not isinstance(keep.use.node.value, ast.Name):
        return False  # of a layer, which reads it itself
    return len(re.findall(rf"\b{re.escape(keep.attribute)}\b", facts.source.text)) == 1


def _declined(lost: Lost, why: str) -> Lost:
    return Lost(
        lost.call, lost.data, lost.trains, lost.subclass, lost.keep, lost.others, declined=why
    )


def _with_reason(facts: Facts, lost: Lost) -> Lost:
    """The Parameter is lost for good: is there one thing that the author can have meant?"""
    operations = [o for chain in lost.keep.path for o in chain.operations]
    choice = next((o for o in operations if o.tier == Tier.CHOICE), None)
    if choice is not None:
        return _declined(
            lost,
            f"{choice.name} leaves open what should be trained: its result, or "
            "what it is computed from (then compute it in `forward`)",
        )
    if lost.keep.how == How.LISTED and lost.tier > Tier.MOVES:
        return _declined(lost, "only the author knows what should be trained")
    used = [u for u in lost.others if not harmless(facts, u)]
    if any(not _conditional(facts, u, lost) for u in used):
        return _declined(lost, "the Parameter itself is used elsewhere")
    return lost


def _conditional(facts: Facts, use: Use, lost: Lost) -> bool:
    """Is it the same read that also sees the result (`if cuda: w = w.cuda()`)?"""
    after = {(u.node, u.user) for u in all_uses(facts, lost.keep.path[-1].node)}
    return (use.node, use.user) in after or use.stored
