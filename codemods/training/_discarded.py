"""Which statements compute a tensor from another one and drop it, and where it was meant to go."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from autofix.flow import torch_api
from autofix.flow.evidence import OF_TENSORS
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import Instance
from autofix.flow.roles import is_module_name
from autofix.flow.syntax import is_named, is_true, keyword
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind

OPERATIONS = frozenset(
    "clamp clip clamp_min clamp_max relu sigmoid tanh abs exp log sqrt softmax log_softmax "
    "softplus leaky_relu gelu elu silu normalize dropout detach to cuda cpu float double half long "
    "int type view reshape permute transpose swapaxes unsqueeze squeeze flatten expand expand_as "
    "repeat masked_fill masked_scatter scatter scatter_add index_fill index_add index_copy add sub "
    "mul div pow neg round floor ceil tril triu flip roll nan_to_num layer_norm pad type_as".split()
)
"""Operations of which nobody wants the result for nothing."""

LAYERS = r"(?i:\w*(?:relu|elu|drop|norm|act|soft|tanh|sigm|flat|bn|ln)\w*)"
"""What layers that only compute are called."""
_MODULES = re.compile(
    r"^torch\.nn\.(?:\w*ReLU\d?|GELU|SiLU|ELU|Tanh|Sigmoid|Softmax|LogSoftmax|Softplus|Mish"
    r"|\w*Dropout\w*|LayerNorm|BatchNorm\dd|GroupNorm|Flatten)$"
)
_CELL = re.compile(r"(?m)^# ?%%")
_EXPECTING = re.compile(r"(?i)raises|warns|profile|timer|benchmark|suppress|assert")
_SAID = re.compile(
    r"#.*\b(?:unused|not used|ignored?|discard(?:ed)?|dropped|no[- ]?op|warm)\b", re.IGNORECASE
)
_TRYING = re.compile(r"(?i)^_*(?:test|bench|warm|time|profile|check|demo)")


@dataclass(frozen=True)
class Discarded:
    call: ast.Call
    name: str
    """What is called, as its library names it."""
    subject: ast.expr
    """The tensor that the result was to take the place of."""
    method: bool


def discarded(node: ast.Expr, facts: Facts) -> Discarded | None:
    """An operation on a tensor that has no other effect than its result, which is dropped."""
    call = node.value
    if not isinstance(call, ast.Call) or _is_in_place(call):
        return None
    name = last_name(call.func) or ""
    layer = re.fullmatch(LAYERS, name) is not None
    if not (layer or name in OPERATIONS) or _is_meant(node, facts):
        return None
    local = not facts.may_be_library(call.func)
    if local and name in OPERATIONS and isinstance(call.func, ast.Attribute):
        return _method(call, call.func, facts)
    full = facts.library_name(call.func)
    if full is not None:
        return _function(call, full, facts) if full.startswith("torch.") else None
    return _module(call, facts) if layer else None


def _is_in_place(call: ast.Call) -> bool:
    flags = {k.arg: k.value for k in call.keywords}
    inplace = flags.get("inplace")
    if "out" in flags or None in flags:
        return True
    return inplace is not None and not (isinstance(inplace, ast.Constant) and not inplace.value)


def _method(call: ast.Call, func: ast.Attribute, facts: Facts) -> Discarded | None:
    subject: ast.expr = func.value
    names = {func.attr}
    while isinstance(subject, ast.Call):  # x.detach().cpu()
        if not isinstance(subject.func, ast.Attribute) or subject.func.attr not in OPERATIONS:
            return None
        names.add(subject.func.attr)
        subject = subject.func.value
    if "detach" in names and _is_run_backward(subject, call, facts):
        return None
    if torch_api.method(func.attr) is None or not _is_tensor(subject, func.attr, facts):
        return None
    if func.attr not in ("to", "type") and any(_is_text(argument) for argument in call.args):
        return None  # `boxes.flip("horizontal")`
    if _does_more(subject, facts):
        return None
    return Discarded(call, func.attr, subject, method=True)


def _is_tensor(subject: ast.expr, name: str, facts: Facts) -> bool:
    if not facts.may_hold_tensor(subject):
        return False
    value = facts.value(subject)
    if value.is_tensor:
        return value.kind == Kind.TENSOR and not (value.assumed and _is_module(subject, facts))
    if isinstance(subject, ast.Attribute) and subject.attr in ("data", "grad"):
        if _is_of_no_tensor(subject, facts):
            return False
        return torch_api.method(f"{name}_") is not None  # what else has both?
    if name in ("masked_fill", "unsqueeze") and value.kind == Kind.UNKNOWN:
        return True
    moved = name in ("to", "cuda", "float", "long") and value.kind == Kind.UNKNOWN
    return moved and _is_from_loader(subject, facts) and not _is_mapping(subject, facts)


def _is_of_no_tensor(part: ast.Attribute, facts: Facts) -> bool:
    """`self.data` of a class that is no tensor, `buffer.data` of an object of one."""
    ref = facts.value(part.value).ref
    if isinstance(ref, Instance):
        return not any(name.endswith(("Tensor", "Parameter")) for name in ref.info.foreign_bases)
    stored = uses_in(facts).names.stored.get(part.attr, ())
    return is_named(part.value, "self") and any(is_named(s.value, "self") for s in stored)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _does_more(subject: ast.expr, facts: Facts) -> bool:
    """Does it have methods that no tensor has? An object of that kind may well work in place."""
    if not isinstance(subject, ast.Name):
        return False
    names = uses_in(facts).names
    seen = [loads for store in names.stores(subject) if subject in (loads := names.loads(store))]
    return any(_is_no_tensors(load, facts) for loads in seen for load in loads)


def _is_no_tensors(owner: ast.Name, facts: Facts) -> bool:
    """`boxes.rotate_all(angle)`"""
    method = facts.index.parents.get(owner)
    call = facts.index.parents.get(method) if isinstance(method, ast.Attribute) else None
    return (
        isinstance(method, ast.Attribute)
        and isinstance(call, ast.Call)
        and call.func is method
        and torch_api.method(method.attr) is None
        and not method.attr.endswith("_")
        and method.attr not in OF_TENSORS
    )


def _is_mapping(subject: ast.expr, facts: Facts) -> bool:
    """`model(**batch)`, `batch["labels"]`: what moves its tensors in place, if it has a `.to`."""
    function = facts.index.function_of(subject)
    nodes = facts.index.body_nodes(function) if function is not None else ast.walk(facts.tree)
    text = ast.dump(subject)
    for node in nodes:
        match node:
            case ast.keyword(arg=None, value=held):
                pass
            case ast.Subscript(value=held, slice=ast.Constant(value=str())):
                pass
            case _:
                continue
        if ast.dump(held) == text:
            return True
    return False


def _is_module(subject: ast.expr, facts: Facts) -> bool:
    """Is it called like a module, or is the same name called?"""
    if not isinstance(subject, ast.Name):
        return False
    function = facts.index.function_of(subject)
    called = (
        isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == subject.id
        for n in (facts.index.body_nodes(function) if function is not None else ())
    )
    return is_module_name(subject) or any(called)


def _is_from_loader(subject: ast.expr, facts: Facts) -> bool:
    """`for images, labels in loader`: the parts of a batch."""
    if not isinstance(subject, ast.Name) or is_module_name(subject):
        return False
    stores = uses_in(facts).names.stores(subject)
    if len(stores) != 1:
        return False
    node: ast.AST | None = facts.index.parents.get(stores[0])
    if not isinstance(node, ast.Tuple):
        return False
    while isinstance(node, ast.Tuple):
        node = facts.index.parents.get(node)
    if not isinstance(node, ast.For):
        return False
    many = node.iter
    while (
        isinstance(many, ast.Call) and many.args and last_name(many.func) in ("enumerate", "tqdm")
    ):
        many = many.args[0]
    return "load" in (last_name(many) or "").lower()


def _is_run_backward(subject: ast.expr, call: ast.Call, facts: Facts) -> bool:
    """Does a backward pass start at the tensor later on?"""
    return any(
        ast.dump(other.value) == ast.dump(subject)
        and other.lineno > call.lineno
        and facts.index.function_of(other) is facts.index.function_of(call)
        for other in uses_in(facts).names.attributes.get("backward", ())
    )


def _function(call: ast.Call, full: str, facts: Facts) -> Discarded | None:
    name = full.rpartition(".")[2]
    op = torch_api.function(full)
    if name not in OPERATIONS or op is None or op.ret != "tensor" or op.alias == "self":
        return None
    subject = _first(call)
    if subject is None or not facts.value(subject).may_be_tensor:
        return None
    return Discarded(call, name, subject, method=False)


def _module(call: ast.Call, facts: Facts) -> Discarded | None:
    """`self.dropout(x)`: a layer that does nothing but compute."""
    if len(call.args) != 1 or call.keywords:
        return None
    layer = facts.value(call.func)
    if layer.kind != Kind.MODULE or not isinstance(layer.ref, str):
        return None
    if not _MODULES.match(layer.ref) or not facts.value(call.args[0]).is_tensor:
        return None
    flag = (layer.entries or {}).get("inplace")
    if flag is not None and flag.const is not False:
        return None
    if _may_be_in_place(call.func, facts):
        return None
    return Discarded(call, layer.ref.rpartition(".")[2], call.args[0], method=False)


def _may_be_in_place(func: ast.expr, facts: Facts) -> bool:
    """`nn.ReLU(True)`: the flag without its name."""
    from autofix.flow.roles import constructors

    return any(is_true(argument) for made in constructors(func, facts) for argument in made.args)


def _first(call: ast.Call) -> ast.expr | None:
    if call.args:
        return None if isinstance(call.args[0], ast.Starred) else call.args[0]
    return keyword(call, "input")


def _is_meant(node: ast.Expr, facts: Facts) -> bool:
    """Shown by a notebook, expected to raise, timed, tried out, or a check of shapes."""
    function = facts.index.function_of(node)
    if function is not None and _TRYING.match(function.name):
        return True
    for owner in facts.index.ancestors(node):
        if isinstance(owner, FUNCTIONS):
            break
        if isinstance(owner, (ast.Try, ast.Lambda)):
            return True
        if isinstance(owner, ast.With) and any(
            _EXPECTING.search(ast.unparse(item.context_expr)) for item in owner.items
        ):
            return True
    if _SAID.search(facts.source.remark_behind(node)):
        return True  # nobody uses the result, it says
    return _is_shown(node, facts)


def _is_shown(node: ast.Expr, facts: Facts) -> bool:
    """In a notebook, what stands at the top of a cell is there to be looked at; likewise in a
    script of cells, `# %%`."""
    cells = bool(facts.source.seams) or _CELL.search(facts.source.text) is not None
    return cells and facts.index.parents.get(node) is facts.tree
