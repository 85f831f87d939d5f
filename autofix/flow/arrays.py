"""The dtypes of numpy arrays, where the source shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autofix.flow.constructors import data_dtype
from autofix.flow.op_dtypes import dtype_name
from autofix.flow.values import Kind, Value

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

_OF_DATA = frozenset({"array", "asarray", "ascontiguousarray"})
_OF_SHAPE = {"zeros": 1, "ones": 1, "empty": 1, "linspace": 5, "identity": 1}
"""What gives floats if it is not told a dtype, and where that may stand."""
_SAME = frozenset(
    {"copy", "reshape", "ravel", "flatten", "transpose", "squeeze", "swapaxes", "repeat", "T"}
)

METHODS = frozenset(
    (
        "all any argmax argmin argpartition argsort astype byteswap choose clip compress conj "
        "conjugate copy cumprod cumsum diagonal dot dump dumps fill flatten getfield item max "
        "mean min nonzero partition prod put ravel repeat reshape resize round searchsorted "
        "setfield setflags sort squeeze std sum swapaxes take to_device tobytes tofile tolist "
        "trace transpose var view"
    ).split()
)
"""What numpy.ndarray has: something of which another method is called is none."""


def made_dtype(name: str, given: Arguments) -> str | None:
    """Of the result of `numpy.<name>(...)`."""
    last = name.rpartition(".")[2]
    if last in _OF_DATA:
        wanted = given.get(1, "dtype")
    elif last in _OF_SHAPE:
        wanted = given.get(_OF_SHAPE[last], "dtype")
    else:
        wanted = given.keywords.get("dtype")
    if wanted is not None or not given.exact:
        return dtype_name(wanted)
    if last in _OF_DATA and given.values:
        return _of_numbers(given.values[0])
    if last in _OF_SHAPE:
        return "float64"
    if last == "full" and len(given.values) > 1:
        return _of_numbers(given.values[1])
    if last == "arange" and given.values:
        found = {_of_numbers(value) for value in given.values}
        return found.pop() if len(found) == 1 else None
    return "int64" if name == "numpy.random.randint" else None


def _of_numbers(data: Value) -> str | None:
    if data.kind == Kind.NUMPY:
        return data.dtype
    found = None if data.is_tensor else data_dtype(data)
    return "float64" if found == "default" else found


def kept_dtype(array: Value, name: str, given: Arguments | None = None) -> str | None:
    """Of the result of `array.<name>(...)`, or of what `array.<name>` is."""
    if name == "astype" and given is not None:
        return dtype_name(given.get(0, "dtype"))
    return array.dtype if name in _SAME else None
