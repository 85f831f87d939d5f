"""What functions of `math` and `numpy` are called in torch, and how a call is rewritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import libcst as cst

_AXIS = {"axis": "dim", "keepdims": "keepdim"}
_DEGREES = {**_AXIS, "ddof": "correction"}


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A function of torch that gives what one of `math` or `numpy` gives."""

    name: str
    """Its name below `torch.`."""
    keywords: Mapping[str, str] = field(default_factory=dict)
    """What its keyword arguments are called in torch."""
    tensors: bool = False
    """Every positional argument has to be a tensor: a number must be lifted first."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Keyword arguments of torch that must be spelled out, for the defaults differ."""
    most: int = 9
    """How many positional arguments mean the same in both."""
    least: int = 1
    """How many arguments have to be given."""
    flat: bool = False
    """Without an axis numpy takes all elements in a row, and torch has to be told so."""


def _elementwise(names: str, **renamed: str) -> dict[str, Counterpart]:
    found = {name: Counterpart(name, most=1) for name in names.split()}
    return found | {name: Counterpart(torch, most=1) for name, torch in renamed.items()}


_BOTH = _elementwise("exp log sqrt sin cos tan sinh cosh tanh log2 log10 log1p expm1 exp2") | {
    "copysign": Counterpart("copysign", tensors=True, most=2),
    "hypot": Counterpart("hypot", tensors=True, most=2),
    "fmod": Counterpart("fmod", tensors=True, most=2),
}

_MATH = {
    **_BOTH,
    **_elementwise("asin acos atan asinh acosh atanh erf erfc lgamma"),
    **_elementwise("", fabs="abs", degrees="rad2deg", radians="deg2rad"),
    "atan2": Counterpart("atan2", tensors=True, most=2),
    "pow": Counterpart("pow", most=2),
}

_NUMPY = {
    **_BOTH,
    **_elementwise("abs sign square reciprocal negative sinc deg2rad rad2deg"),
    **_elementwise("", absolute="abs", fabs="abs", degrees="rad2deg", radians="deg2rad"),
    **_elementwise("", arcsin="asin", arccos="acos", arctan="atan"),
    **_elementwise("", arcsinh="asinh", arccosh="acosh", arctanh="atanh"),
    **{name: Counterpart(name, most=2) for name in ("matmul", "outer", "where", "multiply")},
    **{name: Counterpart(name, most=2) for name in ("add", "subtract", "divide")},
    "true_divide": Counterpart("true_divide", most=2),
    "arctan2": Counterpart("atan2", tensors=True, most=2),
    "maximum": Counterpart("maximum", tensors=True, most=2),
    "minimum": Counterpart("minimum", tensors=True, most=2),
    "logaddexp": Counterpart("logaddexp", tensors=True, most=2),
    "power": Counterpart("pow", most=2),
    "float_power": Counterpart("pow", most=2),
    "dot": Counterpart("matmul", most=2),
    "where": Counterpart("where", most=3),
    "clip": Counterpart("clamp", {"a_min": "min", "a_max": "max"}, most=3),
    "sum": Counterpart("sum", _AXIS, most=2),
    "mean": Counterpart("mean", _AXIS, most=2),
    "max": Counterpart("amax", _AXIS, most=2),
    "amax": Counterpart("amax", _AXIS, most=2),
    "min": Counterpart("amin", _AXIS, most=2),
    "amin": Counterpart("amin", _AXIS, most=2),
    "std": Counterpart("std", _DEGREES, defaults={"correction": "0"}, most=2),
    "var": Counterpart("var", _DEGREES, defaults={"correction": "0"}, most=2),
    "prod": Counterpart("prod", _AXIS, most=2),
    "concatenate": Counterpart("cat", {"axis": "dim"}, most=2),
    "stack": Counterpart("stack", {"axis": "dim"}, most=2),
    "vstack": Counterpart("vstack", most=1),
    "hstack": Counterpart("hstack", most=1),
    "expand_dims": Counterpart("unsqueeze", {"axis": "dim"}, most=2),
    "squeeze": Counterpart("squeeze", {"axis": "dim"}, most=2),
    "diff": Counterpart("diff", {"n": "n", "axis": "dim"}, most=3),
    "cumsum": Counterpart("cumsum", {"axis": "dim"}, most=2, flat=True),
    "cumprod": Counterpart("cumprod", {"axis": "dim"}, most=2, flat=True),
    "trapezoid": Counterpart("trapezoid", {"dx": "dx", "axis": "dim"}, tensors=True, most=2),
    "trapz": Counterpart("trapezoid", {"dx": "dx", "axis": "dim"}, tensors=True, most=2),
    "roll": Counterpart("roll", {"shift": "shifts", "axis": "dims"}, most=3, least=2),
    "repeat": Counterpart(
        "repeat_interleave", {"repeats": "repeats", "axis": "dim"}, most=3, least=2
    ),
    "swapaxes": Counterpart("swapaxes", most=3),
    "moveaxis": Counterpart("moveaxis", most=3),
    "transpose": Counterpart("permute", {"axes": "dims"}, most=2, least=2),
    "broadcast_to": Counterpart("broadcast_to", most=2),
    "ravel": Counterpart("ravel", most=1),
    "tril": Counterpart("tril", {"k": "diagonal"}, most=2),
    "triu": Counterpart("triu", {"k": "diagonal"}, most=2),
    "diag": Counterpart("diag", {"k": "diagonal"}, most=2),
    "kron": Counterpart("kron", tensors=True, most=2),
    "inner": Counterpart("inner", tensors=True, most=2),
    "mod": Counterpart("remainder", tensors=True, most=2),
    "remainder": Counterpart("remainder", tensors=True, most=2),
    "linalg.solve": Counterpart("linalg.solve", tensors=True, most=2),
    "linalg.pinv": Counterpart("linalg.pinv", most=1),
    "linalg.cholesky": Counterpart("linalg.cholesky", most=1),
    "linalg.norm": Counterpart("linalg.norm", {**_AXIS, "ord": "ord"}, most=3),
    "linalg.inv": Counterpart("linalg.inv", most=1),
    "linalg.det": Counterpart("linalg.det", most=1),
}


NUMERIC = frozenset(name.rpartition(".")[2] for name in (*_MATH, *_NUMPY))
"""What the functions with a counterpart are called."""


def counterpart(dotted: str) -> Counterpart | None:
    """What stands for `math.exp` or `numpy.linalg.norm` in torch; None if nothing does exactly."""
    root, _, name = dotted.partition(".")
    table = {"math": _MATH, "numpy": _NUMPY}.get(root)
    return table.get(name) if table is not None else None


def renamed(call: cst.Call, function: str, to: Counterpart) -> cst.Call | None:
    """The call, made to the torch function that `function` spells; None if an argument has no
    counterpart. Its layout and comments stay."""
    if len(call.args) < to.least + to.flat:
        return None
    arguments: list[cst.Arg] = []
    for at, argument in enumerate(call.args):
        if argument.star:
            return None
        if argument.keyword is None:
            if at >= to.most:
                return None
            arguments.append(argument)
            continue
        keyword = to.keywords.get(argument.keyword.value)
        if keyword is None:
            return None
        arguments.append(argument.with_changes(keyword=cst.Name(keyword)))
    given = {a.keyword.value for a in arguments if a.keyword is not None}
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    arguments += [
        cst.Arg(cst.parse_expression(value), keyword=cst.Name(name), equal=equal)
        for name, value in to.defaults.items()
        if name not in given
    ]
    return call.with_changes(func=cst.parse_expression(function), args=arguments)
