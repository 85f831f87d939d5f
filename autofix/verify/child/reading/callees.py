"""What being an operand says of a value: `torch.sin(t)`, `range(n)`, `criterion(a, b)`, `x[:, 2]`.

The functions here read one expression for `uses.Reader` and note facts on it.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from . import operands

if TYPE_CHECKING:
    from .uses import Reader

_TENSOR = frozenset(
    """abs acos add addmm all amax amin any argmax argmin argsort asin atan backward bmm ceil chunk
    clamp clamp_ contiguous cos cross cumprod cumsum detach diag diagonal dim div dot einsum eq exp
    expand expand_as fill_ flatten flip float floor gather ge gt index_select inverse isnan item le
    log log_softmax logsumexp long lt masked_fill masked_select matmul max mean median min mm mul
    mv ndimension nelement new_tensor new_zeros new_ones norm numel numpy permute pow prod
    relu repeat repeat_interleave requires_grad_ reshape retain_grad round rsqrt scatter_ scatter
    select sigmoid sign sin size softmax sort split sqrt squeeze square std sub sum t tan tanh
    tolist topk transpose tril triu type_as unbind unflatten unfold unsqueeze var view view_as
    where zero_ mul_ add_ sub_ div_ copy_ det logdet cpu cuda data_ptr stride to double""".split()
)
_WORDS = frozenset("lower upper strip split startswith endswith format replace join".split())
_METHODS = {
    "dict": frozenset("keys items values get update setdefault".split()),
    "list": frozenset("append extend insert".split()),
    "module": frozenset(
        "parameters named_parameters state_dict load_state_dict modules children train eval "
        "named_modules zero_grad_ apply forward".split()
    ),
    "optimizer": frozenset("zero_grad step add_param_group".split()),
    "string": _WORDS,
    "array": frozenset("astype".split()),
    "environment": frozenset("reset render seed".split()),
}
_ELEMENTWISE = frozenset(
    """normalize softmax log_softmax
    contiguous sin cos tan asin acos atan exp log sqrt abs sigmoid tanh relu square pow sinh cosh
    rsqrt atan2 neg expm1 log1p softplus clamp sign float tensor""".split()
)
_PAIRS = frozenset(
    "cross_entropy nll_loss CrossEntropyLoss NLLLoss multi_margin_loss multilabel_margin_loss"
    .split()
)  # fmt: skip
_SQUARE = frozenset(
    "det inverse inv logdet slogdet eig eigh eigvals eigvalsh matrix_exp trace matrix_power "
    "solve".split()
)
_SIZED = frozenset(
    "zeros ones randn rand empty arange eye full linspace randperm randint zeros_like".split()
)
_RANKS = {
    "conv1d": 3, "conv2d": 4, "conv3d": 5, "bmm": 3, "mm": 2, "mv": 2, "dot": 1, "grid_sample": 4,
    "max_pool2d": 4, "avg_pool2d": 4, "adaptive_avg_pool2d": 4, "outer": 1, "diag": 1,
    "pixel_shuffle": 4, "affine_grid": 3, "max_pool1d": 3, "cdist": 2, "hann_window": 0,
}  # fmt: skip


def elementwise(call: ast.Call, dotted: str) -> list[ast.expr]:
    """The operands of a call that works on each element by itself."""
    last = dotted.rsplit(".", 1)[-1]
    if not last and isinstance(call.func, ast.Attribute):
        return [call.func.value] if call.func.attr in _ELEMENTWISE else []
    return list(call.args) if last in _ELEMENTWISE else []


def call(reader: Reader, node: ast.Call) -> None:
    function = node.func
    dotted = reader.dotted(function)
    path = reader.path(function)
    if isinstance(function, ast.Attribute) and not dotted:
        _method(reader, node, function)
    if path and not (isinstance(function, ast.Attribute) and is_method(function.attr)):
        _called(reader, node, path)
    if dotted:
        _library(reader, node, dotted)
    own = path is not None and len(path) == 2 and path[0][1] == "self"
    called = f"self.{path[1][1]}" if own and path is not None else dotted
    if called:
        _passed(reader, node, called)


def _passed(reader: Reader, node: ast.Call, called: str) -> None:
    """What is given on to a function of the file, or to a method of the same object."""
    for position, argument in enumerate(node.args):
        found = reader.path(argument)
        if found:
            reader.passed.append((called, position, found))
    for keyword in node.keywords:
        found = reader.path(keyword.value)
        if found and keyword.arg:
            reader.passed.append((called, keyword.arg, found))


def _origin(reader: Reader, node: ast.expr | None) -> Any:
    """Where the values of a new leaf come from: `x` of `torch.tensor(x).to(device)`."""
    while isinstance(node, ast.Call):
        if reader.dotted(node.func).startswith("torch.") and node.args:
            node = node.args[0]
        elif isinstance(node.func, ast.Attribute):
            node = node.func.value
        else:
            break
    return reader.origin(node) if node is not None else None


def is_method(name: str) -> bool:
    return name in _TENSOR or any(name in group for group in _METHODS.values())


def _method(reader: Reader, node: ast.Call, function: ast.Attribute) -> None:
    owner, name = function.value, function.attr
    if name in ("state_dict", "load_state_dict", "buffers", "named_buffers"):
        reader.note(owner, "copied")
    if isinstance(owner, ast.Compare) and isinstance(owner.ops[0], ast.Eq):
        reader.note(owner.left, "labels")  # `(y == k).sum()`
    for kind, group in _METHODS.items():
        if name in group:
            reader.note(owner, kind)
    if name in _TENSOR:
        reader.note(owner, "tensor")
    if name in _SQUARE:
        reader.note(owner, "square")
    if name == "long":
        reader.note(owner, "labels")
    if name == "size" and node.args:
        operands.dimension(reader, owner, node.args[0])
    if name in ("permute",) and len(node.args) > 1:
        reader.note(owner, "rank", len(node.args))
    if name in ("gather", "index_select", "scatter", "scatter_") and len(node.args) > 1:
        reader.note(node.args[1], "labels")
    if name in ("mm", "matmul", "bmm", "dot") and node.args:
        reader.note(node.args[0], "tensor")
    if name in ("sum", "mean", "softmax", "max", "min", "norm", "unsqueeze", "squeeze") and (
        node.args
    ):
        reader.note(node.args[0], "axis")
    _keywords(reader, node)


def _called(reader: Reader, node: ast.Call, path: Any) -> None:
    arguments = [_given(reader, a) for a in node.args]
    direct = [reader.path(a) is not None for a in node.args]
    reader.root.at(path).note("called", len(node.args) or 1)
    reader.links.append(
        {
            "callee": [list(step) for step in path],
            "args": arguments,
            "direct": direct,
        }
    )
    if len(path) == 2 and path[0][1] == "self":
        return  # it may be a method of the file, which says more: see `facts`
    for position, argument in enumerate(node.args):
        reader.note(argument, "tensor" if position == 0 else "passed")


def _given(reader: Reader, argument: ast.expr) -> Any:
    """What an argument is computed from; for `(h, c)` of each of its elements."""
    if isinstance(argument, ast.Tuple):
        return {"tuple": [_given(reader, element) for element in argument.elts]}
    origin = reader.origin(argument)
    return [list(step) for step in origin] if origin else None


def _library(reader: Reader, node: ast.Call, dotted: str) -> None:
    last = dotted.rsplit(".", 1)[-1]
    root = dotted.split(".", 1)[0]
    first = node.args[0] if node.args else None
    if dotted in ("range", "trange", "tqdm.trange"):
        for argument in node.args:
            reader.note(argument, "count")
    elif dotted in ("copy.deepcopy", "deepcopy"):
        reader.note(first, "copied")
    elif dotted == "len":
        reader.note(first, "len")
    elif dotted in ("float", "int", "str", "bool", "open", "setattr", "hasattr", "getattr"):
        reader.note(first, f"given to {dotted}")
        if dotted == "getattr" and len(node.args) > 1:
            reader.note(node.args[1], "string")
    elif dotted == "isinstance" and len(node.args) > 1:
        reader.note(first, "instances", _instances(reader, node.args[1]))
    elif root == "math":
        for argument in node.args:
            reader.note(argument, "mathematical")
    elif root == "numpy":
        sized = last in _SIZED or ".random." in dotted
        for argument in node.args:
            reader.note(argument, "size" if sized else "numpy")
    elif last in ("manual_seed", "seed", "set_num_threads"):
        reader.note(first, "size")
    elif dotted == "torch.from_numpy":
        reader.note(first, "array")
    elif root in ("torch", "torchvision", "einops"):
        _torch(reader, node, dotted, last)
    _keywords(reader, node)


def _instances(reader: Reader, node: ast.expr) -> list[str]:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return [reader.dotted(p) for p in parts if reader.dotted(p)]


def _torch(reader: Reader, node: ast.Call, dotted: str, last: str) -> None:
    first = node.args[0] if node.args else None
    if any(k.arg == "requires_grad" for k in node.keywords) and first is not None:
        origin = _origin(reader, first)
        if origin:
            reader.root.at(origin).note("initial")
    if last in ("tensor", "stack", "cat", "as_tensor", "Tensor", "FloatTensor", "hstack"):
        _displayed(reader, first, last)
    elif last == "Parameter":
        origin = _origin(reader, first)
        if origin:
            reader.root.at(origin).note("initial")
    elif last in ("ModuleList", "Sequential"):
        for argument in node.args:
            inner = argument.value if isinstance(argument, ast.Starred) else argument
            reader.note(
                inner, "modules" if inner is not argument or last == "ModuleList" else "module"
            )
    elif last in _SIZED:
        if last in ("full", "full_like"):
            reader.note(node.args[1] if len(node.args) > 1 else None, "number")
        for argument in node.args[: 1 if last in ("full", "full_like") else None]:
            for part in argument.elts if isinstance(argument, ast.Tuple) else [argument]:
                reader.note(part, "size")
    elif last[:1].isupper() and not re.search("ReLU|ELU|Softmax|Loss|Threshold|Normal", last):
        fact = "probability" if "Dropout" in last else "size"
        if dotted.startswith("torch.distributions"):
            fact = "tensor"
        for argument in node.args:
            reader.note(argument, fact)
    else:
        _operands(reader, node, last)


def _displayed(reader: Reader, first: ast.expr | None, last: str) -> None:
    """`torch.tensor([a, b])` takes values of one element."""
    if not isinstance(first, (ast.List, ast.Tuple)):
        return reader.note(first, "stacked" if last in ("stack", "cat", "hstack") else "data")
    if last not in ("cat", "hstack"):
        for element in _elements(first):
            for path in reader.sources(element):
                reader.root.at(path).note("element")
    return None


def _elements(node: ast.expr) -> list[ast.expr]:
    """The innermost elements of nested lists."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return [inner for element in node.elts for inner in _elements(element)]
    if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
        return _elements(node.elt)
    return [] if isinstance(node, ast.Starred) else [node]


def _operands(reader: Reader, node: ast.Call, last: str) -> None:
    for position, argument in enumerate(node.args):
        if position == 0 or last in ("matmul", "mm", "bmm", "dot", "cross", "einsum", "where"):
            reader.note(argument, "tensor")
        if last in ("matmul", "mm", "bmm"):
            reader.note(argument, "product")
    first = node.args[0] if node.args else None
    if last in _SQUARE:
        reader.note(first, "square")
    if last in ("cholesky", "cholesky_solve"):
        reader.note(first, "positive definite")
    if last in _RANKS:
        reader.note(first, "rank", _RANKS[last])
    if len(node.args) > 1:
        second = node.args[1]
        if last in _PAIRS or last in ("gather", "index_select"):
            reader.note(second if last in _PAIRS else node.args[-1], "labels")
        if last in ("mse_loss", "l1_loss", "smooth_l1_loss", "binary_cross_entropy", "kl_div"):
            reader.note(second, "tensor")
        if last in ("sum", "mean", "softmax", "log_softmax", "cat", "stack", "norm", "cumsum"):
            reader.note(second, "axis")
    if last in ("one_hot", "embedding", "bincount"):
        reader.note(first, "labels")


def _keywords(reader: Reader, node: ast.Call) -> None:
    for keyword in node.keywords:
        if keyword.arg in ("dim", "axis"):
            reader.note(keyword.value, "axis")
        elif keyword.arg in ("lr", "eps", "momentum", "weight_decay", "p", "alpha"):
            reader.note(keyword.value, "number")
        elif keyword.arg in ("target",):
            reader.note(keyword.value, "tensor")
