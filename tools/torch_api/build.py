"""Walk torch's public names, collect evidence, decide, dump."""

from __future__ import annotations

import json
import types
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from torch_api import modules, samples, schema, signatures
from torch_api.decide import Evidence, Spec, decide
from torch_api.exceptions import EXCEPTIONS
from torch_api.observe import Call, Run, observe, observe_most
from torch_api.probes import PROBES, words, x
from torch_api.signatures import Signature

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
METHOD = "torch.Tensor."


def public() -> Iterator[tuple[str, Any]]:
    """Every function, and every method of `Tensor`, under its full name."""
    for where, namespace in NAMESPACES.items():
        for name in sorted(dir(namespace)):
            value = getattr(namespace, name)
            if not name.startswith("_") and not isinstance(value, types.ModuleType):
                yield f"{where}.{name}", value
    for name in sorted(dir(torch.Tensor)):
        if not name.startswith("_") or name.startswith("__"):
            yield METHOD + name, getattr(torch.Tensor, name, None)


def operations() -> Iterator[tuple[str, Any]]:
    """Those that there is a way to know something about."""
    for key, fn in public():
        if not callable(fn) or isinstance(fn, type) or _internal(key, fn):
            continue
        if samples.infos(key) or key in PROBES or key in EXCEPTIONS:
            yield key, fn


def _internal(key: str, fn: Any) -> bool:
    """What `torch.nn.functional` calls for a loss: `reduction` is a number there."""
    return key.count(".") == 1 and "reduction" in signature_of(key, fn).keywords


def signature_of(key: str, fn: Any) -> Signature:
    if key.startswith(METHOD):
        return signatures.of_method(key.removeprefix(METHOD), fn)
    return signatures.of_function(key, fn)


def gather(key: str, fn: Any) -> Evidence:
    signature = signature_of(key, fn)
    runs: list[Run | None] = []
    mixed: list[Run | None] = []
    alone: list[tuple[str, Run | None]] = []
    of_tensor = False
    for count, call in enumerate(samples.calls(key, fn, signature)):
        of_tensor |= isinstance(call.args[0] if call.args else None, torch.Tensor)
        runs.append(observe_most(call))
        if count < 8:
            runs.append(observe_most(samples.transposed(call)))
            others = (samples.cast(call, d) for d in (torch.int64, torch.int32, torch.bool))
            runs += [observe(c) for c in others if c]
            first = samples.cast(call, torch.int64, only_first=True)
            mixed += [observe(first)] if first else []
        if count < 6:
            runs += [observe(v, v.differentiable()[:1]) for v in samples.variants(call)]
        if count < 16:
            alone += [(name, observe(call, (name,))) for name in call.differentiable()]
    bare = [observe(Call(fn, (make(),), {}, signature)) for make in (x, lambda: x()[0])]
    bare = [r for r in bare if r and r.ret in ("tensor", "tensors")]
    return Evidence(
        runs=[r for r in (*runs, *(bare if of_tensor else ())) if r],
        mixed=[r for r in mixed if r],
        bare=bare,
        alone=[(name, r) for name, r in alone if r],
        signature=signature,
        pointwise=schema.pointwise(key) or samples.binary(key),
        in_place_name=key.endswith("_") and not key.endswith("__"),
        returns_list=schema.returns_list(key) or signature.returns_list,
    )


def entry(key: str, fn: Any) -> Spec | None:
    evidence = gather(key, fn)
    spec = decide(evidence)
    if key in EXCEPTIONS:
        spec = {k: v for k, v in (spec | EXCEPTIONS[key]).items() if v is not None}
    elif not evidence.runs:
        return None
    if schema.accepts_out(key, fn):
        spec["out"] = True
    args = evidence.signature.args[key.startswith(METHOD) :]
    return spec | ({"args": list(args)} if args else {})


def build() -> dict[str, Any]:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    functions: dict[str, Spec] = {}
    methods: dict[str, Spec] = {}
    for key, fn in operations():
        spec = entry(key, fn)
        if spec is not None and key.startswith(METHOD):
            methods[key.removeprefix(METHOD)] = spec
        elif spec is not None:
            functions[key] = spec
    return {
        "torch": torch.__version__.partition("+")[0],
        "functions": functions,
        "methods": methods,
        "properties": modules.properties(),
        "modules": modules.modules(),
        "optimizers": modules.optimizers(),
        "schedulers": modules.schedulers(),
    }


ORDER = words(
    "ret n ret_dim ret_flag params container shape rank dim_required binary reduction grad "
    "zero_grad dtype widen alias out creates saves saves_for args"
)


def dump(table: dict[str, Any]) -> str:
    """One entry a line, sorted: a change of torch shows as a small diff."""

    def line(value: Any) -> str:
        if isinstance(value, dict):
            assert value.keys() <= set(ORDER), value
            value = {k: value[k] for k in ORDER if k in value}
        return json.dumps(value, separators=(",", ":"))

    parts = []
    for section, content in table.items():
        if isinstance(content, dict):
            rows = ",\n".join(f"{json.dumps(k)}:{line(content[k])}" for k in sorted(content))
            parts.append(f'"{section}":{{\n{rows}\n}}')
        elif isinstance(content, list):
            rows = ",\n".join(json.dumps(name) for name in sorted(content))
            parts.append(f'"{section}":[\n{rows}\n]')
        else:
            parts.append(f'"{section}":{json.dumps(content)}')
    return "{" + ",\n".join(parts) + "}\n"


def show(key: str) -> str:
    fn = dict(operations())[key]
    evidence = gather(key, fn)
    lines = [f"entry: {json.dumps(entry(key, fn))}"]
    for name in ("runs", "mixed", "bare", "alone"):
        lines += [f"{name}: {run}" for run in getattr(evidence, name)]
    return "\n".join(lines)


def unknown(table: dict[str, Any]) -> list[str]:
    """Public callables that the table says nothing of."""
    known = table["functions"].keys() | {METHOD + m for m in table["methods"]}
    return [k for k, fn in public() if callable(fn) and not isinstance(fn, type) and k not in known]
