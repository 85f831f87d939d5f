"""From many runs of one callable to its entry: a field is written only where the runs agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from torch_api.observe import FIRST, Run
from torch_api.signatures import Signature

Spec = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    runs: Sequence[Run] = ()
    mixed: Sequence[Run] = ()  # an integer tensor first, floats after it
    bare: Sequence[Run] = ()  # the first argument alone
    alone: Sequence[tuple[str, Run]] = ()  # only the named argument requires grad
    signature: Signature = field(default_factory=Signature)
    pointwise: bool = False
    in_place_name: bool = False
    returns_list: bool = False


def decide(evidence: Evidence) -> Spec:
    """Empty: no run succeeded."""
    runs = evidence.runs
    if not runs:
        return {}
    spec, tensors = _ret(runs, evidence)
    if tensors:
        spec |= _shape(tensors, evidence)
        spec |= _grad(tensors)
        spec |= _dtype(tensors, evidence.mixed)
        spec |= _alias(runs, evidence.in_place_name)
        if spec.get("alias") == FIRST and spec.get("shape") == "broadcast":
            spec["shape"] = "same"  # an op in place never grows its first argument
        if any(not r.tensors_in for r in tensors):
            spec = _factory(spec, tensors)
    if spec.get("grad", True):
        spec |= _saves(evidence)
    return spec


def _ret(runs: Sequence[Run], evidence: Evidence) -> tuple[Spec, Sequence[Run]]:
    """The kind of result, and the runs that the other fields speak of."""
    kinds = {r.ret for r in runs}
    single = [r for r in runs if r.ret == "tensor"]
    several = [r for r in runs if r.ret == "tensors"]
    if kinds == {"tensor"}:
        return {}, runs
    if kinds == {"tensors"}:
        counts = {r.n for r in runs}
        fixed = len(counts) == 1 and not evidence.returns_list
        return {"ret": "tensors"} | ({"n": counts.pop()} if fixed else {}), runs
    if kinds == {"tensor", "tensors"}:
        return _either(single, several)
    if len(kinds) == 1:
        return {"ret": kinds.pop()}, ()
    if kinds <= {"number", "bool"}:
        return {"ret": "number"}, ()
    # `size()` and `size(0)`
    return {"ret": "sizes" if kinds == {"sizes", "number"} else "other"}, ()


def _either(single: Sequence[Run], several: Sequence[Run]) -> tuple[Spec, Sequence[Run]]:
    """One tensor or several: by a dimension, by an option, by how many it was given."""
    if not any(r.has_dim for r in single) and all(r.has_dim for r in several):
        return {"ret_dim": "tensors"}, [*single, *several]
    off = {f for r in single for f in r.flags}
    if all(r.flags - off for r in several):
        return {"ret_flag": sorted({f for r in several for f in r.flags - off})}, single
    if all(r.tensors_in == 1 for r in single) and all(r.tensors_in != 1 for r in several):
        return {}, single  # `atleast_1d(a)`, `atleast_1d(a, b)`
    if all(r.bare for r in several) and not any(r.bare for r in single):
        return {}, single  # `where(mask)`
    return {"ret": "other"}, ()


def _shape(runs: Sequence[Run], evidence: Evidence) -> Spec:
    runs = [r for r in runs if r.tensors_in]
    if any(r.has_dim for r in runs) and any(r.binary for r in runs):
        binary = {"binary": True}  # `max(a, b)` beside `max(a, dim)`
        runs = [r for r in runs if not r.binary]
    else:
        binary = {}
    if not any(r.telling for r in runs):
        return {}
    holds = frozenset.intersection(*(r.shapes for r in runs))
    has_dim = bool({"dim", "axis"} & evidence.signature.keywords)
    if "reduction" in evidence.signature.keywords and "loss" in holds:
        return {"shape": "loss"}
    if "same" in holds:
        wide = evidence.pointwise and "broadcast" in holds and any(r.tensors_in > 1 for r in runs)
        return {"shape": "broadcast" if wide else "same"}
    if "scalar" in holds and not has_dim:
        return {"shape": "scalar"}
    if "reduce" in holds and has_dim and all("reduce" in r.shapes for r in evidence.bare):
        required = {} if evidence.bare else {"dim_required": True}
        return {"shape": "reduce"} | required | binary
    if "broadcast" in holds:
        return {"shape": "broadcast"}
    return _rank(runs)


def _rank(runs: Sequence[Run]) -> Spec:
    deltas = {None if r.rank_out is None else r.rank_out - r.rank_in for r in runs if r.filled}
    if len(deltas) != 1 or None in deltas:
        return {}
    delta = deltas.pop()
    return {"rank": "same" if delta == 0 else f"{delta:+d}"}


def _grad(runs: Sequence[Run]) -> Spec:
    seen = [r.grad for r in runs if r.grad is not None]
    if not any(seen):
        return {"grad": False}
    zero = [r.zero_grad for r in runs if r.zero_grad is not None]
    return {"zero_grad": True} if zero and all(zero) else {}


def _integer(dtype: torch.dtype) -> bool:
    return not (dtype.is_floating_point or dtype.is_complex or dtype is torch.bool)


def _same_kind(given: torch.dtype, result: torch.dtype) -> bool:
    """Up to width; the magnitude of a complex number counts as one."""
    return (
        given is result
        or (_integer(given) and _integer(result))
        or (given is torch.bool and _integer(result))
        or (given.is_complex and result.is_floating_point)
    )


def _dtype(runs: Sequence[Run], mixed: Sequence[Run]) -> Spec:
    runs = [r for r in runs if r.dtype_in and r.dtype_out and not r.dtype_arg]
    pairs = {(r.dtype_in, r.dtype_out, r.plain) for r in runs if r.dtype_in and r.dtype_out}
    if not pairs:
        return {}
    ins, outs = {i for i, _, _ in pairs}, {o for _, o, _ in pairs}
    if outs == {torch.bool} and ins != {torch.bool}:
        return {"dtype": "bool"}
    if all(map(_integer, outs)) and any(i.is_floating_point for i in ins):
        return {"dtype": "int64"}
    real = [p for p in pairs if not p[0].is_complex]
    if real and all(o.is_complex for _, o, _ in real):
        return {"dtype": "complex"}
    # `div` gives integers with `rounding_mode`: the call without options decides.
    whole = [p for p in real if _integer(p[0])]
    whole = [p for p in whole if p[2]] or whole
    if whole and all(o.is_floating_point for _, o, _ in whole):
        return {"dtype": "float"}
    spec: Spec = {}
    if not all(_same_kind(i, o) for i, o, _ in pairs):
        # `embedding` has the dtype of its weight, `ifft(..)` and `stft` that of an option.
        spec["dtype"] = "promote" if all(r.promoted for r in runs) else "arg"
    if any(r.dtype_in is torch.int64 and r.dtype_out is torch.float32 for r in mixed):
        spec["dtype"] = "promote"
    bools = {o for i, o, _ in real if i is torch.bool}
    if bools == {torch.int64} and all(_integer(o) for _, o, _ in whole):
        spec["widen"] = True
    return spec


def _alias(runs: Sequence[Run], in_place_name: bool) -> Spec:
    seen = [r for r in runs if r.shares is not None]
    if not seen:
        return {}
    if all(r.identical and (r.mutates or in_place_name) for r in seen):
        return {"alias": FIRST}
    if all(r.shares for r in seen):
        return {"alias": "view"}
    return {"alias": "maybe"} if any(r.shares for r in seen) else {}


def _factory(spec: Spec, runs: Sequence[Run]) -> Spec:
    # `as_tensor(t)` has the shape of `t`, `as_tensor([t, u])` has not.
    kept = {k: v for k, v in spec.items() if k not in ("shape", "rank", "widen")}
    default = [r.dtype_out for r in runs if not r.tensors_in and not r.dtype_arg]
    integer = bool(default) and all(d is not None and _integer(d) for d in default)
    return kept | {"creates": True, "dtype": "int64" if integer else "arg"}


def _saves(evidence: Evidence) -> Spec:
    saves: frozenset[str] = frozenset().union(*(r.saves for r in evidence.runs))
    if not saves:
        return {}
    spec: Spec = {"saves": _ordered(saves)}
    by_need: dict[str, frozenset[str]] = {}
    for name, run in evidence.alone:
        by_need[name] = by_need.get(name, frozenset()) | run.saves
    if len(by_need) > 1 and any(held != saves for held in by_need.values()):
        spec["saves_for"] = {name: _ordered(by_need[name]) for name in _ordered(by_need)}
    return spec


def _ordered(names: Any) -> list[str]:
    return sorted(names, key=lambda s: (s == "result", s != FIRST, s))
