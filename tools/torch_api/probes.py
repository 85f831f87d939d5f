"""Calls for names that torch's own sample inputs do not reach. Calls only: never their results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Probe = Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]


def x() -> torch.Tensor:
    return torch.linspace(0.1, 2.3, 12).reshape(3, 4)


def words(text: str) -> list[str]:
    return text.split()


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
    "__rtruediv__": "__rdiv__", "gammainc": "igamma", "gammaincc": "igammac",
    **{f"max_pool{d}d_with_indices": f"max_pool{d}d" for d in (1, 2, 3)},
    **{f"adaptive_max_pool{d}d_with_indices": f"adaptive_max_pool{d}d" for d in (1, 2, 3)},
    **{f"fractional_max_pool{d}d_with_indices": f"fractional_max_pool{d}d" for d in (2, 3)},
    "__abs__": "abs", "__neg__": "neg", "__pos__": "positive", "__invert__": "bitwise_not",
}  # fmt: skip

_BARE = words(
    "backward cpu detach detach_ dim ndimension nelement numel numpy tolist item size stride "
    "requires_grad_ retain_grad is_complex is_contiguous is_floating_point is_conj is_neg "
    "is_inference is_nonzero is_pinned is_shared is_signed is_coalesced data_ptr element_size "
    "storage_offset storage untyped_storage get_device type share_memory_ random_ "
    "__len__ __float__ __int__ __bool__ __index__ __complex__ __array__ __hash__ "
    "__reversed__ __repr__ __str__ to_dense dense_dim sparse_dim qscheme coalesce hardshrink "
    "is_distributed new relu relu_ __nonzero__ __long__ coalesce is_coalesced to_sparse_coo "
    "to_sparse_csr storage_type dim_order to_mkldnn"
)

# Functions without arguments, or of one that is no tensor.
_PLAIN = words(
    "is_inference_mode_enabled is_anomaly_enabled is_autocast_enabled get_default_device "
    "get_num_threads get_rng_state initial_seed get_float32_matmul_precision"
)

PROBES: dict[str, list[Probe]] = {
    **{f"torch.Tensor.{n}": [_call(x), _call(lambda: torch.tensor(1.5))] for n in _BARE},
    **{f"torch.{n}": [_call()] for n in _PLAIN},
    "torch.einsum": [_call("ij->ji", x), _call("ij,ij->", x, x)],
    **{f"torch.{n}": [_call(x)] for n in ("is_inference", "is_neg", "is_signed", "get_device")},
    "torch.is_storage": [_call(x)],
    "torch.typename": [_call(x)],
    "torch.promote_types": [_call(torch.int64, torch.float32)],
    "torch.can_cast": [_call(torch.int64, torch.float32)],
    "torch.max_pool1d": [_call(lambda: torch.rand(2, 3, 6), 2)],
    "torch.max_pool2d": [_call(lambda: torch.rand(2, 3, 6, 6), 2)],
    "torch.max_pool3d": [_call(lambda: torch.rand(2, 3, 6, 6, 6), 2)],
    "torch.dropout": [_call(x, 0.5, True), _call(x, 0.5, False)],
    "torch.dropout_": [_call(x, 0.5, True)],
    "torch.alpha_dropout": [_call(x, 0.5, True), _call(x, 0.5, False)],
    "torch.batch_norm": [_call(x, None, None, None, None, True, 0.1, 1e-5, False)],
    "torch.embedding_bag": [
        _call(lambda: torch.rand(5, 3), lambda: torch.tensor([1, 2, 4]), lambda: torch.tensor([0]))
    ],
    "torch.svd_lowrank": [_call(lambda: torch.rand(2, 8, 6)), _call(lambda: torch.rand(8, 6))],
    "torch.pca_lowrank": [_call(lambda: torch.rand(2, 8, 6)), _call(lambda: torch.rand(8, 6))],
    "torch.sparse_coo_tensor": [_call([[0, 1], [1, 0]], [1.0, 2.0], (2, 2))],
    "torch.frombuffer": [lambda: ((bytearray(16),), {"dtype": torch.float32})],
    "torch.Tensor.unsafe_split_with_sizes": [_call(x, [1, 2])],
    "torch.Tensor.map_": [_call(lambda: x(), lambda: x(), lambda: lambda a, b: a)],
    "torch.Tensor.register_post_accumulate_grad_hook": [_call(x, lambda: abs)],
    "torch.nn.init.calculate_gain": [_call("relu")],
    "torch.nn.utils.rnn.unpack_sequence": [
        _call(lambda: torch.nn.utils.rnn.pack_sequence([torch.rand(3, 4), torch.rand(2, 4)]))
    ],
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
    "torch.empty": [_call(2, 3)],
    "torch.fill": [_call(x, 1.0), _call(x, lambda: torch.tensor(2.0))],
    "torch.fill_": [_call(x, 1.0), _call(x, lambda: torch.tensor(2.0))],
    "torch.Tensor.fill_": [_call(x, 1.0), _call(x, lambda: torch.tensor(2.0))],
    "torch.tril_indices": [_call(3, 3)],
    "torch.triu_indices": [_call(3, 3)],
    "torch.eye": [_call(3)],
    "torch.seed": [_call()],
    "torch.poisson": [_call(x)],
    "torch.pixel_shuffle": [_call(lambda: torch.rand(1, 4, 2, 2), 2)],
    "torch.chain_matmul": [_call(x, lambda: x().T), _call(x, lambda: torch.rand(4, 5))],
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
        _call(lambda: torch.rand(2, 3, 4), (2, 1, 4, 4, 4)),
    ],
    # Its samples all have an empty batch.
    "torch.nn.functional.unfold": [
        _call(lambda: torch.rand(2, 3, 6, 6), 2), _call(lambda: torch.rand(3, 6, 6), 2)
    ],
    "torch.nn.functional.upsample": [_call(lambda: torch.rand(1, 2, 4, 4), scale_factor=2)],
    "torch.nn.functional.dropout1d": [
        _call(lambda: torch.rand(2, 3, 4)), _call(lambda: torch.rand(2, 3, 4), training=False)
    ],
    "torch.nn.functional.lp_pool1d": [_call(lambda: torch.rand(2, 3, 8), 2.0, 2)],
    "torch.nn.functional.lp_pool2d": [_call(lambda: torch.rand(2, 3, 8, 8), 2.0, 2)],
    "torch.nn.functional.lp_pool3d": [_call(lambda: torch.rand(2, 3, 8, 8, 8), 2.0, 2)],
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


for _name in words(
    "uniform normal constant ones zeros eye dirac xavier_uniform xavier_normal kaiming_uniform "
    "kaiming_normal trunc_normal orthogonal sparse"
):
    _args: tuple[Any, ...] = {"constant": (0.5,), "sparse": (0.5,)}.get(_name, ())
    _make = (lambda: torch.rand(3, 4, 2)) if _name == "dirac" else x
    for _key in (f"torch.nn.init.{_name}_", f"torch.nn.init.{_name}"):
        PROBES[_key] = [_call(_make, *_args)]


def _given(*args: Any, **kwargs: Any) -> Any:
    return lambda: (args, kwargs)


def _image(*shape: int) -> Any:
    return lambda: (torch.rand(*(shape or (2, 4, 6, 6))),)


def _unpool(dims: int) -> Any:
    def make() -> tuple[Any, ...]:
        pool = getattr(torch.nn, f"MaxPool{dims}d")(2, return_indices=True)
        return tuple(pool(torch.rand(2, 3, *(4,) * dims)))

    return make


def _decoder() -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (torch.nn.TransformerDecoderLayer(8, 2, batch_first=True), 1), {}


_pair = _image(4, 6)


def _pairs() -> tuple[Any, ...]:
    return torch.rand(4, 6), torch.rand(4, 6)


def _triple() -> tuple[Any, ...]:
    return torch.rand(4, 6), torch.rand(4, 6), torch.rand(4, 6)


# Constructor arguments, then inputs, for modules that `module_db` leaves out.
MODULES: dict[str, list[tuple[Any, Any]]] = {
    "AdaptiveLogSoftmaxWithLoss": [
        (_given(6, 20, [5, 10]), lambda: (torch.rand(4, 6), torch.tensor([0, 4, 9, 19])))
    ],
    "AlphaDropout": [(_given(), _pair), (_given(), _image())],
    "ChannelShuffle": [(_given(2), _image())],
    "CosineSimilarity": [
        (_given(), _pairs), (_given(), lambda: (torch.rand(2, 3, 4), torch.rand(2, 3, 4)))
    ],
    "CrossMapLRN2d": [(_given(2), _image())],
    "DataParallel": [],
    "Dropout": [(_given(), _pair), (_given(), _image())],
    "Dropout1d": [(_given(), _image(2, 3, 4)), (_given(), _pair)],
    "Dropout2d": [(_given(), _image()), (_given(), _image(3, 4, 5))],
    "Dropout3d": [(_given(), _image(2, 3, 4, 5, 6))],
    "EmbeddingBag": [
        (_given(10, 3), lambda: (torch.tensor([[1, 2], [4, 5], [4, 3]]),)),
        (_given(10, 3), lambda: (torch.tensor([1, 2, 4, 5]), torch.tensor([0, 2]))),
    ],
    "FeatureAlphaDropout": [(_given(), _image()), (_given(), _image(2, 3, 4, 5, 6))],
    "Flatten": [(_given(), _image()), (_given(), _image(2, 3, 4))],
    "Fold": [(_given((4, 5), (2, 2)), _image(1, 12, 12))],
    "FractionalMaxPool2d": [(_given(2, output_size=3), _image())],
    "FractionalMaxPool3d": [(_given(2, output_size=3), _image(2, 3, 6, 6, 6))],
    "Hardsigmoid": [(_given(), _pair)],
    "Identity": [(_given(), _pair), (_given(), _image())],
    "MaxUnpool1d": [(_given(2), _unpool(1))],
    "MaxUnpool2d": [(_given(2), _unpool(2))],
    "MaxUnpool3d": [(_given(2), _unpool(3))],
    "NLLLoss2d": [
        (_given(), lambda: (torch.rand(2, 4, 3, 3), torch.ones(2, 3, 3, dtype=torch.int64)))
    ],
    "PairwiseDistance": [
        (_given(), _pairs), (_given(), lambda: (torch.rand(2, 3, 4), torch.rand(2, 3, 4)))
    ],
    "PixelShuffle": [(_given(2), _image())],
    "PixelUnshuffle": [(_given(2), _image())],
    "RReLU": [(_given(), _pair), (_given(), _image())],
    "SoftMarginLoss": [
        (_given(), _pairs), (_given(reduction="none"), _pairs), (_given(reduction="sum"), _pairs)
    ],
    "SyncBatchNorm": [],
    "TransformerDecoder": [(_decoder, lambda: (torch.rand(2, 5, 8), torch.rand(2, 3, 8)))],
    "TripletMarginLoss": [(_given(), _triple), (_given(reduction="none"), _triple)],
    "TripletMarginWithDistanceLoss": [(_given(), _triple), (_given(reduction="none"), _triple)],
    "Unflatten": [(_given(1, (2, 3)), _pair), (_given(1, (1, 2, 3)), _pair)],
    "Unfold": [(_given(2), _image())],
    "Upsample": [(_given(scale_factor=2), _image()), (_given(scale_factor=2), _image(2, 3, 4))],
    "UpsamplingBilinear2d": [(_given(scale_factor=2), _image())],
    "UpsamplingNearest2d": [(_given(scale_factor=2), _image())],
}  # fmt: skip
