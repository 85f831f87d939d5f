"""From what is known of a parameter to specs of values it may take, most plausible first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..reading import docs
from . import annotated, vocabulary
from .known import Known
from .vocabulary import Spec, tensor, value

RANKED: dict[int, list[int]] = {
    0: [], 1: [4], 2: [4, 3], 3: [4, 5, 3], 4: [2, 3, 8, 8], 5: [1, 2, 4, 4, 4],
    6: [1, 2, 2, 2, 2, 2],
}  # fmt: skip
_LOADED = frozenset("dataset batch_size sampler num_workers drop_last".split())
_PAIRED = frozenset("batch sample data item pair hidden state hc transition carry".split())


if TYPE_CHECKING:
    Classes = Callable[..., list[Spec]]


def candidates(name: str, known: Known, classes: Classes, default: Any = None) -> list[Spec]:
    """Specs for a required parameter, or for an optional one that is to be given after all.

    `classes` gives specs of instances of a class named in an annotation, and of models ("").
    """
    found: list[Spec] = []
    if known.annotation:
        found += annotated.specs(known.annotation, name, known, classes)
        if found and all(spec["is"] == "make" for spec in found):
            return _distinct([*found, *([value(None)] if known.says("none") else [])])
    if known.shapes and (not found or found[0]["is"] == "tensor"):
        found = _documented(known, found) + found
    found += _structured(name, known, classes)
    if not found:
        found += _used(name, known)
    guess = vocabulary.by_name(name)
    if guess is not None:
        sure = guess["is"] in ("impossible", "sink", "scheduler")
        found = [guess, *found] if sure and not known.annotation else [*found, guess]
    if default is not None and not found:
        found += _like_default(name, default)
    found += [s for s in [of_tensor(known)] if s not in found]
    if known.says("none"):
        found.insert(1, value(None))
    return _distinct([_modelled(name, s, classes, known) for s in found])


def _modelled(name: str, spec: Spec, classes: Classes, known: Known) -> Any:
    """A model is best an instance of a class of the program."""
    if spec["is"] != "model":
        return spec
    return [*classes("", known, name), spec]


def _distinct(found: list[Any]) -> list[Spec]:
    kept: list[Spec] = []
    for spec in found:
        for one in spec if isinstance(spec, list) else [spec]:
            if one not in kept:
                kept.append(one)
    return kept


def of_tensor(known: Known) -> Spec:
    """A float tensor, or labels, of the shape that the uses ask for."""
    if known.says("labels", "index"):
        return tensor(_shape(known) or ["N"], "long", below=3)
    values = "unit"
    if known.says("initial"):
        return {**tensor(_shape(known)), "style": "data"}
    if known.says("positive definite"):
        values = "positive definite"
    elif known.says("square"):
        values = "well"
    return tensor(_shape(known), values=values)


def arrays(known: Known) -> list[Spec]:
    """Arrays of numpy: in double precision, as numpy makes them, or else as torch does."""
    spec = of_tensor(known)
    found = [{"is": "array", "tensor": spec}]
    if spec["dtype"] == "float":
        found.insert(0, {"is": "array", "tensor": {**spec, "dtype": "double"}})
    return found


def _shape(known: Known) -> list[Any] | None:
    facts = known.facts
    if known.says("element", "mathematical"):
        return []
    rank = facts.get("rank") or (facts.get("ranks") or [None])[0]
    least = facts.get("rank at least")
    shape: list[Any] | None = None
    if known.says("square", "positive definite"):
        shape = [*RANKED.get(rank or 2, [3, 3])[:-2], 3, 3]
    elif rank is not None and rank in RANKED:
        shape = list(RANKED[rank])
    elif facts.get("items") or facts.get("unpack"):
        count = max(facts.get("items") or 0, facts.get("unpack") or 0)
        if known.says("len", "indexed", "iterated", "sliced"):
            count = max(count, 4)  # it is gone through, which one or two would not show
        elements = [part for part in known.items.values() if part.says("element", "mathematical")]
        whole = facts.get("rank at least", 1) > 1 or (known.says("tensor") and not elements)
        shape = [count, 3] if whole and known.says("labels", "product") else [max(count, 1)]
    elif least and least > 1 and least in RANKED:
        shape = list(RANKED[least])
    for key, exact in (("sizes at least", False), ("sizes", True)):
        for axis, size in facts.get(key, []):
            shape = _sized(shape, axis, size, exact)
    return shape


def _sized(shape: list[Any] | None, axis: int, size: int, exact: bool) -> list[Any] | None:
    need = axis + 1 if axis >= 0 else -axis
    known = list(shape) if shape is not None else list(RANKED.get(max(need, 2), [4, 3]))
    while len(known) < need:
        known.insert(0, 2)
    if exact or (isinstance(known[axis], int) and known[axis] < size):
        known[axis] = max(size, 1)
    return known


def _documented(known: Known, found: list[Spec]) -> list[Spec]:
    """The docstring's shapes on what the annotation or the uses say otherwise."""
    base = found[0] if found else of_tensor(known)
    return [{**base, "shape": docs.concrete(shape)} for shape in known.shapes[:3]]


def _structured(name: str, known: Known, classes: Classes) -> list[Spec]:
    """What has fields, keys or elements, or is called."""
    found: list[Spec] = []
    if known.says("modules"):
        each = [*classes("", Known({"facts": {"called": 1}}), name), vocabulary.model()][0]
        return [{"is": "list", "items": [each] * 3}]
    if known.says("environment") and not known.says("tensor", "module"):
        return [{"is": "impossible", "why": "an environment"}]
    if known.says("optimizer") and not known.says("tensor", "called", "module"):
        scheduler = vocabulary.within(name, vocabulary.SCHEDULERS)
        found.append({"is": "scheduler" if scheduler else "optimizer"})
    elif known.says("called", "module"):
        found += _callable(name, known, classes)
    if known.keys or (known.says("dict") and not known.says("tensor")):
        items = {k: candidates(k, v, classes)[0] for k, v in known.keys.items()}
        found.append({"is": "dict", "items": items or {"a": tensor(None), "b": tensor(None)}})
    loaded = known.each is not None and all(key in _LOADED for key in known.own)
    if known.own and not loaded and not known.says("module", "optimizer"):
        if not vocabulary.within(name, vocabulary.CONFIGS):
            found += classes("", known, name)
        items = {k: candidates(k, v, classes)[0] for k, v in known.attributes.items()}
        found.append({"is": "namespace", "items": items})
    if known.says("backwards"):
        found.append({"is": "list", "items": [value(0.9), value(0.3), value(0.6)]})
    if known.says("list") and not known.says("tensor"):
        found.append({"is": "list", "items": []})
    return found + _sequence(name, known, classes)


_LAYERS = {
    "in_features": {"is": "model", "form": "linear", "sizes": [3, 3]},
    "out_features": {"is": "model", "form": "linear", "sizes": [3, 3]},
    "weight": {"is": "model", "form": "linear", "sizes": [3, 3]},
    "in_channels": {"is": "model", "form": "convolution", "sizes": [3, 4]},
    "out_channels": {"is": "model", "form": "convolution", "sizes": [3, 4]},
    "num_embeddings": vocabulary.made("torch.nn.Embedding", 10, 4),
    "embedding_dim": vocabulary.made("torch.nn.Embedding", 10, 4),
    "num_features": vocabulary.made("torch.nn.BatchNorm1d", 3),
}


def _layers(known: Known) -> list[Spec]:
    """A layer of torch that has the fields which are taken; one with buffers, if copied."""
    found = [spec for name, spec in _LAYERS.items() if name in known.own]
    if known.says("copied"):
        found.append({**vocabulary.model(), "form": "normalized"})
    return found[:1]


def _callable(name: str, known: Known, classes: Classes) -> list[Spec]:
    if any(field in known.own for field in _LAYERS):
        return [*_layers(known), *classes("", known, name)]
    loss = vocabulary.within(name, vocabulary.LOSSES) or "loss" in vocabulary.words(name)
    labels = vocabulary.made("torch.nn.CrossEntropyLoss")
    if loss:
        return [vocabulary.made("torch.nn.MSELoss"), labels]
    if vocabulary.within(name, vocabulary.ACTIVATIONS):
        return [vocabulary.named("torch.tanh")]
    if known.says("module") or vocabulary.within(name, vocabulary.MODELS) or name in ("G", "D"):
        return [*classes("", known, name), *_layers(known), vocabulary.model()]
    if vocabulary.within(name, vocabulary.SINKS):
        return [{"is": "sink"}]
    forms = ["total", "square", "first"] if known.facts.get("called", 1) < 2 else ["total", "first"]
    functions: list[Spec] = [{"is": "function", "form": form} for form in forms]
    if vocabulary.words(name)[-1:] == ["layer"] or "norm" in name:
        return [vocabulary.named("torch.nn.LayerNorm"), *functions]
    return [functions[1], functions[0], *functions[2:], vocabulary.model()]


def _sequence(name: str, known: Known, classes: Classes) -> list[Spec]:
    each, found = known.each, []
    if each is not None:
        count = each.facts.get("unpack")
        items = [each.items.get(p, Known(None)) for p in range(count or 0)]
        inner = [_part(name, p, k, classes) for p, k in enumerate(items)]
        inner = [value(p) if items[p].says("index") else s for p, s in enumerate(inner)]
        element = {"is": "tuple", "items": inner} if count else _part(name, 0, each, classes)
        if count or vocabulary.within(name, vocabulary.LOADERS) or not known.says("tensor"):
            kind = "loader" if vocabulary.within(name, vocabulary.LOADERS) else "list"
            if known.own and all(key in _LOADED for key in known.own):
                kind = "loader"
            rows = element["is"] == "tensor" and kind == "list"
            found.append({"is": kind, "items": [element] * (4 if rows else 2)})
            if rows and each.says("product"):  # `w @ x` for each row of a matrix
                found.insert(0, tensor([4, 4]))
        if count and known.says("tensor", "arithmetic"):
            found.insert(0, tensor([4, count]))
    count = known.facts.get("unpack") or (len(known.items) and max(known.items) + 1)
    if count and count <= 12 and not known.keys:
        items = [known.items.get(p, Known(None)) for p in range(count)]
        structured = any(k.says("called", "module", "labels", "iterated") for k in items)
        inner = [_part(name, p, k, classes) for p, k in enumerate(items)]
        parts: Spec = {"is": "tuple", "items": inner}
        whole = of_tensor(known)
        paired = structured or (
            vocabulary.words(name)[-1:] and (vocabulary.words(name)[-1] in _PAIRED)
        )
        order = [parts, whole] if paired and not known.says("tensor") else [whole, parts]
        found += [s for s in order if s is parts or not structured or known.says("tensor")]
    return found


def _part(name: str, position: int, known: Known, classes: Classes) -> Spec:
    if known.facts or known.attributes or known.keys or known.each:
        own = (known.facts.get("names") or [""])[0]
        return candidates(own, known, classes)[0]
    return tensor(None)


def _used(name: str, known: Known) -> list[Spec]:
    """A value without parts: what the body does with it, then what it is called."""
    facts = known.facts
    if known.says("array"):
        return arrays(known)
    texts = facts.get("strings")
    if texts:
        return [value(text) for text in texts]
    if known.says("string"):
        return [value(vocabulary.string(name))]
    if known.says("given to open"):
        return [{"is": "impossible", "why": "a file"}]
    if known.says("labels") or (known.says("index") and known.says("tensor")):
        return [of_tensor(known)]
    if known.says("tensor", "element", "product", "square", "stacked", "numpy", "data"):
        return _tensors(name, known)
    if known.says("axis"):
        return [value(-1), value(1), value(0)]
    if known.says("count", "size"):
        return [value(vocabulary.whole(name))]
    if known.says("index"):
        return [value(vocabulary.whole(name, 1) if vocabulary.is_number(name) else 1)]
    if known.says("probability"):
        return [value(0.0)]
    if known.says("number") or (known.says("mathematical") and vocabulary.is_number(name)):
        return [value(vocabulary.real(name)), tensor([])]
    if known.says("mathematical"):
        return [tensor([])]
    if vocabulary.is_number(name) and known.says("arithmetic", "compared", "given to float"):
        return [value(vocabulary.number(name)), tensor([])]
    if known.says("ordered"):
        return [value(vocabulary.number(name)), tensor([])]
    if known.says("flag") and not known.says("arithmetic"):
        return [value(True), value(False)]
    if facts.get("compared") and not known.says("arithmetic"):
        return [value(number) for number in facts["compared"]]
    return []


def _tensors(name: str, known: Known) -> list[Spec]:
    first = of_tensor(known)
    found = []
    for rank in (known.facts.get("ranks") or [])[:3]:
        if rank in RANKED:
            found.append({**first, "shape": list(RANKED[rank])})
    guess = vocabulary.by_name(name)
    open_shape = guess is not None and guess["is"] == "tensor" and first["shape"] is None
    if guess is not None and open_shape and guess["dtype"] in ("float", "long"):
        found.append(guess)
    if known.says("numpy") and not known.says("tensor", "element"):
        found += arrays(known)
    return [*found, first]


def _like_default(name: str, default: Any) -> list[Spec]:
    if isinstance(default, (bool, int, float, str)):
        return [value(default)]
    return []
