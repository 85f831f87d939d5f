"""Calls for names that torch's own sample inputs do not reach. Calls only: never their results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Probe = Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]


def x() -> torch.Tensor:
    return torch.linspace(0.1, 2.3, 12).reshape(3, 4)


def _call(*args: Any, **kwargs: Any) -> Probe:
    return lambda: (tuple(a() if callable(a) else a for a in args), kwargs)


# A method or function that is another spelling of one with samples.
SIBLINGS: dict[str, str] = {
    "__add__": "add", "__iadd__": "add", "__sub__": "sub", "__isub__": "sub",
    "__mul__": "mul", "__imul__": "mul", "__truediv__": "true_divide",
    "__itruediv__": "true_divide", "__div__": "div", "__idiv__": "div",
    "__floordiv__": "floor_divide", "__ifloordiv__": "floor_divide", "__mod__": "remainder",
    "__imod__": "remainder", "__pow__": "pow", "__ipow__": "pow", "__matmul__": "matmul",
    "__and__": "bitwise_and", "__iand__": "bitwise_and", "__or__": "bitwise_or",
    "__ior__": "bitwise_or", "__xor__": "bitwise_xor", "__ixor__": "bitwise_xor",
    "__lshift__": "bitwise_left_shift", "__rshift__": "bitwise_right_shift",
    "__eq__": "eq", "__ne__": "ne", "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge",
    "__abs__": "abs", "__neg__": "neg", "__pos__": "positive", "__invert__": "bitwise_not",
}  # fmt: skip

_BARE = (
    "backward cpu detach detach_ dim ndimension nelement numel numpy tolist item size stride "
    "requires_grad_ retain_grad is_complex is_contiguous is_floating_point is_conj is_neg "
    "is_inference is_nonzero is_pinned is_shared is_signed is_coalesced data_ptr element_size "
    "storage_offset storage untyped_storage get_device type pin_memory share_memory_ random_ "
    "__len__ __float__ __int__ __bool__ __index__ __complex__ __array__ __hash__ __iter__ "
    "__reversed__ __repr__ __str__ to_dense dense_dim sparse_dim qscheme coalesce hardshrink "
    "is_distributed new relu relu_ __nonzero__ __long__"
).split()

PROBES: dict[str, list[Probe]] = {
    **{f"torch.Tensor.{n}": [_call(x), _call(lambda: torch.tensor(1.5))] for n in _BARE},
    "torch.Tensor.type": [_call(x), _call(x, torch.float64), _call(x, torch.float32)],
    "torch.Tensor.type_as": [_call(x, x), _call(x, lambda: x().double())],
    "torch.Tensor.copy_": [_call(x, x), _call(x, lambda: x()[0])],
    "torch.Tensor.set_": [_call(x, x)],
    "torch.Tensor.size": [_call(x), _call(x, 0)],
    "torch.Tensor.stride": [_call(x), _call(x, 0)],
    "torch.Tensor.new_tensor": [_call(x, [1.0, 2.0]), _call(x, x), _call(x, 1.0)],
    "torch.Tensor.fill_diagonal_": [_call(x, 1.0)],
    "torch.Tensor.apply_": [_call(lambda: x().detach(), lambda: abs)],
    "torch.Tensor.register_hook": [_call(x, lambda: abs)],
    "torch.Tensor.is_same_size": [_call(x, x)],
    "torch.Tensor.is_set_to": [_call(x, x)],
    "torch.Tensor.__contains__": [_call(x, 1.0)],
    "torch.Tensor.__setitem__": [_call(x, 0, 1.0)],
    "torch.Tensor.__rtruediv__": [_call(x, 2.0), _call(x, x)],
    "torch.Tensor.__rfloordiv__": [_call(x, 2.0)],
    "torch.tensor": [_call([1.0, 2.0]), _call(2.0), _call(x)],
    "torch.as_tensor": [_call([1.0, 2.0]), _call(x), _call(x, dtype=torch.float64)],
    "torch.asarray": [_call([1.0, 2.0]), _call(x), _call(x, dtype=torch.float64)],
    "torch.from_numpy": [lambda: ((x().numpy(),), {})],
    "torch.scalar_tensor": [_call(2.0), _call(lambda: torch.tensor(2.0))],
    "torch.rand": [_call(2, 3), _call((2, 3))],
    "torch.randperm": [_call(5)],
    "torch.range": [_call(0, 5)],
    "torch.linspace": [
        _call(lambda: torch.tensor(0.5), lambda: torch.tensor(2.0), 5),
        _call(0.5, 2.0, 5),
    ],
    "torch.logspace": [
        _call(lambda: torch.tensor(0.5), lambda: torch.tensor(2.0), 5),
        _call(0.5, 2.0, 5),
    ],
    "torch.full": [_call((2, 3), 1.0), _call((2, 3), lambda: torch.tensor(2.0))],
    "torch.arange": [_call(0, lambda: torch.tensor(3.0)), _call(0, 4.0)],
    "torch.is_tensor": [_call(x)],
    "torch.is_complex": [_call(x)],
    "torch.is_floating_point": [_call(x)],
    "torch.is_grad_enabled": [_call()],
    "torch.is_nonzero": [_call(lambda: torch.tensor(1.0))],
    "torch.is_same_size": [_call(x, x)],
    "torch.is_conj": [_call(x)],
    "torch.numel": [_call(x)],
    "torch.detach": [_call(x)],
    "torch.detach_": [_call(x)],
    "torch.broadcast_shapes": [_call((3, 1), (1, 4))],
    "torch.result_type": [_call(x, x)],
    "torch.manual_seed": [_call(0)],
    "torch.get_default_dtype": [_call()],
    "torch.bartlett_window": [_call(8)],
    "torch.blackman_window": [_call(8)],
    "torch.hamming_window": [_call(8)],
    "torch.hann_window": [_call(8)],
    "torch.kaiser_window": [_call(8)],
    "torch.slogdet": [_call(lambda: x() @ x().T + torch.eye(3))],
    "torch.Tensor.slogdet": [_call(lambda: x() @ x().T + torch.eye(3))],
    "torch.vander": [_call(lambda: x()[0])],
    "torch.poisson": [_call(x)],
    "torch.pixel_shuffle": [_call(lambda: torch.rand(1, 4, 2, 2), 2)],
    "torch.chain_matmul": [_call(x, lambda: x().T, x)],
    "torch.embedding": [_call(x, lambda: torch.tensor([0, 2, 1]))],
    "torch.gru_cell": [
        _call(lambda: torch.rand(2, 3), lambda: torch.rand(2, 4), lambda: torch.rand(12, 3),
              lambda: torch.rand(12, 4))
    ],
    "torch.fft.fftfreq": [_call(8)],
    "torch.fft.rfftfreq": [_call(8)],
    "torch.nn.functional.gumbel_softmax": [_call(x), _call(x, hard=True)],
    "torch.nn.functional.fold": [
        _call(lambda: torch.rand(1, 12, 12), output_size=(4, 5), kernel_size=(2, 2))
    ],
    "torch.nn.functional.affine_grid": [
        _call(lambda: torch.rand(2, 2, 3), (2, 1, 4, 4)),
    ],
    "torch.nn.functional.upsample": [_call(lambda: torch.rand(1, 2, 4, 4), scale_factor=2)],
    "torch.nn.functional.dropout1d": [_call(lambda: torch.rand(2, 3, 4))],
    "torch.nn.functional.lp_pool1d": [_call(lambda: torch.rand(2, 3, 8), 2.0, 2)],
    "torch.nn.functional.lp_pool2d": [_call(lambda: torch.rand(2, 3, 8, 8), 2.0, 2)],
    "torch.nn.functional.lp_pool3d": [_call(lambda: torch.rand(2, 3, 8, 8, 8), 2.0, 2)],
    "torch.autograd.grad": [lambda: _grad_probe()],
    "torch.nn.utils.clip_grad_norm_": [_call(lambda: [_with_grad()], 1.0)],
    "torch.nn.utils.clip_grad_value_": [_call(lambda: [_with_grad()], 1.0)],
    "torch.nn.utils.parameters_to_vector": [_call(lambda: [x(), x()])],
    "torch.nn.utils.vector_to_parameters": [
        _call(lambda: torch.rand(12), lambda: [torch.nn.Parameter(x())])
    ],
    "torch.nn.utils.get_total_norm": [_call(lambda: [x(), x()])],
    "torch.nn.utils.rnn.pad_sequence": [_call(lambda: [torch.rand(3, 4), torch.rand(2, 4)])],
    "torch.nn.utils.rnn.pack_sequence": [_call(lambda: [torch.rand(3, 4), torch.rand(2, 4)])],
    "torch.nn.utils.rnn.pack_padded_sequence": [
        _call(lambda: torch.rand(3, 2, 4), lambda: torch.tensor([3, 2]))
    ],
    "torch.nn.utils.rnn.pad_packed_sequence": [
        _call(lambda: torch.nn.utils.rnn.pack_sequence([torch.rand(3, 4), torch.rand(2, 4)]))
    ],
    "torch.nn.utils.rnn.unpad_sequence": [
        _call(lambda: torch.rand(3, 2, 4), lambda: torch.tensor([3, 2]))
    ],
}  # fmt: skip


def _with_grad() -> torch.Tensor:
    p = torch.nn.Parameter(x())
    p.grad = torch.ones(3, 4)
    return p


def _grad_probe() -> tuple[tuple[Any, ...], dict[str, Any]]:
    leaf = x().requires_grad_()
    return ((leaf * leaf).sum(), leaf), {}


for _name in (
    "uniform normal constant ones zeros eye dirac xavier_uniform xavier_normal kaiming_uniform "
    "kaiming_normal trunc_normal orthogonal sparse"
).split():
    _args: tuple[Any, ...] = {"constant": (0.5,), "sparse": (0.5,)}.get(_name, ())
    _make = (lambda: torch.rand(3, 4, 2)) if _name == "dirac" else x
    PROBES[f"torch.nn.init.{_name}_"] = [_call(_make, *_args)]
