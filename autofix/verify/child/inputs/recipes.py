"""Makes the values that specs describe. The same spec, seed and name give the same bits.

A spec is JSON: `{"is": "tensor", "shape": [4, 3], ...}`, `{"is": "value", "value": 3}`,
`{"is": "list", "items": [...]}`, `{"is": "make", "of": "Net", "args": [...]}` and so on.
"""

from __future__ import annotations

import contextlib
import importlib
import random
import re
import sys
import types
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .values import draw

Spec = dict[str, Any]
LATE = {"optimizer": 1, "scheduler": 2}


class Failed(Exception):
    """Inputs could not be made; the text says why in one line."""


class Sink:
    """Stands for a logger, writer or progress bar: takes every call and does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *problem: Any) -> None:
        return None


class Batches(list[Any]):
    """A list of batches, with what is usually asked of a `DataLoader`."""

    num_workers = 0
    drop_last = False
    sampler = None

    @property
    def dataset(self) -> list[Any]:
        return [row for batch in self for row in _rows_of(batch)]

    @property
    def batch_size(self) -> int:
        return len(_rows_of(self[0]))


def _rows_of(batch: Any) -> list[Any]:
    if isinstance(batch, (tuple, list)) and batch and hasattr(batch[0], "__len__"):
        return [tuple(part[row] for part in batch) for row in range(len(batch[0]))]
    return list(batch)


class Maker:
    """Makes the values of one recipe, and keeps what the caller may want to look at."""

    def __init__(self, namespace: dict[str, Any], seed: int, style: str = "data") -> None:
        self.namespace = namespace
        self.seed = seed
        self.style = style
        self.inputs: list[tuple[str, torch.Tensor]] = []
        self.modules: list[tuple[str, torch.nn.Module]] = []
        self.objects: dict[str, Any] = {}
        self._kinds: dict[str, Callable[[Spec, str], Any]] = {
            "tensor": self._tensor,
            "value": lambda spec, name: spec["value"],
            "list": lambda spec, name: self._items(spec, name),
            "loader": lambda spec, name: Batches(self._items(spec, name)),
            "tuple": lambda spec, name: tuple(self._items(spec, name)),
            "set": lambda spec, name: set(self._items(spec, name)),
            "dict": lambda spec, name: self._fields(spec, name, "['{}']"),
            "namespace": lambda spec, name: types.SimpleNamespace(**self._fields(spec, name)),
            "make": self._make,
            "name": lambda spec, name: resolve(self.namespace, spec["of"]),
            "model": self._model,
            "optimizer": self._optimizer,
            "scheduler": self._scheduler,
            "function": lambda spec, name: _FUNCTIONS[spec.get("form", "first")],
            "array": lambda spec, name: self._plain(spec["tensor"], name).numpy(),
            "dtype": lambda spec, name: torch.get_default_dtype(),
            "device": lambda spec, name: torch.device("cpu"),
            "generator": lambda spec, name: self._generator(name),
            "sink": lambda spec, name: Sink(),
        }

    def make(self, spec: Spec, name: str) -> Any:
        maker = self._kinds.get(spec["is"])
        if maker is None:
            raise Failed(f"`{name}` takes {spec.get('why', 'something')} that cannot be made up")
        made = maker(spec, name)
        self.objects[name] = made
        if isinstance(made, torch.nn.Module):
            self.modules.append((name, made))
        return made

    def _items(self, spec: Spec, name: str) -> list[Any]:
        return [self.make(item, f"{name}[{place}]") for place, item in enumerate(spec["items"])]

    def _fields(self, spec: Spec, name: str, form: str = ".{}") -> dict[str, Any]:
        items = spec["items"].items()
        return {key: self.make(item, name + form.format(key)) for key, item in items}

    def _generator(self, name: str) -> torch.Generator:
        return torch.Generator().manual_seed(seed_for(self.seed, name))

    def _plain(self, spec: Spec, name: str) -> torch.Tensor:
        if spec["dtype"] == "single":  # made wider by whoever looks on
            return draw(spec, self._generator(name))
        with torch._C.DisableTorchFunction():
            return draw(spec, self._generator(name))

    def _tensor(self, spec: Spec, name: str) -> torch.Tensor:
        made = self._plain(spec, name)
        style = spec.get("style", self.style)
        if not made.is_floating_point():
            return made
        if style == "data":
            self.inputs.append((name, made))
            return made
        leaf = made.requires_grad_()
        self.inputs.append((name, leaf))
        if style == "with gradient":
            leaf.grad = torch.ones_like(leaf)
        return leaf.clone() if style == "graph" else leaf

    def _make(self, spec: Spec, name: str) -> Any:
        function = resolve(self.namespace, spec["of"])
        # A Parameter of a tensor with a graph would be a cut of our own making.
        style, self.style = self.style, "data"
        try:
            return self._called(function, spec, name)
        finally:
            self.style = style

    def _called(self, function: Any, spec: Spec, name: str) -> Any:
        arguments = [self.make(a, f"{name}({p})") for p, a in enumerate(spec["args"])]
        # Optimizers come last: they take the parameters of what is there by then.
        late = sorted(spec["kwargs"], key=lambda key: LATE.get(spec["kwargs"][key]["is"], 0))
        made = {key: self.make(spec["kwargs"][key], f"{name}({key})") for key in late}
        keywords = {key: made[key] for key in spec["kwargs"]}
        with seeded(seed_for(self.seed, name)):
            return function(*arguments, **keywords)

    def _model(self, spec: Spec, name: str) -> torch.nn.Module:
        sizes = spec["sizes"]
        with seeded(seed_for(self.seed, name)):
            if spec.get("form") == "convolution":
                return torch.nn.Conv2d(sizes[0], sizes[1], 3, padding=1)
            if spec.get("form") == "normalized":
                return torch.nn.Sequential(
                    torch.nn.Linear(sizes[0], 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(),
                    torch.nn.Linear(8, sizes[1]),
                )  # fmt: skip
            if spec.get("form") == "linear":
                return torch.nn.Linear(sizes[0], sizes[1])
            # Not linear: a second derivative of it is not zero.
            return torch.nn.Sequential(
                torch.nn.Linear(sizes[0], 8), torch.nn.Tanh(), torch.nn.Linear(8, sizes[1])
            )

    def _optimizer(self, spec: Spec, name: str) -> Any:
        """Plain SGD over the models among the arguments, else over their leaves."""
        within = name.rpartition("(")[0]
        named = [(n, m) for n, m in self.modules if _beside(n, within) and "[" not in n]
        models = [m for _, m in _own(name, named)]
        same = [p for m in models for p in m.parameters()]
        leaves = [t for _, t in self.inputs if t.requires_grad]
        own = [torch.nn.Parameter(torch.ones(1))]
        return torch.optim.SGD(_once(same) or leaves or own, lr=0.1)

    def _scheduler(self, spec: Spec, name: str) -> Any:
        found = [o for o in self.objects.values() if isinstance(o, torch.optim.Optimizer)]
        optimizer = found[0] if found else self._optimizer(spec, name)
        return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.9)


def _own(name: str, models: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The models whose names are in that of the optimizer: `opt_g` is for `G`, not for `D`."""
    words = re.findall(r"[a-z]+", name.rpartition("(")[2].lower())
    own = [
        (one, model)
        for one, model in models
        if any(word[:3] == one.rpartition("(")[2].strip(")").lower()[:3] for word in words)
    ]
    return own or models


def _beside(name: str, within: str) -> bool:
    """Whether something is an argument of the same call; a call's own arguments end in `)`."""
    return name.rpartition("(")[0] == within


def _once(parameters: list[Any]) -> list[Any]:
    return list({id(p): p for p in parameters if p.requires_grad}.values())


def _first(*arguments: Any, **keywords: Any) -> Any:
    return arguments[0] if arguments else None


def _square(*arguments: Any, **keywords: Any) -> Any:
    return arguments[0] * arguments[0] if arguments else None


def _total(*arguments: Any, **keywords: Any) -> Any:
    return sum((a * a).sum() for a in arguments if isinstance(a, torch.Tensor))


_FUNCTIONS = {"first": _first, "square": _square, "total": _total}


def resolve(namespace: dict[str, Any], path: str) -> Any:
    """The object of a dotted name: of the program, of torch, or of a loaded module."""
    parts = path.split(".")
    if parts[0] in namespace:
        found = namespace[parts[0]]
    elif parts[0] in sys.modules:
        found = sys.modules[parts[0]]
    else:
        raise Failed(f"`{path}` is not there")
    for place, part in enumerate(parts[1:], 2):
        if not hasattr(found, part) and isinstance(found, types.ModuleType):
            with contextlib.suppress(ImportError):
                importlib.import_module(".".join(parts[:place]))
        if not hasattr(found, part):
            raise Failed(f"`{path}` is not there")
        found = getattr(found, part)
    return found


def seed_for(seed: int, name: str) -> int:
    return zlib.crc32(f"{seed}:{name}".encode())


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run with known states of the usual random sources, and put the old states back."""
    numpy: Any | None = sys.modules.get("numpy")
    state, own = random.getstate(), torch.get_rng_state()
    other = numpy.random.get_state() if numpy is not None else None
    random.seed(seed)
    torch.manual_seed(seed)
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(state)
        torch.set_rng_state(own)
        if numpy is not None:
            numpy.random.set_state(other)
