"""`torch.nn` modules, Tensor attributes, optimizers and schedulers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.modules.lazy import LazyModuleMixin
from torch.testing._internal.common_modules import module_db

from torch_api.decide import Evidence, Spec, decide
from torch_api.observe import Call, Run, observe_most
from torch_api.probes import MODULES, x
from torch_api.signatures import Parameter, Signature

CONTAINERS = {"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}
# Deprecated or abstract: calling an instance means nothing.
ABSTRACT = {"Container", "RNNBase", "RNNCellBase"}
# `.grad` is a tensor or None; a tensor's name is text or None. Fresh samples have neither.
ATTRIBUTES: dict[str, Spec] = {
    "grad": {"shape": "same", "grad": False},
    "name": {"ret": "other"},
}
SHAPES = ("same", "last", "scalar")


def _public(namespace: Any, base: type) -> dict[str, type]:
    return {
        name: value
        for name, value in sorted(vars(namespace).items())
        if not name.startswith("_") and isinstance(value, type) and issubclass(value, base)
    }


def modules() -> dict[str, Spec]:
    return {
        f"torch.nn.{name}": _module(name, cls)
        for name, cls in _public(torch.nn, torch.nn.Module).items()
        if cls is not torch.nn.Module
    }


def _module(name: str, cls: type) -> Spec:
    if name in CONTAINERS:
        return {"container": True, "params": "Parameter" in name}
    if name in ABSTRACT:
        return {"params": "RNN" in name, "ret": "other"}
    if issubclass(cls, LazyModuleMixin) and cls.cls_to_become is not None:
        cls = cls.cls_to_become
    runs: list[Run] = []
    params = False
    signature = Signature()
    for module, call in _calls(cls.__name__, cls):
        params |= any(True for _ in module.parameters())
        signature = call.signature
        run = observe_most(call)
        if run is not None:
            runs.append(run)
    found = decide(Evidence(runs=runs, signature=signature))
    spec: Spec = {"params": params, "ret": found.get("ret", "tensor")}
    spec |= {k: found[k] for k in ("n", "ret_flag", "rank", "shape") if k in found}
    if spec.get("shape") == "loss":
        return spec | {"shape": "scalar", "reduction": True}
    if spec.get("shape") not in (None, *SHAPES):
        del spec["shape"]
    if "shape" not in spec and spec["ret"] == "tensor" and _last(runs):
        spec["shape"] = "last"
        spec.pop("rank", None)
    return spec


def _last(runs: list[Run]) -> bool:
    telling = [r for r in runs if r.telling and r.ret == "tensor"]
    return bool(telling) and all(r.last for r in telling)


def _made(name: str, cls: type) -> Iterator[tuple[Any, dict[str, Any], tuple[Any, ...], Any]]:
    for given, inputs in MODULES.get(name, ()):
        args, kwargs = given()
        yield args, kwargs, inputs(), {}
    for info in module_db:
        if info.module_cls is not cls:
            continue
        torch.manual_seed(0)
        for sample in info.module_inputs_func(
            info, device="cpu", dtype=torch.float32, requires_grad=False, training=True
        ):
            made, given = sample.constructor_input, sample.forward_input
            if given is not None:
                yield made.args, made.kwargs, given.args, given.kwargs


def _calls(name: str, cls: type) -> Iterator[tuple[torch.nn.Module, Call]]:
    for args, kwargs, inputs, named in _made(name, cls):
        torch.manual_seed(0)
        module = cls(*args, **kwargs)
        # What the constructor was told decides the result: hand it on as if it were an argument.
        told = {k: v for k, v in kwargs.items() if k == "reduction" or k.startswith("return_")}

        def fn(*args: Any, module: Any = module, told: Any = tuple(told), **named: Any) -> Any:
            return module(*args, **{k: v for k, v in named.items() if k not in told})

        options = {"reduction", *told} & set(inspect.signature(cls).parameters)
        parameters = [
            Parameter(p.name, star=p.kind is p.VAR_POSITIONAL)
            for p in inspect.signature(module.forward).parameters.values()
        ]
        parameters += [Parameter(k, keyword_only=True) for k in sorted(options)]
        signature = Signature((tuple(parameters),), tuple(p.name for p in parameters))
        yield module, Call(fn, tuple(inputs), named | told, signature)


def properties() -> dict[str, Spec]:
    found: dict[str, Spec] = {}
    for name in sorted(dir(torch.Tensor)):
        if name.startswith("_") or callable(inspect.getattr_static(torch.Tensor, name)):
            continue
        made = (x(), x().to(torch.complex64), torch.rand(2, 3, 4), torch.tensor(1.5))
        signature = Signature(args=("self",))
        calls = [Call(lambda t, n=name: getattr(t, n), (t,), {}, signature) for t in made]
        runs = [r for r in map(observe_most, calls) if r]
        if runs:
            found[name] = ATTRIBUTES.get(name) or decide(Evidence(runs, signature=signature))
    return found


def optimizers() -> list[str]:
    base = torch.optim.Optimizer
    return [f"torch.optim.{n}" for n, v in _public(torch.optim, base).items() if v is not base]


def schedulers() -> list[str]:
    where = torch.optim.lr_scheduler
    names = [f"torch.optim.lr_scheduler.{n}" for n in _public(where, where.LRScheduler)]
    return [*names, "torch.optim.swa_utils.SWALR"]
