"""The table's `saves`, which were seen, against `derivatives.yaml`, where they are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torchgen.model import FunctionSchema
from torchgen.packaged.autograd.load_derivatives import load_derivatives

from torch_api.observe import FIRST
from torch_api.schema import PACKAGED, PREFIXES


def _written() -> dict[str, set[str]]:
    where = PACKAGED.parents[1]
    formulas, _ = load_derivatives(
        str(where / "autograd" / "derivatives.yaml"),
        str(PACKAGED / "native_functions.yaml"),
        str(PACKAGED / "tags.yaml"),
    )
    found: dict[str, set[str]] = {}
    for schema, variants in formulas.items():
        if schema.name.name.inplace:
            continue
        for info in variants.values():
            found.setdefault(schema.name.name.base, set()).update(_names(schema, info))
    return found


def _names(schema: FunctionSchema, info: Any) -> Iterator[str]:
    first = next((a.name for a in schema.arguments.flat_all), None)
    for saved in info.all_saved_inputs:
        if "Tensor" in str(saved.nctype.type):
            name = str(saved.nctype.name)
            yield FIRST if name == first else name
    if any("Tensor" in str(saved.nctype.type) for saved in info.all_saved_outputs):
        yield "result"


def audit(table: dict[str, Any]) -> Iterator[str]:
    """Every difference. Those left have reasons: see the end of this file."""
    written = _written()
    for key, spec in table["functions"].items():
        where, _, name = key.rpartition(".")
        expected = written.get(PREFIXES.get(where, "") + name)
        seen = set(spec.get("saves", ()))
        if expected is not None and expected != seen:
            yield f"{key}: seen {sorted(seen)}, written {sorted(expected)}"


# - `*_geometry`, `*_options`: sizes or a dtype, not values.
# - `sum`, `mean`, `select`, `chunk`, `unbind`, `view_copy`: `self` for nested tensors only.
# - `max`, `min`: `max(a, b)` goes through `maximum`, which has its own formula.
# - `max_pool2d`, `embedding`: composite, or another order of arguments, in Python.
# - `lstsq`, `polygamma`: another name in Python.
