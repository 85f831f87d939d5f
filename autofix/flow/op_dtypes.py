"""The dtypes of what torch operations give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autofix.flow.joins import promote
from autofix.flow.torch_api import Op
from autofix.flow.values import FLOATING, Value

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

_CASTS = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "bfloat16": "bfloat16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "char": "int8",
    "byte": "uint8",
    "bool": "bool",
    "cfloat": "complex64",
    "cdouble": "complex128",
}


_DTYPE_NAMES = {
    **_CASTS,
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "BoolTensor": "bool",
    "ByteTensor": "uint8",
}


def dtype_name(value: Value | None) -> str | None:
    """The dtype that `torch.float64`, `torch.DoubleTensor`, `float` ... stand for."""
    if value is None:
        return None
    if not isinstance(value.ref, str):
        return value.dtype if value.is_tensor else None
    last = value.ref.rpartition(".")[2]
    if value.ref.startswith("builtins."):
        return {"float": "float64", "int": "int64", "bool": "bool"}.get(last)
    return _DTYPE_NAMES.get(
        last, last if last in FLOATING or last.startswith(("int", "u")) else None
    )


def _dtype_of_numbers(values: Sequence[Value]) -> str | None:
    """What `torch.arange(0, 4)` is made of, where the numbers are written in the source."""
    kinds = {type(value.const) for value in values}
    if float in kinds:
        return "default"
    return "int64" if kinds == {int} else None


def result_dtype(
    op: Op, name: str, receiver: Value | None, tensors: list[Value], given: Arguments
) -> str | None:
    explicit = given.keywords.get("dtype") or given.named("dtype", op.args)
    if explicit is not None and (found := dtype_name(explicit)):
        return found
    if receiver is not None:
        if name in _CASTS:
            return _CASTS[name]
        if name in ("to", "type", "type_as"):
            names = [d for v in given.values if (d := dtype_name(v))]
            return names[0] if names else receiver.dtype
    if op.dtype in ("bool", "int64"):
        return op.dtype
    if op.creates or name in ("rand", "randn", "zeros", "ones", "empty", "linspace", "eye"):
        if name in ("arange", "full"):
            return _dtype_of_numbers(given.values if name == "arange" else given.values[1:2])
        return "default" if name not in ("randint", "randperm") else None
    dtypes = [v.dtype for v in tensors if v.is_tensor]
    if op.dtype == "float" and len(tensors) == 1 and dtypes == [None]:
        return "float"  # whatever went in, a float comes out
    if not dtypes or len(dtypes) != len(tensors):
        return None
    dtype: str | None = dtypes[0]
    if op.dtype == "promote" or op.shape == "broadcast":
        for other in dtypes[1:]:
            dtype = promote(dtype, other)
    if op.dtype == "float" and dtype is not None and dtype not in FLOATING:
        return "default" if not dtype.startswith("complex") else dtype
    return dtype
