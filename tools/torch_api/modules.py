"""`torch.nn` modules, Tensor attributes, optimizers and schedulers."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.testing._internal.common_modules import module_db
from torch_api.decide import Spec, decide
from torch_api.observe import Call, Run, observe
from torch_api.probes import x

CONTAINERS = ("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict")


def _public(namespace: Any, base: type) -> dict[str, type]:
    return {
        n: v
        for n, v in sorted(vars(namespace).items())
        if not n.startswith("_") and isinstance(v, type) and issubclass(v, base)
    }


def modules() -> dict[str, Spec]:
    infos: dict[type, list[Any]] = {}
    for info in module_db:
        infos.setdefault(info.module_cls, []).append(info)
    return {
        f"torch.nn.{name}": _module(name, cls, infos.get(cls, []))
        for name, cls in _public(torch.nn, torch.nn.Module).items()
        if cls is not torch.nn.Module
    }


def _module(name: str, cls: type, infos: list[Any]) -> Spec:
    if name in CONTAINERS:
        return {"container": True} | ({"params": True} if "Parameter" in name else {})
    runs: list[Run] = []
    params = False
    for info in infos:
        for module, call in _calls(info, cls):
            params |= any(True for _ in module.parameters())
            run = observe(call)
            if run is not None:
                runs.append(run)
    spec: Spec = {"params": params, "ret": "tensor"}
    if not runs:
        return spec
    found = decide(runs, [], list(inspect.signature(cls).parameters))
    spec |= {k: found[k] for k in ("ret", "n", "shape") if k in found}
    if "loss" in found.get("shape", ""):
        return spec | {"shape": "scalar", "reduction": True}
    telling = [r for r in runs if r.ret == "tensor" and not r.trivial]
    if "shape" not in spec and telling and all(r.last for r in telling):
        spec["shape"] = "last"
    elif "shape" not in spec and telling and all(r.ndim_same for r in telling):
        spec["rank"] = "same"
    return spec


def _calls(info: Any, cls: type) -> list[tuple[torch.nn.Module, Call]]:
    found = []
    torch.manual_seed(0)
    for sample in info.module_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=True
    ):
        made = sample.constructor_input
        given = sample.forward_input
        if given is None:
            continue
        try:
            module = cls(*made.args, **made.kwargs)
        except Exception:
            continue
        reduction = made.kwargs.get("reduction")
        kwargs = dict(given.kwargs)

        def fn(*args: Any, module: Any = module, reduction: Any = None, **kwargs: Any) -> Any:
            return module(*args, **kwargs)

        if reduction:
            kwargs["reduction"] = reduction
        names = list(inspect.signature(module.forward).parameters)
        found.append((module, Call(fn, given.args, kwargs, tuple(names))))
    return found


def properties() -> dict[str, Spec]:
    found = {}
    for name in sorted(dir(torch.Tensor)):
        attribute = inspect.getattr_static(torch.Tensor, name)
        if name.startswith("_") or callable(attribute):
            continue
        runs = []
        for make in (x, lambda: x().to(torch.complex64), lambda: torch.tensor(1.5)):
            run = observe(Call(lambda t, n=name: getattr(t, n), (make(),), {}, ("self",)))
            if run is not None:
                runs.append(run)
        if runs:
            found[name] = decide(runs, [], [])
    return found


def optimizers() -> list[str]:
    base = torch.optim.Optimizer
    return [f"torch.optim.{n}" for n, v in _public(torch.optim, base).items() if v is not base]


def schedulers() -> list[str]:
    where = torch.optim.lr_scheduler
    names = [f"torch.optim.lr_scheduler.{n}" for n in _public(where, where.LRScheduler)]
    return [*names, "torch.optim.swa_utils.SWALR"]
