"""Walk torch's public names, collect runs, decide, dump."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Any

import torch
from torch_api import modules
from torch_api.decide import Spec, decide
from torch_api.observe import Run, observe
from torch_api.probes import PROBES
from torch_api.samples import calls, infos, mixed
from torch_api.schema import Schema
from torch_api.signatures import function_names, method_names

NAMESPACES = {
    "torch": torch,
    "torch.nn.functional": torch.nn.functional,
    "torch.linalg": torch.linalg,
    "torch.special": torch.special,
    "torch.fft": torch.fft,
    "torch.nn.init": torch.nn.init,
    "torch.nn.utils": torch.nn.utils,
    "torch.nn.utils.rnn": torch.nn.utils.rnn,
    "torch.autograd": torch.autograd,
}

# What no run can show. Each with its reason.
EXCEPTIONS: dict[str, Spec] = {
    # Needs a live graph between its arguments; a probe's copies have none.
    "torch.autograd.grad": {"ret": "tensors"},
    "torch.autograd.backward": {"ret": "none"},
    "torch.Tensor.backward": {"ret": "none"},
    # No such device on the machine that generates the table; documented to behave as `cpu()`.
    **{f"torch.Tensor.{d}": {"alias": "maybe"} for d in ("cuda", "xpu", "ipu", "mtia")},
    "torch.Tensor.to": {"shape": "same", "dtype": "arg", "alias": "maybe"},
    # `numpy` and `tolist` differ by the number of dimensions and refuse a graph.
    "torch.Tensor.numpy": {"ret": "numpy", "alias": "view"},
    "torch.Tensor.tolist": {"ret": "list"},
}


def functions() -> Iterator[tuple[str, Any]]:
    for where, namespace in NAMESPACES.items():
        for name in sorted(dir(namespace)):
            value = getattr(namespace, name)
            key = f"{where}.{name}"
            if name.startswith("_") or isinstance(value, type | types.ModuleType):
                continue
            if callable(value) and (infos(key) or key in PROBES or key in EXCEPTIONS):
                yield key, value


def methods() -> Iterator[tuple[str, Any]]:
    for name in sorted(dir(torch.Tensor)):
        key = f"torch.Tensor.{name}"
        value = getattr(torch.Tensor, name, None)
        private = name.startswith("_") and not name.startswith("__")
        if private or not callable(value) or isinstance(value, type):
            continue
        if infos(key) or key in PROBES or key in EXCEPTIONS:
            yield key, value


def evidence(key: str, fn: Any, names: tuple[str, ...]) -> tuple[list[Run], list[Run]]:
    runs: list[Run] = []
    promoted: list[Run] = []
    for call, dtype in calls(key, fn, names):
        run = observe(call, grad=dtype is torch.float32, saves=dtype is torch.float32)
        if run is not None:
            runs.append(run)
        if dtype is torch.float32 and len(promoted) < 5:
            cast = mixed(call)
            run = observe(cast, grad=False, saves=False) if cast else None
            if run is not None:
                promoted.append(run)
    return runs, promoted


def entry(key: str, fn: Any, names: tuple[str, ...]) -> Spec | None:
    if key in EXCEPTIONS:
        spec = dict(EXCEPTIONS[key])
    else:
        runs, promoted = evidence(key, fn, names)
        if not runs:
            return None
        spec = decide(runs, promoted, names)
    schema = Schema.of(key, fn)
    spec |= schema.extra(spec)
    args = [n for n in names if n != "self"] if key.startswith("torch.Tensor.") else list(names)
    if args:
        spec["args"] = args
    return spec


def build() -> dict[str, Any]:
    torch.set_num_threads(1)
    table: dict[str, Any] = {"torch": torch.__version__.partition("+")[0]}
    table["functions"] = {}
    for key, fn in functions():
        spec = entry(key, fn, function_names(key, fn))
        if spec is not None:
            table["functions"][key] = spec
    table["methods"] = {}
    for key, fn in methods():
        name = key.removeprefix("torch.Tensor.")
        spec = entry(key, fn, ("self", *method_names(name, fn)))
        if spec is not None:
            table["methods"][name] = spec
    table["properties"] = modules.properties()
    table["modules"] = modules.modules()
    table["optimizers"] = modules.optimizers()
    table["schedulers"] = modules.schedulers()
    return table


ORDER = (
    "ret n ret_dim shape dim_required grad zero_grad dtype widen alias out creates saves args "
    "params container rank reduction"
).split()


def dump(table: dict[str, Any]) -> str:
    """One entry a line, sorted: a change of torch shows as a small diff."""

    def line(value: Any) -> str:
        if isinstance(value, dict):
            value = {k: value[k] for k in ORDER if k in value}
        return json.dumps(value, separators=(",", ":"))

    parts = []
    for section, content in table.items():
        if isinstance(content, dict):
            rows = ",\n".join(f"{json.dumps(k)}:{line(content[k])}" for k in sorted(content))
            parts.append(f'"{section}":{{\n{rows}\n}}')
        elif isinstance(content, list):
            rows = ",\n".join(json.dumps(x) for x in sorted(content))
            parts.append(f'"{section}":[\n{rows}\n]')
        else:
            parts.append(f'"{section}":{json.dumps(content)}')
    return "{" + ",\n".join(parts) + "}\n"


def show(key: str) -> str:
    found = dict(functions()) | dict(methods())
    fn = found[key]
    method = key.startswith("torch.Tensor.")
    names = method_names(key.removeprefix("torch.Tensor."), fn) if method else None
    bound = ("self", *names) if names is not None else function_names(key, fn)
    runs, promoted = evidence(key, fn, bound)
    lines = [json.dumps(entry(key, fn, bound)), *map(str, runs), "mixed:", *map(str, promoted)]
    return "\n".join(lines)
