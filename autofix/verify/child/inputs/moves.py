"""Changes of a recipe that may cure the error that an attempt with it raised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ..reading import docs
from . import messages, scalars, slots, vocabulary
from .propose import RANKED
from .slots import Recipe, Slot
from .vocabulary import Spec, tensor, value

if TYPE_CHECKING:
    Weighted = tuple[float, Callable[[], Recipe]]
_MOST_ELEMENTS = 200_000
_STYLES = (
    (r"Can't call numpy\(\)|__array__|does not accept .*requires|deepcopy|requires_grad flags"
     r"|that requires grad|has requires_grad", ("data",)),
    (r"leaf Variable|a leaf variable|view of a leaf", ("graph", "data")),
    (r"non-leaf|not a leaf|'NoneType' object has no attribute|NoneType", ("leaf", "with gradient")),
    (r"does not require grad|not have been used in the graph|require gradients", ("leaf", "graph")),
)  # fmt: skip


def moves(
    recipe: Recipe, error: BaseException, blamed: frozenset[str], options: dict[str, list[Spec]]
) -> Iterator[Weighted]:
    """Weighted changed recipes. `blamed` are the parameters that the failing line works with."""
    text = f"{type(error).__name__}: {error}"[:2000]
    every = slots.of_recipe(recipe)
    yield from _styled(recipe, text)
    for slot in every:
        bonus = 1.0 if not blamed or slot.root in blamed else -2.0
        for weight, spec in _of_slot(recipe, slot, every, text, options):
            if _sensible(spec) and spec != slot.spec:
                yield weight + bonus, partial(_changed, recipe, slot, spec)
                alike = _alike(slot, spec, every)
                if alike:
                    yield weight + bonus - 0.1, partial(_all_changed, recipe, alike, spec)


def _changed(recipe: Recipe, slot: Slot, spec: Spec) -> Recipe:
    for place in slots.twins(recipe, slot):
        recipe = slots.with_spec(recipe, place, spec)
    return recipe


def _alike(slot: Slot, spec: Spec, every: list[Slot]) -> list[Slot]:
    """The tensors that had the same shape: they may have to change together."""
    if slot.kind != "tensor" or spec["is"] != "tensor" or spec["shape"] == slot.spec["shape"]:
        return []
    same = [s for s in every if s.kind == "tensor" and s.spec["shape"] == slot.spec["shape"]]
    return same if len(same) > 1 and same[0] is slot else []


def _all_changed(recipe: Recipe, alike: list[Slot], spec: Spec) -> Recipe:
    for slot in alike:
        recipe = slots.with_spec(recipe, slot.place, {**slot.spec, "shape": spec["shape"]})
    return recipe


def _sensible(spec: Spec) -> bool:
    if spec["is"] != "tensor":
        return True
    elements = 1
    for size in spec["shape"]:
        elements *= size
    return len(spec["shape"]) <= 6 and 0 < elements <= _MOST_ELEMENTS


def _styled(recipe: Recipe, text: str) -> Iterator[Weighted]:
    for pattern, styles in _STYLES:
        if re.search(pattern, text):
            for place, style in enumerate(styles):
                yield 5.0 - place, partial(styled, recipe, style)


def styled(recipe: Recipe, style: str) -> Recipe:
    """All float tensors in one style."""
    return {**recipe, "style": style}


def _of_slot(
    recipe: Recipe, slot: Slot, every: list[Slot], text: str, options: dict[str, list[Spec]]
) -> Iterator[tuple[float, Spec]]:
    for place, option in enumerate(options.get(slots.key({"at": slot.place}), [])):
        yield 1.8 - 0.2 * place, option
    if slot.kind == "tensor":
        yield from messages.for_tensor(slot.spec, text)
        yield from _other_kind(slot, text)
        yield from _generic(slot, every, text)
    elif slot.kind == "value":
        yield from scalars.for_value(slot.name, slot.spec, text)
    elif slot.kind in ("namespace", "dict"):
        yield from _fields(slot, text)
    elif slot.kind == "model":
        yield from _models(slot, text)
    elif slot.kind in ("list", "loader"):
        if re.search(r"unpack \(expected (\d+), got 2|index out of range|at least", text):
            yield 1.5, {**slot.spec, "items": [*slot.spec["items"], *slot.spec["items"][:1]]}
        if "object has no attribute" in text or "not list" in text or "must be Tensor" in text:
            yield 2.5, tensor([4, 3])
    elif slot.kind in ("function", "tuple") and re.search(
        r"object has no attribute|must be Tensor|operand", text
    ):
        yield 2.5, tensor([4, 3])


def _other_kind(slot: Slot, text: str) -> Iterator[tuple[float, Spec]]:
    """A tensor that should be something else."""
    if re.search(
        r"interpreted as an integer|integer argument|must be int|slice indices|tuple of "
        r"ints|integer tensors|to be .*\bint\b|not Tensor|integer scalar",
        text,
    ):
        yield 3.5, value(vocabulary.whole(slot.name))
        yield 2.5, value(1)
    if re.search(
        r"must be (?:\w+ )?(?:float|bool|number|str|real)|truth value|Boolean value|must "
        r"be a (?:float|number|str)|unhashable|ambiguous",
        text,
    ):
        yield 2.8, value(vocabulary.real(slot.name))
        yield 2.6, value(False)
        yield 2.5, {**slot.spec, "shape": []}
    missing = re.search(r"'Tensor' object has no attribute '(\w+)'", text)
    if missing:
        yield from _owner(missing.group(1))
    if "'Tensor' object is not callable" in text:
        yield 4.0, {"is": "function", "form": "first"}
        yield 3.5, vocabulary.model()
    if re.search(r"list|sequence|tuple of Tensors|iterable", text):
        yield 1.5, {"is": "list", "items": [slot.spec, slot.spec]}


def _owner(attribute: str) -> Iterator[tuple[float, Spec]]:
    """What has an attribute that no tensor has."""
    if attribute in ("parameters", "train", "eval", "state_dict", "named_parameters", "modules"):
        yield 4.0, vocabulary.model()
    elif attribute in ("step", "zero_grad", "param_groups"):
        yield 4.0, {"is": "optimizer"}
    elif attribute in ("append", "extend", "insert"):
        yield 4.0, {"is": "list", "items": []}
    elif attribute in ("keys", "items", "values", "get"):
        yield 4.0, {"is": "dict", "items": {"a": tensor([4, 3])}}
    elif attribute in ("lower", "upper", "startswith", "split"):
        yield 4.0, value("mean")
    elif attribute == "astype":
        yield 4.0, {"is": "array", "tensor": tensor([4, 3])}
    else:
        yield 3.0, {"is": "namespace", "items": {attribute: guessed(attribute)}}


def guessed(name: str) -> Spec:
    """The value of a field that is only known by its name."""
    spec = vocabulary.by_name(name) or tensor([4, 3])
    if spec["is"] == "tensor":
        shape = spec["shape"] if spec["shape"] is not None else [4, 3]
        sizes = [s if isinstance(s, int) else docs.DIMENSIONS.get(s, 4) for s in shape]
        return {**spec, "shape": sizes}
    return spec


def _generic(slot: Slot, every: list[Slot], text: str) -> Iterator[tuple[float, Spec]]:
    spec, shape = slot.spec, slot.spec["shape"]
    clash = re.search(r"(?i)must match|same shape|same size|same dim|broadcast|mismatch", text)
    for other in every:
        if other.kind == "tensor" and other.spec["shape"] != shape:
            yield 3.0 if clash else 1.0, messages.shaped(spec, other.spec["shape"])
    for rank in (2, 1, 0, 3, 4):
        if rank != len(shape):
            yield 0.6 - 0.05 * rank, messages.shaped(spec, RANKED[rank])
    for size in (3, 2, 4, 1, 6, 8, 9, 16):
        if shape:
            yield 0.5 - 0.02 * size, messages.shaped(spec, [*shape[:-1], size])
        if len(shape) > 1:
            yield 0.45 - 0.02 * size, messages.shaped(spec, [*shape[:-2], size, size])
            yield 0.3 - 0.02 * size, messages.shaped(spec, [*shape[:-2], size, shape[-1]])
            yield 0.3 - 0.02 * size, messages.shaped(spec, [size, *shape[1:]])
    if shape:
        yield 0.3, messages.shaped(spec, shape[1:])
    yield 0.3, messages.shaped(spec, [1, *shape])
    if spec["dtype"] == "float":
        yield 0.2, {**spec, "dtype": "long", "below": 2}


def _fields(slot: Slot, text: str) -> Iterator[tuple[float, Spec]]:
    attribute = re.search(r"'types.SimpleNamespace' object has no attribute '(\w+)'", text)
    missing = re.search(r"KeyError: ['\"](\w+)['\"]", text)
    found = attribute if slot.kind == "namespace" else missing
    if found and found.group(1) not in slot.spec["items"]:
        name = found.group(1)
        yield 5.0, {**slot.spec, "items": {**slot.spec["items"], name: guessed(name)}}
    if re.search(r"SimpleNamespace' object is not subscriptable", text) or (
        slot.kind == "namespace" and re.search(r"'SimpleNamespace'.*(?:subscript|iterable)", text)
    ):
        yield 4.0, {**slot.spec, "is": "dict"}
    if re.search(r"'dict' object has no attribute '(\w+)'", text):
        yield 4.0, {**slot.spec, "is": "namespace"}
    if "object is not callable" in text or "must be Tensor" in text:
        yield 2.5, tensor([4, 3])


def _models(slot: Slot, text: str) -> Iterator[tuple[float, Spec]]:
    sizes: list[Any] = slot.spec["sizes"]
    match = re.search(r"cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)", text)
    if match and int(match.group(2)) <= 4096:
        yield 3.8, {**slot.spec, "sizes": [int(match.group(2)), sizes[1]]}
    pair = re.search(r"tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", text)
    if pair:
        for number in pair.groups():
            yield 2.6, {**slot.spec, "sizes": [sizes[0], int(number)]}
    shape = re.search(r"shape '\[([^\]]*)\]' is invalid for input of size (\d+)", text)
    if shape:
        wanted = 1
        for number in re.findall(r"\d+", shape.group(1)):
            wanted *= int(number)
        if wanted * sizes[1] % int(shape.group(2)) == 0:
            yield 3.2, {**slot.spec, "sizes": [sizes[0], wanted * sizes[1] // int(shape.group(2))]}
    for size in (1, 2, 4):
        yield 0.5, {**slot.spec, "sizes": [sizes[0], size]}
    yield 0.4, {**slot.spec, "form": "convolution"}
    yield 0.4, {**slot.spec, "form": "linear"}
    if re.search(r"object has no attribute|positional argument", text):
        yield 2.0, {"is": "function", "form": "first"}
