"""Tensors that a Module keeps as plain attributes and uses as weights."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.modules._abroad import is_handled_abroad
from autofix.codemods.modules._built import places_of
from autofix.codemods.modules._floating import is_floating
from autofix.codemods.modules._idle import changes_nothing
from autofix.codemods.modules._ingredients import is_filled, is_taken_apart
from autofix.codemods.modules._origins import Origin, origins
from autofix.codemods.modules._reads import reads_of
from autofix.codemods.modules._switches import flag_of, set_later, wants_grad
from autofix.flow.class_table import ClassTable, Store
from autofix.flow.facts import Facts
from autofix.flow.index import last_name, root_name
from autofix.flow.syntax import is_none
from autofix.flow.torch_api import is_optimizer
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import FLOATING, Graph, Value
from autofix.flow.walk import walk


class Evidence(Enum):
    """Why it should be a weight, the surest first."""

    TRAINS = "it requires grad"
    INITIALISED = "it is initialised as weights are"
    NAMED = "it is named as weights are"
    IDLE = "it stays at a value that changes nothing"
    RANDOM = "it is random"


@dataclass(frozen=True, eq=False)
class Weight:
    table: ClassTable
    store: Store
    value: ast.expr
    evidence: Evidence
    reads: tuple[ast.Attribute, ...]
    used: bool
    """A method other than `__init__` computes with it, with gradients."""
    flag: str | None
    """What says whether it requires grad; None if it always does."""
    trains: bool
    """It surely requires grad."""


_WEIGHT = re.compile(
    r"^_*(?:w|b|u|v)\d*$|^_*(?:w|u|v)_\w{1,4}$|weight|bias|^_*(?:gamma|beta|alpha|theta|gain|kernel)s?\d*$"
    r"|embed|token|quer(?:y|ies)|prompt|codebook|prototype|^_*pos(?:ition)?s?(?:_|$)|^_*centers?$"
    r"|^_*att(?:n|ention)?(?:_v(?:ec)?)?$|^_*(?:log_)?scales?$|^_*slopes?$|^_*logits?$|^_*factors?$",
    re.IGNORECASE,
)
_ONLY_RANDOM = re.compile(r"^_*(?:log_)?scales?$|^_*alpha|^_*slopes?$|^_*factors?|^_*pos|center")
"""Names that constants have as often: weights if their values are random."""
_NO_WEIGHT = re.compile(
    r"noise|mask|eps|running|avg|average|mean|std|var(?:iance)?$|buffer|target|freq|omega|phase"
    r"|grid|anchor|histor|state|hidden|memor|cache|count|step|loss|ema|old|prev|last|fixed|frozen"
    r"|const|proj|fourier|rff|basis|dct|window|sobel|laplac|blur|dummy|identity|prior|^_*b$|_b$"
    r"|input|index|class_?weight|pos_weight|loss_?weight|ids?$|latent|sample|rand|device|delta"
    r"|h_?0|c_?0|init|lambda|data|trace|queue|label|feature|edge|adj",
    re.IGNORECASE,
)
_FIXED = re.compile(
    r"fix|froz|constant|not (?:be )?(?:train|learn)|non.?train|untrain|random proj|buffer|fourier"
    r"|no grad|reservoir|echo.?state|momentum|ema\b|hash|positional enc|shadow",
    re.IGNORECASE,
)
_IS_CONSTANT = re.compile(r"zero|one(?:s|_|$)|empty|pad|start|begin|end|blank|dist|ref", re.I)
_NO_MODEL = re.compile(r"loss|criterion|metric|noise|augment|sampl|fourier|buffer|reservoir|random")
_RANDOM = frozenset({"randn", "rand", "empty", "normal", "Tensor", "FloatTensor", "randn_like"})
_FILLS = frozenset({"zero_", "fill_", "zeros_", "ones_", "constant_"})
_DRAWN = _RANDOM - {"empty", "Tensor", "FloatTensor"}
"""What is no memory that nobody has set, nor data that is given."""
_CREATED = _RANDOM | {"zeros", "ones", "full", "eye", "rand_like", "tensor", "zeros_like"}
_GIVEN = frozenset({"linspace", "arange", "logspace", "from_numpy", "as_tensor", "empty_like"})
"""What makes constants, unless the result is told to require grad."""
MAKING = _CREATED | _GIVEN | {"Variable", "ones_like", "full_like"}
_INITIALISERS = re.compile(
    r"^(?:xavier|kaiming|glorot|normal|uniform|trunc_normal|orthogonal|sparse|init)\w*$"
)
_NOT_COMPUTING = ("torch.autograd.", "torch.utils.checkpoint.")
"""They take tensors to differentiate by them, or only to see one that requires grad."""
_GRADIENTS = frozenset({"grad", "backward", "retain_grad"})


def weights_in(facts: Facts, table: ClassTable) -> Iterator[Weight]:
    for stores in table.stores.values():
        places = (_if_any(store) for store in places_of(facts, table, stores))
        found = [_weight(facts, table, store) for store in places]
        if not found or None in found:
            continue
        if not is_handled_abroad(facts, table, stores[0].attribute):
            yield from (weight for weight in found if weight is not None)


def _if_any(store: Store) -> Store:
    """Of `torch.zeros(3) if bias else None`, the tensor."""
    match store.value:
        case ast.IfExp(body=body, orelse=other) if is_none(body) != is_none(other):
            return replace(store, value=other if is_none(body) else body)
    return store


def _weight(facts: Facts, table: ClassTable, store: Store) -> Weight | None:
    told = _tells(facts, table, store) if store.value is not None else None
    if store.value is None or told is None:
        return None
    evidence, made = told
    value = facts.value(store.value)
    floating = is_floating(value, store) or facts.value(made[0]).dtype in FLOATING
    floating = floating or (evidence == Evidence.TRAINS and value.dtype is None)
    if not value.is_tensor or value.parameter or not floating:
        return None
    flag = flag_of(facts, store, made)
    trains = _trains(value, store.value) or (set_later(facts, store) and flag is None)
    if evidence == Evidence.TRAINS and not (trains or (flag and value.graph != Graph.YES)):
        return None
    reads = tuple(reads_of(facts, table, store.attribute))
    if not reads and evidence in (Evidence.NAMED, Evidence.RANDOM, Evidence.IDLE):
        return None
    if any(_tells_otherwise(facts, table, store, read, evidence) for read in reads):
        return None
    if evidence == Evidence.NAMED and _is_one_hot(facts, made, reads):
        return None
    if evidence != Evidence.TRAINS and is_taken_apart(facts, store, reads):
        return None
    if evidence in (Evidence.NAMED, Evidence.RANDOM) and is_filled(facts, table, store):
        return None
    used = any(_computes(facts, r, store) for r in reads)
    return Weight(table, store, store.value, evidence, reads, used, flag, trains)


def _is_one_hot(facts: Facts, made: Origin, reads: tuple[ast.expr, ...]) -> bool:
    """`torch.eye(n)` of which rows are taken."""
    calls = (n for one in made for n in walk(one) if isinstance(n, ast.Call))
    eye = any(last_name(call.func) == "eye" for call in calls)
    return eye and any(isinstance(facts.index.parents.get(r), ast.Subscript) for r in reads)


def _holds_parameter(facts: Facts, value: ast.expr) -> bool:
    """Is there a Parameter in it, by whatever name (`P(torch.randn(3)).view(1, 3)`)?"""
    return any(facts.value(n).parameter for n in walk(value) if isinstance(n, ast.Call))


def _may_be_created(facts: Facts, way: Origin) -> bool:
    """Is it made by a function that creates tensors, whatever is done with the result?"""
    calls = [n for one in way for n in walk(one) if isinstance(n, ast.Call)]
    names = {last_name(call.func) for call in calls}
    return bool(names & _CREATED) or (bool(names & _GIVEN) and wants_grad(facts, calls))


def _tells(facts: Facts, table: ClassTable, store: Store) -> tuple[Evidence, Origin] | None:
    """Why it should be a weight, and how it is made; where there are several ways, the first one
    that is more than a copy."""
    assert store.value is not None
    found = list(origins(facts, store.value))
    if any(_holds_parameter(facts, one) for way in found for one in way):
        return None
    ways = [o for o in found if not _is_copied(o)]
    if not all(_may_be_created(facts, way) for way in ways):
        return None
    if ways and _is_own_leaf(facts.value(store.value)):
        return Evidence.TRAINS, ways[0]
    told = [_evidence(facts, table, store, way) for way in ways]
    known = [one for one in told if one is not None]
    return (known[0], ways[0]) if known and len(set(told)) == 1 else None


def _is_own_leaf(value: Value) -> bool:
    return value.leaf and value.graph == Graph.YES and not value.parameter


def _is_copied(way: Origin) -> bool:
    names = {last_name(n.func) for one in way for n in walk(one) if isinstance(n, ast.Call)}
    return {"clone", "detach"} <= names


def _evidence(facts: Facts, table: ClassTable, store: Store, made: Origin) -> Evidence | None:
    calls = [n for one in made for n in walk(one) if isinstance(n, ast.Call)]
    if any((last_name(call.func) or "").endswith("Parameter") for call in calls):
        return None
    if wants_grad(facts, calls) or set_later(facts, store):
        return Evidence.TRAINS
    if any(k.arg == "requires_grad" for c in calls for k in c.keywords):
        return None
    if any(_is_given(call) for call in calls):
        return None
    names = {last_name(call.func) or "" for call in calls if not _is_listed(call)}
    if names & {"detach", "register_buffer", "tensor", "Variable"}:
        return None
    if _NO_MODEL.search(table.node.name.lower()) or without_gradient(facts, store.node):
        return None
    if _FIXED.search(_said(facts, store)) or "forward" not in table.methods:
        return None
    name = store.attribute
    if _NO_WEIGHT.search(name) and not re.search("weight|bias|embed|token", name):
        return None
    random = bool(names & _RANDOM) and not names & _FILLS
    if any(_INITIALISERS.match(n.rstrip("_")) for n in names - _RANDOM) or _initialised(
        facts, store
    ):
        return Evidence.INITIALISED
    if _WEIGHT.search(name) and (random or not _ONLY_RANDOM.search(name)):
        return Evidence.NAMED
    if not _IS_CONSTANT.search(name) and changes_nothing(facts, table, store, made[0]):
        return Evidence.IDLE
    return Evidence.RANDOM if names & _DRAWN and random else None


def _is_given(call: ast.Call) -> bool:
    """`torch.Tensor([0.1, 1.0])`: these very numbers, where a size would give any."""
    literal = bool(call.args) and isinstance(call.args[0], (ast.List, ast.Tuple))
    return literal and last_name(call.func) in ("Tensor", "FloatTensor", "DoubleTensor")


def _is_listed(call: ast.Call) -> bool:
    """`Tensor([low + i * step for i in range(n)])`: no memory that nobody has set."""
    return bool(call.args) and isinstance(call.args[0], (ast.ListComp, ast.GeneratorExp))


def _initialised(facts: Facts, store: Store) -> bool:
    """`nn.init.xavier_uniform_(self.w)`, anywhere in the class."""
    for node in walk(store.owner):
        if isinstance(node, ast.Call) and (name := last_name(node.func)) is not None:
            given = node.args[0] if node.args else None
            method = isinstance(node.func, ast.Attribute) and root_name(node.func) != "torch"
            target = node.func.value if method and isinstance(node.func, ast.Attribute) else None
            for at in (given, target):
                local = store.value.id if isinstance(store.value, ast.Name) else store.attribute
                mine = at is not None and last_name(at) in (local, store.attribute)
                if mine and name.endswith("_") and _INITIALISERS.match(name.rstrip("_")):
                    return True
    return False


def _said(facts: Facts, store: Store) -> str:
    """The statement with its comment and the comment line above, and the class docstring."""
    lines = facts.source.text.splitlines()
    first, last = store.statement.lineno, store.statement.end_lineno or store.statement.lineno
    text = "\n".join(line.partition("#")[2] for line in lines[first - 1 : last])
    above = lines[first - 2].strip() if first > 1 else ""
    doc = ast.get_docstring(store.owner) or ""
    return "\n".join([text, above if above.startswith("#") else "", doc])


def _trains(value: Value, node: ast.expr) -> bool:
    """Made to require grad, and of nothing that does so elsewhere."""
    own = any(isinstance(n, ast.Attribute) and root_name(n) == "self" for n in walk(node))
    return value.leaf or (value.graph == Graph.YES and not own)


def _tells_otherwise(
    facts: Facts, table: ClassTable, store: Store, read: ast.Attribute, evidence: Evidence
) -> bool:
    """Is it optimized, registered, updated or read in a way that no weight is?"""
    parent = facts.index.parents.get(read)
    if isinstance(parent, ast.Attribute) and parent.attr in _GRADIENTS | {"data"}:
        return True
    statement = facts.index.statement_of(read)
    if evidence != Evidence.TRAINS and statement is not None:
        names = {last_name(n.func) for n in walk(statement) if isinstance(n, ast.Call)}
        if names & {"sin", "cos", "Parameter", "Variable", "multinomial"}:
            return True
    return any(_takes(facts, use) for use in uses_in(facts).follow(read))


def _takes(facts: Facts, use: Use) -> bool:
    user = use.user
    if use.stored:
        return isinstance(use.node, ast.Attribute) and use.node.attr != "requires_grad"
    if isinstance(user, ast.Attribute):
        return user.attr in _GRADIENTS
    if not isinstance(user, ast.Call) or user.func is use.node:
        return False
    name = last_name(user.func) or ""
    if name in ("Parameter", "register_parameter", "register_buffer", "setattr", "ParameterList"):
        return True
    dotted = facts.library_name(user.func) or ""
    if is_optimizer(dotted) or ".optim." in dotted or dotted.startswith(_NOT_COMPUTING):
        return True
    return "optim" in name.lower() or any(k.arg == "lr" for k in user.keywords)


def _computes(facts: Facts, read: ast.Attribute, store: Store) -> bool:
    function = facts.index.function_of(read)
    if function is None or function is store.method or without_gradient(facts, read):
        return False
    parent = facts.index.parents.get(read)
    return not isinstance(parent, ast.Expr)
