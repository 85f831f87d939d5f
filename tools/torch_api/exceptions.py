"""What no run on this machine can show, with the reason. `None` removes what the runs said."""

from __future__ import annotations

from typing import Any

EXCEPTIONS: dict[str, dict[str, Any]] = {
    # Needs a live graph between its arguments; a sample's copies have none.
    "torch.autograd.grad": {"ret": "tensors"},
    "torch.autograd.backward": {"ret": "none"},
    "torch.Tensor.backward": {"ret": "none"},
    # They change the `.grad` of parameters; copies of samples have none.
    "torch.nn.utils.clip_grad_norm_": {"shape": "scalar", "grad": False},
    "torch.nn.utils.clip_grad_norm": {"shape": "scalar", "grad": False},
    "torch.nn.utils.clip_grad_value_": {"ret": "none"},
    "torch.nn.utils.clip_grads_with_norm_": {"ret": "none"},
    # They return the module that they are given.
    **{
        f"torch.nn.utils.{name}": {"ret": "other"}
        for name in ("spectral_norm", "weight_norm", "remove_spectral_norm", "remove_weight_norm")
    },
    # A copy where the tensor is elsewhere, itself where it is not; here it never is elsewhere.
    **{
        f"torch.Tensor.{name}": {"shape": "same", "alias": "maybe"}
        for name in ("cpu", "cuda", "xpu", "ipu", "mtia", "pin_memory", "to_dense")
    },
    # A copy only if the conjugate or negative bit is set, which `clone` clears from a sample.
    **{
        f"torch{where}.{name}": {"alias": "maybe"}
        for where in ("", ".Tensor")
        for name in ("resolve_conj", "resolve_neg", "conj_physical")
    },
    # A sample's values come without a graph.
    "torch.sparse_coo_tensor": {"grad": None, "creates": None, "dtype": "promote"},
    # The dtype comes from an argument that may be a dtype, a string, a device or a tensor.
    "torch.Tensor.to": {"shape": "same", "dtype": "arg", "alias": "maybe"},
    "torch.Tensor.type_as": {"shape": "same", "dtype": "arg", "alias": "maybe"},
    # Without an argument it returns a string.
    "torch.Tensor.type": {"ret": None, "shape": "same", "dtype": "arg", "alias": "maybe"},
    # Both refuse a graph; `tolist` of a 0-d tensor is a number.
    "torch.Tensor.numpy": {"ret": "numpy", "alias": "view"},
    "torch.Tensor.tolist": {"ret": "list"},
    # Refused on a tensor that requires grad, so samples never show the receiver's new shape.
    **{
        f"torch.{where}{name}": {"alias": "self", "shape": None, "rank": None, "grad": None}
        for where in ("", "Tensor.")
        for name in ("resize_", "resize_as_")
    },
    # Never tried with a right side of other batch dimensions: wrong pivots crash.
    **{
        f"torch.{name}": {"shape": None, "rank": None}
        for name in ("lu_solve", "Tensor.lu_solve", "linalg.lu_solve", "linalg.ldl_solve")
    },
    # Of their two results it is the indices that they keep.
    **{
        f"torch.nn.functional.{kind}max_pool{rank}d{suffix}": {"saves": ["self"]}
        for kind in ("", "adaptive_", "fractional_")
        for rank in ((2, 3) if kind == "fractional_" else (1, 2, 3))
        for suffix in ("", "_with_indices")
    },
    # `mode="area"` alone keeps its input, as the pooling that it is.
    "torch.nn.functional.interpolate": {"saves": None},
    # `mode="constant"`, the default, keeps nothing.
    "torch.nn.functional.pad": {"saves": None},
    # An iterator over views of the rows.
    "torch.Tensor.__iter__": {"ret": "tensors", "alias": "view"},
}
