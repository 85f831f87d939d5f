"""What attributes of libraries are, as far as their names tell."""

from __future__ import annotations

from autofix.flow.values import Kind, Value, library, number

_CONSTANTS = frozenset(
    {
        "math.pi",
        "math.e",
        "math.tau",
        "math.inf",
        "math.nan",
        "torch.pi",
        "torch.inf",
        "torch.nan",
        "torch.e",
        "numpy.pi",
        "numpy.e",
        "numpy.inf",
        "numpy.nan",
        "numpy.newaxis",
    }
)
_DTYPES = frozenset(
    {
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "float",
        "double",
        "half",
        "int8",
        "int16",
        "int32",
        "int64",
        "int",
        "long",
        "short",
        "uint8",
        "bool",
        "complex64",
        "complex128",
        "cfloat",
        "cdouble",
    }
)


def library_attribute(dotted: str) -> Value:
    if dotted in _CONSTANTS:
        return number()
    if dotted.startswith("torch.") and dotted[6:] in _DTYPES:
        return Value(Kind.OTHER, ref=dotted)
    return library(dotted)
