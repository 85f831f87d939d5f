"""From many runs of one callable to its entry: a field is written only where the runs agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch_api.observe import Run

Spec = dict[str, Any]
_BOOL, _INT64 = torch.bool, torch.int64


def decide(runs: Sequence[Run], mixed: Sequence[Run], names: Sequence[str]) -> Spec:
    """Keys in the order in which they are written. Empty: no run succeeded."""
    if not runs:
        return {}
    spec = _ret(runs)
    tensors = [r for r in runs if r.ret in ("tensor", "tensors")]
    if spec.get("ret", "tensor") in ("tensor", "tensors") and tensors:
        if spec.pop("mixed", False):
            tensors = [r for r in tensors if r.ret == "tensor"]
        else:
            spec |= _shape(tensors, names)
        spec |= _grad(tensors)
        spec |= _dtype(tensors, mixed, names)
    spec.pop("mixed", None)
    spec |= _alias(runs)
    if spec.get("alias") == "self" and spec.get("shape") == "broadcast":
        spec["shape"] = "same"
    if spec.get("grad") is False:
        runs = []
    if any(not r.tensors_in for r in tensors):
        spec["creates"] = True
    saves = frozenset().union(*(r.saves for r in runs if r.saves))
    if saves:
        spec["saves"] = sorted(saves, key=lambda s: (s == "result", s != "self", s))
    return spec


def _ret(runs: Sequence[Run]) -> Spec:
    kinds = {r.ret for r in runs}
    if kinds == {"tensor"}:
        return {}
    if kinds == {"tensors"}:
        counts = {r.n for r in runs}
        return {"ret": "tensors"} | ({"n": counts.pop()} if len(counts) == 1 else {})
    if kinds == {"tensor", "tensors"}:
        if all(r.has_dim == (r.ret == "tensors") for r in runs):
            return {"ret_dim": "tensors"}
        return {"mixed": True}
    if len(kinds) == 1:
        return {"ret": kinds.pop()}
    if kinds <= {"number", "bool", "list"}:
        return {"ret": "list" if "list" in kinds else "number"}
    if kinds == {"sizes", "number"}:
        return {"ret": "sizes"}
    return {"ret": "other"}


def _shape(runs: Sequence[Run], names: Sequence[str]) -> Spec:
    runs = [r for r in runs if r.tensors_in]
    telling = [r for r in runs if not r.trivial]
    if not telling:
        return {}
    holds = frozenset.intersection(*(r.shapes for r in runs))
    has_dim = bool({"dim", "axis"} & set(names)) or any(r.has_dim for r in runs)
    if "reduction" in names and "loss" in holds:
        return {"shape": "loss"}
    if "same" in holds:
        wide = "broadcast" in holds and max(r.tensors_in for r in runs) > 1
        return {"shape": "broadcast" if wide and any(r.tensors_in > 1 for r in telling) else "same"}
    if "scalar" in holds and not has_dim:
        return {"shape": "scalar"}
    if "reduce" in holds and has_dim:
        return {"shape": "reduce"}
    if "broadcast" in holds:
        return {"shape": "broadcast"}
    return {}


def _grad(runs: Sequence[Run]) -> Spec:
    seen = [r.grad for r in runs if r.grad is not None]
    if not any(seen):
        return {"grad": False}
    zero = [r.zero_grad for r in runs if r.zero_grad is not None]
    return {"zero_grad": True} if zero and all(zero) else {}


def _dtype(runs: Sequence[Run], mixed: Sequence[Run], names: Sequence[str]) -> Spec:
    pairs = {(r.dtype_in, r.dtype_out) for r in runs if not r.dtype_arg and r.dtype_out is not None}
    if not pairs:
        return {}
    outs = {out for _, out in pairs}
    ins = {i for i, _ in pairs if i is not None}
    if not ins:
        return {"dtype": "int64" if outs == {_INT64} else "arg"}
    spec: Spec = {}
    if outs == {_BOOL} and ins != {_BOOL}:
        return {"dtype": "bool"}
    if outs == {_INT64} and any(i.is_floating_point for i in ins):
        return {"dtype": "int64"}
    real = {(i, o) for i, o in pairs if i is not None and not i.is_complex}
    if real and all(o.is_complex for _, o in real):
        return {"dtype": "complex"}
    ints = {o for i, o in real if not i.is_floating_point and i is not _BOOL}
    if ints and all(o.is_floating_point for o in ints):
        spec = {"dtype": "float"}
    elif any(_promotes(r) for r in mixed):
        spec = {"dtype": "promote"}
    bools = {o for i, o in real if i is _BOOL}
    if bools == {_INT64} and ints == {_INT64}:
        spec["widen"] = True
    return spec


def _promotes(run: Run) -> bool:
    return run.dtype_in is _INT64 and run.dtype_out is torch.float32


def _alias(runs: Sequence[Run]) -> Spec:
    seen = [r for r in runs if r.shares is not None]
    if not seen:
        return {}
    if all(r.identical and r.mutates for r in seen):
        return {"alias": "self"}
    if all(r.shares for r in seen):
        return {"alias": "view"}
    if any(r.shares for r in seen):
        return {"alias": "maybe"}
    return {}
