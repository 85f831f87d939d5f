"""Assignments that put something else in the place of a registered Parameter."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import Enum

from autofix.codemods.modules._between import runs_between_steps, steps_around
from autofix.codemods.modules._by_flag import made_on_other_side
from autofix.codemods.modules._fresh import called_by_forward
from autofix.codemods.modules._named_places import named_place
from autofix.codemods.modules._same_shape import depends_on, masked, meaning, same_shape
from autofix.codemods.modules._tier import trained_here
from autofix.flow import torch_api
from autofix.flow.class_table import ClassTable, How, Method, attribute_of, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import Closure
from autofix.flow.syntax import all_arguments, is_true
from autofix.flow.values import FLOATING, Graph, Kind
from autofix.flow.walk import walk

_UPDATES = re.compile(
    r"project|normali[sz]e|renorm|clip|clamp|constrain|bound|limit|update|step|unit"
)
_TUNED = re.compile(
    r"fine.?tun|trained further|keep(?:s|ing)? (?:on )?train|train(?:ed|ing)? on\b", re.I
)
_WEIGHTED = frozenset({"weight", "bias"})


class Change(Enum):
    MADE_ANEW = "a new Parameter takes its place, which the optimizer does not know"
    REFUSED = "a registered Parameter takes no plain tensor in its place"
    DELETED = "it is deleted, and a plain tensor takes its place"


@dataclass(frozen=True, eq=False)
class Overwritten:
    change: Change
    statement: ast.Assign | ast.Expr
    target: ast.expr
    """It reads the Parameter."""
    data: ast.expr
    """What is to be in the Parameter afterwards."""
    in_forward: bool
    in_training: bool
    """It surely runs between steps of an optimizer."""
    deletion: ast.Delete | None = None
    for_this_call: bool = False
    """`forward` computes with it, with a graph: only what it uses is to change."""
    in_init: bool = False

    @property
    def set_up(self) -> bool:
        """Does it raise while the module is made: no optimizer has the Parameter yet?"""
        return self.change == Change.REFUSED and self.in_init

    def fits(self, facts: Facts) -> bool:
        return same_shape(facts, self.data, self.target)

    def is_masked(self, facts: Facts) -> bool:
        return masked(facts, self.data, self.target)

    def is_frozen_behind(self, facts: Facts) -> bool:
        """`self.weight.requires_grad = False` in the same block: a table that nobody trains"""
        name = ast.unparse(self.target)
        block = facts.index.block_of(self.statement)
        later = block[block.index(self.statement) + 1 :]
        return any(
            ast.unparse(one) in (f"{name}.requires_grad = False", f"{name}.requires_grad_(False)")
            for one in later
        )


def overwritten(facts: Facts, node: ast.Assign | ast.Expr) -> Overwritten | None:
    if (named := named_place(facts, node)) is not None:
        return _made_anew(facts, node, *named)
    if (
        isinstance(node, ast.Expr)
        or len(node.targets) != 1
        or not isinstance(node.targets[0], ast.Attribute)
    ):
        return None
    target = node.targets[0]
    if target.attr in ("data", "grad", "requires_grad"):
        return None
    method = facts.index.function_of(node)
    owner = facts.index.class_of(node)
    me = self_name(method) if method is not None and owner is not None else None
    if method is not None and owner is not None and attribute_of(target, me) is not None:
        return _in_class(facts, node, target, method, owner)
    return _outside(facts, node, target)


def _in_class(
    facts: Facts, node: ast.Assign, target: ast.Attribute, method: Method, owner: ast.ClassDef
) -> Overwritten | None:
    table = facts.class_table(owner)
    if not table.is_module or method.name == "__init__" or not _registered(facts, table, target):
        return None
    if made_on_other_side(facts, table, node, target.attr):
        return None
    in_forward = method in called_by_forward(facts, table)
    training = runs_between_steps(facts, node, node.value, loops=False)
    data = _parameter_data(facts, node.value)
    if data is not None:
        if not depends_on(facts, data, target) or _only_in_init(facts, table, method):
            return None
        if not (in_forward or training or _UPDATES.search(method.name)):
            return None
        cut = in_forward and facts.value(data).graph != Graph.NO
        return Overwritten(
            Change.MADE_ANEW, node, target, data, in_forward, training, for_this_call=cut
        )
    if not _is_plain(facts, node.value) or _reads_grad(node.value):
        return None
    deletion = _deleted_before(facts, node, target, method, table)
    if deletion is None:
        if any(s.how == How.DELETED for s in table.stores[target.attr]):
            return None
        cut = in_forward and facts.value(node.value).graph != Graph.NO
        return Overwritten(
            Change.REFUSED, node, target, node.value, in_forward, training, for_this_call=cut
        )
    if in_forward or facts.value(node.value).graph != Graph.NO:
        return None  # computed from other parameters, as weight normalisation does
    if target.attr in _WEIGHTED and not trained_here(facts, owner):
        return None  # made ready for use
    return Overwritten(Change.DELETED, node, target, node.value, False, training, deletion)


def _outside(facts: Facts, node: ast.Assign, target: ast.Attribute) -> Overwritten | None:
    """`model.fc.weight = ...`, `model.scale = nn.Parameter(model.scale.clamp(0, 1))`"""
    if _parameter_data(facts, node.value) is not None:
        return _made_anew(facts, node, target, node.value)
    if target.attr not in _WEIGHTED:
        return None
    owner = facts.value(target.value)
    known = owner.kind == Kind.MODULE and isinstance(owner.ref, str)
    if not known or not owner.ref.startswith("torch.nn.") or "Norm" in owner.ref:
        return None
    if not _is_plain(facts, node.value) or _reads_grad(node.value) or _takes_tensors(facts, target):
        return None
    init = getattr(facts.index.function_of(node), "name", "") == "__init__"
    training = steps_around(facts, node)
    return Overwritten(Change.REFUSED, node, target, node.value, False, training, in_init=init)


def _made_anew(
    facts: Facts, node: ast.Assign | ast.Expr, target: ast.expr, value: ast.expr
) -> Overwritten | None:
    data = _parameter_data(facts, value)
    if data is None or not depends_on(facts, data, target):
        return None
    if not runs_between_steps(facts, node, value):
        return None
    return Overwritten(Change.MADE_ANEW, node, target, data, False, True)


def _takes_tensors(facts: Facts, target: ast.Attribute) -> bool:
    """`del self.decoder.weight`, `weight_norm(self.fc)`: what takes the place of a weight may be a
    plain tensor where some code has made the layer, or changed it, that is no class of layers."""
    owner, weight = ast.dump(target.value), ast.dump(target).replace("Store()", "Del()")
    deleted = (one for node in facts.index.of_kind(ast.Delete) for one in node.targets)
    if any(ast.dump(one) == weight for one in deleted):
        return True
    if any(
        read.attr in ("_parameters", "__dict__")
        for read in facts.index.of_kind(ast.Attribute)
        if ast.dump(read.value) == owner
    ):
        return True
    return any(
        _is_given(facts, call, target.value) and _may_change(facts, call)
        for call in facts.index.of_kind(ast.Call)
    )


def _may_change(facts: Facts, call: ast.Call) -> bool:
    """Can a call take parameters from a layer that it is given?"""
    library = facts.library_name(call.func) or ""
    if library.startswith(("builtins.", "torch.nn.init.")):
        return library in ("builtins.delattr", "builtins.setattr")
    name = last_name(call.func) or ""
    return not name[:1].isupper() and name not in ("append", "add_module", "register_module")


def _is_given(facts: Facts, call: ast.Call, layer: ast.expr) -> bool:
    """Is it called with a layer, or is the layer what it makes of another module?"""
    given = [one for one in all_arguments(call) if isinstance(one, (ast.Name, ast.Attribute))]
    if any(ast.dump(one) == ast.dump(layer) for one in given):
        return True
    made = facts.index.parents.get(call)
    if not isinstance(made, ast.Assign) or not call.args:
        return False
    text = ast.unparse(layer)
    if not any(ast.unparse(one) == text for one in made.targets):
        return False
    return facts.value(call.args[0]).kind == Kind.MODULE or _changes_what_it_makes(facts, call)


def _changes_what_it_makes(facts: Facts, call: ast.Call) -> bool:
    """`return spectral_norm(conv)` in a function that makes a layer"""
    ref = facts.value(call.func).ref
    if not isinstance(ref, Closure):
        return False
    returned = [n.value for n in walk(ref.node) if isinstance(n, ast.Return)]
    return any(
        isinstance(one, ast.Call) and not (last_name(one.func) or "")[:1].isupper()
        for one in returned
    )


def _registered(facts: Facts, table: ClassTable, target: ast.Attribute) -> bool:
    """Does `__init__`, or a layer of torch that the class extends, surely set a Parameter under
    this name, and nothing else?"""
    made = [
        s
        for s in table.stores.get(target.attr, ())
        if s.method.name == "__init__" and s.how in (How.ASSIGNED, How.REGISTERED)
    ]
    if not made and target.attr in _WEIGHTED and table.info is not None:
        layers = [torch_api.module(base) for base in table.info.foreign_bases]
        return any(op is not None and op.params for op in layers)
    if facts.project is None and "Parameter" not in facts.source.text:
        return False
    return bool(made) and all(
        s.value is not None and facts.value(s.value).is_tensor and facts.value(s.value).parameter
        for s in made
    )


def _parameter_data(facts: Facts, value: ast.expr) -> ast.expr | None:
    if not isinstance(value, ast.Call) or last_name(value.func) != "Parameter":
        return None
    if not (facts.library_name(value.func) or "").startswith("torch.nn"):
        return None
    given = {k.arg: k.value for k in value.keywords}
    if not is_true(given.pop("requires_grad", ast.Constant(True))):
        return None
    data = value.args or [part for name, part in given.items() if name == "data"]
    return data[0] if len(data) == 1 and len(value.args) + len(given) == 1 else None


def _is_plain(facts: Facts, node: ast.expr) -> bool:
    """Surely a floating tensor that is no Parameter (which `parameter.to(device)` may be)."""
    value = facts.value(node)
    if not value.is_tensor or value.parameter or value.leaf or value.assumed:
        return False
    if value.graph > Graph.NO and value.storage & facts.program.writes.doubtful:
        return False
    if isinstance(node, ast.Name):
        node = meaning(facts, node) or node
    made = isinstance(node, (ast.BinOp, ast.Call))
    return made and (value.dtype is None or value.dtype in FLOATING)


def _reads_grad(node: ast.expr) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "grad" for n in walk(node))


def _deleted_before(
    facts: Facts, node: ast.Assign, target: ast.Attribute, method: Method, table: ClassTable
) -> ast.Delete | None:
    for store in table.stores[target.attr]:
        statement = store.statement
        same = store.method is method and statement.lineno < node.lineno
        if store.how == How.DELETED and same and isinstance(statement, ast.Delete):
            beside = facts.index.parents.get(statement) is facts.index.parents.get(node)
            return statement if beside and len(statement.targets) == 1 else None
    return None


def _only_in_init(facts: Facts, table: ClassTable, method: Method) -> bool:
    callers = facts.index.callers(method.name)
    others = [c for c in callers if c is not method and c is not facts.tree]
    return bool(others) and all(getattr(c, "name", "") == "__init__" for c in others)


def frozen_replacement(facts: Facts, node: ast.Assign) -> ast.Call | None:
    """`self.embedding = nn.Embedding.from_pretrained(v)`, which freezes, in place of a layer that
    was trained, where the text says that it should go on to be."""
    value, target = node.value, node.targets[0]
    method, owner = facts.index.function_of(node), facts.index.class_of(node)
    if not isinstance(value, ast.Call) or last_name(value.func) != "from_pretrained":
        return None
    if method is None or owner is None or len(value.args) != 1 or not value.args:
        return None
    if not (facts.library_name(value.func) or "").startswith("torch.nn.Embedding"):
        return None
    name = attribute_of(target, self_name(method))
    said = facts.source.segment(method)
    if any(k.arg in ("freeze", None) for k in value.keywords) or not _TUNED.search(said):
        return None
    stores = facts.class_table(owner).stores.get(name or "", [])
    return (
        value
        if any(s.method.name == "__init__" and s.statement is not node for s in stores)
        else None
    )
