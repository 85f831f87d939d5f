"""What `native_functions.yaml` adds to the runs: the pointwise tag, and `out=`."""

from __future__ import annotations

import functools
import inspect
import re
from pathlib import Path
from typing import Any

import torchgen
from torchgen.gen import parse_native_yaml
from torchgen.model import NativeFunction

PACKAGED = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native"
PREFIXES = {"torch.linalg": "linalg_", "torch.special": "special_", "torch.fft": "fft_"}


@functools.cache
def _groups() -> dict[str, list[NativeFunction]]:
    parsed = parse_native_yaml(str(PACKAGED / "native_functions.yaml"), str(PACKAGED / "tags.yaml"))
    groups: dict[str, list[NativeFunction]] = {}
    for f in parsed.native_functions:
        name = f.func.name.name
        groups.setdefault(f"{name.base}{'_' * name.inplace}", []).append(f)
    return groups


def _overloads(key: str) -> list[NativeFunction]:
    where, _, name = key.rpartition(".")
    return _groups().get(PREFIXES.get(where, "") + name, [])


def pointwise(key: str) -> bool:
    """`add_` and `special.xlogy` count if `add` and `xlogy` do."""
    name = key.rpartition(".")[2].rstrip("_")
    found = [*_overloads(key), *_groups().get(name, ())]
    return any("pointwise" in f.tags for f in found)


def returns_list(key: str) -> bool:
    """Whether the number of results depends on the arguments, as for `split`."""
    returns = [r.type for f in _overloads(key) for r in f.func.returns]
    return any(t.is_list_like() for t in returns)


def accepts_out(key: str, fn: Any) -> bool:
    if key.startswith("torch.Tensor."):
        return False
    try:
        return "out" in inspect.signature(fn).parameters
    except (ValueError, TypeError):
        pass
    # Generated `out` overloads exist for the dispatcher only; Python does not see them.
    if any(f.func.is_out_fn() and "generated" not in f.tags for f in _overloads(key)):
        return not key.startswith("torch.nn.functional.")
    return bool(re.search(r"\bout=None", (fn.__doc__ or "").partition("->")[0]))
