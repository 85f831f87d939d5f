"""The table of torch operations: its form, facts that everything rests on, and torch's own word."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from autofix.flow import torch_api
from autofix.flow.torch_api import Op, function, method, module, property_

TABLE: dict[str, Any] = torch_api._table()
RET = {"tensor", "tensors", "number", "bool", "none", "sizes", "list", "numpy", "other"}
SHAPE = {None, "same", "broadcast", "reduce", "scalar", "loss"}
DTYPE = {"same", "bool", "int64", "float", "promote", "complex", "arg"}
ALIAS = {None, "view", "maybe", "self"}


def ops() -> list[tuple[str, Op]]:
    found = []
    for section, look_up in (("functions", function), ("methods", method)):
        for name in TABLE[section]:
            op = look_up(name)
            assert op is not None
            found.append((name, op))
    return found


def known(look_up: Callable[[str], Op | None], name: str) -> Op:
    op = look_up(name)
    assert op is not None, name
    return op


def test_every_entry_is_well_formed() -> None:
    for name, op in ops():
        assert op.ret in RET, name
        assert op.shape in SHAPE, name
        assert op.dtype in DTYPE, name
        assert op.alias in ALIAS, name
        assert op.rank in {None, "same", "+1", "-1", "-2"}, name
        assert not (op.rank and op.shape), name
        assert op.ret_dim in {None, "tensors"}, name
        assert op.grad or not op.saves, name
        assert {s for _, held in op.saves_for for s in held} <= set(op.saves), name
        assert all(a.isidentifier() for a in op.args), name


def test_defaults_are_left_out_and_lines_are_sorted() -> None:
    for section in ("functions", "methods"):
        assert list(TABLE[section]) == sorted(TABLE[section])
        for name, spec in TABLE[section].items():
            for key, value in spec.items():
                assert getattr(Op(), key) != value, (name, key)


def test_modules_optimizers_and_schedulers_are_well_formed() -> None:
    for name in TABLE["modules"]:
        found = module(name)
        assert found is not None
        assert found.ret in RET
        assert found.shape in {None, "same", "last", "scalar"}
    assert torch_api.is_optimizer("torch.optim.SGD")
    assert torch_api.is_optimizer("torch.optim.AdamW")
    assert not torch_api.is_optimizer("torch.optim.Optimizer")
    assert torch_api.is_scheduler("torch.optim.lr_scheduler.StepLR")
    assert not torch_api.is_scheduler("torch.optim.SGD")


def test_unknown_names_are_none() -> None:
    assert function("torch.no_such_thing") is None
    assert method("no_such_thing") is None
    assert property_("no_such_thing") is None
    assert module("torch.nn.NoSuchThing") is None


def test_loading_is_quick() -> None:
    torch_api._table.cache_clear()
    start = time.perf_counter()
    torch_api._table()
    # A tenth of it on a quiet machine.
    assert time.perf_counter() - start < 0.05


FUNCTIONS: list[tuple[str, dict[str, Any]]] = [
    ("torch.cos", {"ret": "tensor", "shape": "same", "dtype": "float", "saves": ("self",)}),
    ("torch.exp", {"shape": "same", "saves": ("result",), "args": ("input",)}),
    ("torch.sum", {"shape": "reduce", "args": ("input", "dim", "keepdim"), "widen": True}),
    ("torch.max", {"shape": "reduce", "ret_dim": "tensors", "binary": True}),
    ("torch.median", {"shape": "reduce", "ret_dim": "tensors"}),
    ("torch.logsumexp", {"shape": "reduce", "dim_required": True}),
    ("torch.argmax", {"grad": False, "dtype": "int64", "shape": "reduce"}),
    ("torch.eq", {"grad": False, "dtype": "bool", "shape": "broadcast"}),
    ("torch.isnan", {"grad": False, "dtype": "bool", "shape": "same"}),
    ("torch.round", {"grad": True, "zero_grad": True}),
    ("torch.sign", {"grad": True, "zero_grad": True}),
    ("torch.add", {"shape": "broadcast", "dtype": "promote", "saves": ()}),
    ("torch.div", {"dtype": "float", "shape": "broadcast"}),
    ("torch.stack", {"rank": "+1", "args": ("tensors", "dim")}),
    ("torch.cat", {"rank": "same"}),
    ("torch.linspace", {"grad": False, "creates": True}),
    ("torch.full", {"grad": False, "creates": True}),
    ("torch.zeros", {"creates": True, "dtype": "arg", "grad": False}),
    ("torch.randint", {"creates": True, "dtype": "int64"}),
    ("torch.zeros_like", {"shape": "same", "grad": False, "creates": False}),
    ("torch.tensor", {"creates": True, "grad": False}),
    ("torch.as_tensor", {"creates": True, "grad": True, "alias": "maybe"}),
    ("torch.split", {"ret": "tensors", "n": None, "alias": "view"}),
    ("torch.linalg.norm", {"shape": "reduce"}),
    ("torch.linalg.svd", {"ret": "tensors", "n": 3}),
    ("torch.special.expm1", {"shape": "same", "dtype": "float"}),
    ("torch.fft.fft", {"dtype": "complex"}),
    ("torch.where", {"shape": "broadcast", "args": ("condition", "input", "other")}),
    ("torch.is_tensor", {"ret": "bool"}),
    ("torch.autograd.grad", {"ret": "tensors"}),
    ("torch.nn.functional.relu", {"shape": "same", "saves": ("result",)}),
    ("torch.nn.functional.sigmoid", {"shape": "same", "dtype": "float"}),
    ("torch.nn.functional.softmax", {"shape": "same", "args": ("input", "dim", "dtype")}),
    ("torch.nn.functional.dropout", {"shape": "same", "alias": "maybe"}),
    ("torch.nn.functional.mse_loss", {"shape": "loss"}),
    ("torch.nn.functional.cross_entropy", {"shape": "loss"}),
    ("torch.nn.functional.max_pool2d", {"ret": "tensor", "ret_flag": ("return_indices",)}),
    ("torch.nn.init.xavier_uniform_", {"alias": "self", "shape": "same"}),
    ("torch.nn.utils.clip_grad_norm_", {"shape": "scalar", "grad": False}),
]
METHODS: list[tuple[str, dict[str, Any]]] = [
    ("cos", {"shape": "same", "dtype": "float", "args": ()}),
    ("add_", {"alias": "self", "shape": "same"}),
    ("mul", {"saves": ("self", "other"), "args": ("other",)}),
    ("view", {"alias": "view", "args": ("size", "dtype")}),
    ("reshape", {"alias": "maybe"}),
    ("contiguous", {"alias": "maybe", "shape": "same"}),
    ("to", {"alias": "maybe", "dtype": "arg", "shape": "same"}),
    ("cuda", {"alias": "maybe", "shape": "same"}),
    ("detach", {"alias": "view", "grad": False}),
    ("requires_grad_", {"alias": "self"}),
    ("item", {"ret": "number"}),
    ("tolist", {"ret": "list"}),
    ("numpy", {"ret": "numpy"}),
    ("size", {"ret": "sizes"}),
    ("dim", {"ret": "number"}),
    ("backward", {"ret": "none"}),
    ("long", {"grad": False, "dtype": "int64"}),
    ("int", {"grad": False, "dtype": "int64"}),
    ("max", {"ret_dim": "tensors", "shape": "reduce", "args": ("dim", "keepdim", "other")}),
    ("unbind", {"ret": "tensors", "rank": "-1", "alias": "view"}),
    ("exp_", {"alias": "self", "saves": ("self",)}),
    ("expand", {"alias": "view"}),
    ("multiply", {"shape": "broadcast", "dtype": "promote"}),
    ("__truediv__", {"shape": "broadcast", "dtype": "float"}),
    ("__getitem__", {"alias": "maybe"}),
    ("__float__", {"ret": "number"}),
]
PROPERTIES: list[tuple[str, dict[str, Any]]] = [
    ("shape", {"ret": "sizes"}),
    ("dtype", {"ret": "other"}),
    ("ndim", {"ret": "number"}),
    ("requires_grad", {"ret": "bool"}),
    ("data", {"grad": False, "shape": "same", "alias": "view"}),
    ("grad", {"grad": False, "shape": "same"}),
    ("T", {"alias": "view", "rank": "same"}),
]


@pytest.mark.parametrize(("name", "facts"), FUNCTIONS)
def test_function(name: str, facts: dict[str, Any]) -> None:
    op = known(function, name)
    assert {key: getattr(op, key) for key in facts} == facts


@pytest.mark.parametrize(("name", "facts"), METHODS)
def test_method(name: str, facts: dict[str, Any]) -> None:
    op = known(method, name)
    assert {key: getattr(op, key) for key in facts} == facts


@pytest.mark.parametrize(("name", "facts"), PROPERTIES)
def test_property(name: str, facts: dict[str, Any]) -> None:
    op = known(property_, name)
    assert {key: getattr(op, key) for key in facts} == facts


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("torch.nn.Linear", {"params": True, "ret": "tensor", "shape": "last"}),
        ("torch.nn.ReLU", {"params": False, "shape": "same"}),
        ("torch.nn.Conv2d", {"params": True, "rank": "same"}),
        ("torch.nn.Embedding", {"params": True, "rank": "+1"}),
        ("torch.nn.LSTM", {"params": True, "ret": "tensors"}),
        ("torch.nn.LazyLinear", {"params": True, "shape": "last"}),
        ("torch.nn.MSELoss", {"params": False, "shape": "scalar", "reduction": True}),
        ("torch.nn.Sequential", {"container": True}),
        ("torch.nn.ModuleList", {"container": True}),
        ("torch.nn.ParameterList", {"container": True, "params": True}),
    ],
)
def test_module(name: str, facts: dict[str, Any]) -> None:
    found = module(name)
    assert found is not None
    assert {key: getattr(found, key) for key in facts} == facts


def test_what_is_saved_depends_on_who_needs_it() -> None:
    mul = known(method, "mul")
    assert mul.saved({"self"}) == {"other"}
    assert mul.saved({"other"}) == {"self"}
    assert mul.saved({"self", "other"}) == {"self", "other"}
    assert mul.saved(()) == set()
    assert known(method, "exp").saved({"self"}) == {"result"}
    assert known(method, "add").saved({"self"}) == set()


# Calls on a (3, 4) float tensor that requires grad, and another.
CALLS = """
torch.cos(x) torch.sqrt(x) torch.sigmoid(x) torch.floor(x) torch.sign(x) torch.clone(x)
torch.add(x,y) torch.mul(x,y) torch.maximum(x,y) torch.pow(x,2) torch.atan2(x,y)
torch.where(x>1,x,y) torch.sum(x) torch.sum(x,1) torch.mean(x,0,True) torch.prod(x) torch.amax(x,1)
torch.argmax(x,1) torch.std(x) torch.var(x,1) torch.logsumexp(x,1) torch.norm(x) torch.all(x,1)
torch.any(x) torch.max(x) torch.max(x,1) torch.max(x,y) torch.median(x) torch.median(x,0)
torch.topk(x,2) torch.eq(x,y) torch.isnan(x) torch.isclose(x,y) torch.allclose(x,y) torch.sort(x)
torch.cumsum(x,0) torch.stack([x,y]) torch.cat([x,y]) torch.split(x,2) torch.transpose(x,0,1)
torch.squeeze(x) torch.reshape(x,(4,3)) torch.flatten(x) torch.diagonal(x) torch.unsqueeze(x,0)
torch.bmm(x[None],y.T[None]) torch.zeros_like(x) torch.linspace(x[0,0],x[2,3],5) torch.arange(5)
torch.tensor([1.0,2.0]) torch.randn(2,3) torch.linalg.norm(x) torch.linalg.svd(x) torch.fft.fft(x)
torch.linalg.inv(x[:,:3]+torch.eye(3)) torch.special.expm1(x) torch.special.xlogy(x,y)
torch.dot(x[0],y[0]) torch.nonzero(x) torch.nn.functional.relu(x) torch.nn.functional.softmax(x,1)
torch.nn.functional.gelu(x) torch.nn.functional.dropout(x) torch.nn.functional.mse_loss(x,y)
torch.nn.functional.mse_loss(x,y,reduction="none") torch.nn.functional.normalize(x)
torch.nn.functional.layer_norm(x,(4,)) torch.nn.functional.pad(x,(1,1))
x.view(12) x.reshape(-1) x.detach() x.t() x.long() x.double() x.expand(2,3,4) x.chunk(2) x.size()
x.contiguous() x.tolist() x.dim() x.numel() x.add_(1) x.exp_() x.mul_(y) x.unbind() x.min(0)
x.new_zeros(2) x.type_as(y) x.masked_fill(x>1,0) x.argsort() x.clamp(0,1) x.softmax(0)
x.__getitem__(0) x.sum().item()
"""


def op_of(code: str) -> Op:
    name = code.rpartition(").")[2].partition("(")[0]
    if code.startswith("x."):
        return known(method, name.removeprefix("x."))
    return known(function, name)


@pytest.mark.parametrize("code", CALLS.split())
def test_torch_agrees(code: str) -> None:
    torch = pytest.importorskip("torch")
    if not torch.__version__.startswith("2.13."):
        pytest.skip("the table is of torch 2.13")
    torch.manual_seed(0)
    x = (torch.rand(3, 4) + 0.5).requires_grad_().clone()
    y = (torch.rand(3, 4) + 0.5).requires_grad_()
    op = op_of(code)
    out = eval(code, {"torch": torch, "x": x, "y": y})
    assert kind_of(out) in {op.ret, op.ret_dim}
    if isinstance(out, torch.Tensor):
        check(op, code, [out], x, y)
    elif op.ret == "tensors" or op.ret_dim == "tensors":
        assert op.n in {None, len(out)}
        check(op, code, list(out), x, y)


def kind_of(out: Any) -> str:
    names = {"Tensor": "tensor", "Size": "sizes", "bool": "bool", "int": "number"}
    names |= {"float": "number", "list": "list"}
    if isinstance(out, tuple | list) and type(out[0]).__name__ == "Tensor":
        return "tensors"
    return names[type(out).__name__]


def check(op: Op, code: str, results: list[Any], x: Any, y: Any) -> None:
    assert any(r.requires_grad for r in results) == (op.grad and not op.creates)
    first = code.startswith("x.") or code.partition("(")[2].startswith(("x,", "x)"))
    if first:
        check_shape(op, code, results, x, y)
    kinds = {"bool": "torch.bool", "int64": "torch.int64", "float": "torch.float32"}
    if op.dtype in kinds and code != "x.double()":
        assert str(results[0].dtype) == kinds[op.dtype]
    elif op.dtype == "same" and first:
        assert results[0].dtype == x.dtype
    mine = {t.untyped_storage().data_ptr() for t in (x, y)}
    shares = all(r.untyped_storage().data_ptr() in mine for r in results)
    if op.alias == "self":
        assert results[0] is x
    elif op.alias != "maybe":
        assert shares == (op.alias == "view")


def check_shape(op: Op, code: str, results: list[Any], x: Any, y: Any) -> None:
    bare = code.count(",") == 0 and code.endswith("(x)")
    fixed = {"same": x.shape, "broadcast": x.shape, "scalar": ()}
    if op.binary and "y" in code:
        assert results[0].shape == x.shape
    elif op.shape in fixed:
        assert all(r.shape == fixed[op.shape] for r in results)
    elif op.shape == "reduce":
        assert (results[0].dim() == 0) == bare
    elif op.shape == "loss":
        assert (results[0].dim() == 0) == ("none" not in code)
    if op.rank:
        offset = {"same": 0, "+1": 1, "-1": -1, "-2": -2}[op.rank]
        assert all(r.dim() == x.dim() + offset for r in results)
