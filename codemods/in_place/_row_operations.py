"""What operations do to the shape of a row, and which of them are not plain functions of it."""

from __future__ import annotations

REDUCE = frozenset(
    {
        "sum",
        "mean",
        "amax",
        "amin",
        "max",
        "min",
        "std",
        "var",
        "norm",
        "logsumexp",
        "vector_norm",
        "prod",
        "median",
        "numel",
        "dim",
        "size",
        "item",
        "tolist",
        "dot",
        "matmul",
        "mv",
    }
)
TOTAL = frozenset({"sum", "mean", "max", "min", "std", "var", "norm", "prod", "median"})
"""Without arguments these make one number of anything."""
ALONG = frozenset(
    {"softmax", "log_softmax", "softmin", "normalize", "cumsum", "cumprod", "logcumsumexp"}
)
SAME = ALONG | {
    "abs",
    "absolute",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sqrt",
    "rsqrt",
    "square",
    "neg",
    "negative",
    "reciprocal",
    "relu",
    "sigmoid",
    "tanh",
    "softplus",
    "sin",
    "cos",
    "tan",
    "atan",
    "arctan",
    "sinh",
    "cosh",
    "erf",
    "clamp",
    "clamp_min",
    "clamp_max",
    "clip",
    "pow",
    "add",
    "sub",
    "subtract",
    "mul",
    "multiply",
    "div",
    "divide",
    "true_divide",
    "maximum",
    "minimum",
    "float_power",
    "where",
    "nan_to_num",
    "gelu",
    "silu",
    "elu",
    "leaky_relu",
    "selu",
    "logsigmoid",
    "sign",
    "clone",
    "detach",
    "contiguous",
}
RANDOM = frozenset(
    {
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "feature_alpha_dropout",
        "gumbel_softmax",
        "bernoulli",
        "multinomial",
        "normal",
        "poisson",
        "rand",
        "randn",
        "randint",
        "rand_like",
        "randn_like",
        "randint_like",
        "randperm",
        "rrelu",
    }
)
STOPS = frozenset({"detach", "item", "tolist", "float", "int"})
RANDOM_MODULES = ("Dropout", "RReLU", "BatchNorm", "InstanceNorm")
COUNTED = frozenset({"len", "enumerate", "zip"})
METADATA = frozenset({"shape", "dtype", "device", "ndim", "size", "dim"})
PYTHON = frozenset({"float", "int", "len", "abs", "max", "min", "sum", "range"})
