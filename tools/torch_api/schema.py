"""What `native_functions.yaml` adds: `out=`, whether a dimension is required."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torchgen
from torchgen.gen import parse_native_yaml
from torchgen.model import NativeFunction

PACKAGED = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native"


@functools.cache
def _groups() -> dict[str, list[NativeFunction]]:
    parsed = parse_native_yaml(
        str(PACKAGED / "native_functions.yaml"), str(PACKAGED / "tags.yaml")
    )
    groups: dict[str, list[NativeFunction]] = {}
    for f in parsed.native_functions:
        name = f.func.name.name
        groups.setdefault(f"{name.base}{'_' if name.inplace else ''}", []).append(f)
    return groups


@dataclass(frozen=True)
class Schema:
    overloads: tuple[NativeFunction, ...]
    method: bool
    fn: Any

    @staticmethod
    def of(key: str, fn: Any) -> Schema:
        where, _, name = key.rpartition(".")
        prefix = {"torch.linalg": "linalg_", "torch.special": "special_", "torch.fft": "fft_"}
        found = _groups().get(prefix.get(where, "") + name, ())
        return Schema(tuple(found), where == "torch.Tensor", fn)

    def extra(self, spec: dict[str, Any]) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        if not self.method and self._accepts_out():
            extra["out"] = True
        if spec.get("shape") == "reduce" and self._dim_required():
            extra["dim_required"] = True
        return extra

    def _accepts_out(self) -> bool:
        if any(f.func.is_out_fn() for f in self.overloads):
            return True
        return bool(re.search(r"^\s*\S*\w\(.*\bout=None", self.fn.__doc__ or "", re.M))

    def _dim_required(self) -> bool:
        plain = [f for f in self.overloads if not f.func.is_out_fn()]
        for f in plain:
            dims = [a for a in f.func.arguments.flat_non_out if a.name == "dim"]
            if not dims or dims[0].default is not None or str(dims[0].type).endswith("?"):
                return False
        return bool(plain)
