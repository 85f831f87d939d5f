"""What a function of torch does with the tensors that it is given, by its name."""

from __future__ import annotations

from typing import Any

Kind = tuple[str, bool]
"""What to do with a function, and whether it writes into its first argument."""
_SKIP = frozenset(
    "requires_grad is_leaf grad_fn shape dtype device layout names ndim _version output_nr "
    "grad _grad is_cuda is_sparse is_meta is_cpu is_mps is_xpu is_quantized is_nested is_mkldnn "
    "is_sparse_csr is_inference itemsize nbytes name volatile retains_grad _backward_hooks".split()
)
_PASS = frozenset(
    "size dim numel nelement stride is_floating_point is_complex __len__ __repr__ __format__ "
    "__str__ __hash__ register_hook requires_grad_ retain_grad backward is_contiguous data_ptr "
    "storage_offset _set_grad_enabled set_grad_enabled untyped_storage element_size "
    "__reduce_ex__ __deepcopy__ is_tensor is_same_size get_device has_names type_as_ __bool__ "
    "__contains__ share_memory_ manual_seed _is_view is_shared allclose equal isnan isinf "
    "argmax argmin".split()
)


def classify(func: Any) -> Kind:
    name = getattr(func, "__name__", "") or ""
    if name in ("__get__", "__set__"):
        owner = getattr(getattr(func, "__self__", None), "__name__", "")
        if owner == "data":
            return ("data.get" if name == "__get__" else "data.set"), False
        if owner == "grad" and name == "__get__":
            return "grad.get", False
        if owner == "requires_grad" and name == "__set__":
            return "flag", False
        return ("skip" if owner in _SKIP or name == "__set__" else owner), False
    if name == "requires_grad_":
        return "flag", False
    if name in _PASS:
        return "skip", False
    return name, (name.endswith("_") and not name.endswith("__")) or name in (
        "__setitem__ __iadd__ __isub__ __imul__ __itruediv__ __ipow__".split()
    )
