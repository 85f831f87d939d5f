"""What an error text says should change in a tensor, a number or an object of the inputs.

Each rule yields `(weight, spec)` for one slot: the more exactly the text names the change, the
higher the weight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..reading import docs
from . import kinds
from .propose import RANKED
from .vocabulary import Spec

if TYPE_CHECKING:
    Moves = Iterator[tuple[float, Spec]]
    Rule = Callable[[Spec, re.Match[str]], Moves]
SIDES = (28, 32, 16, 64, 8, 12, 24, 48, 96, 224)


def shaped(spec: Spec, shape: list[int]) -> Spec:
    return {**spec, "shape": shape}


def _replace(spec: Spec, old: int, new: int) -> Iterator[Spec]:
    """Each dimension of one size set to another, the last first; then all of them."""
    shape = spec["shape"]
    places = [n for n in reversed(range(len(shape))) if shape[n] == old]
    for place in places:
        yield shaped(spec, [*shape[:place], new, *shape[place + 1 :]])
    if len(places) > 1:
        yield shaped(spec, [new if size == old else size for size in shape])


def _scalar(spec: Spec, match: re.Match[str]) -> Moves:
    if spec["shape"]:
        yield 3.0, shaped(spec, [])
        yield 1.5, shaped(spec, spec["shape"][1:])
        yield 1.0, shaped(spec, spec["shape"][:-1])


def _more_dimensions(spec: Spec, match: re.Match[str]) -> Moves:
    rank = len(spec["shape"]) + 1
    if rank <= 5:
        yield 2.5, shaped(spec, RANKED[rank])
        yield 2.2, shaped(spec, [2, *spec["shape"]])
        yield 2.0, shaped(spec, [*spec["shape"], 3])


def _ranks(spec: Spec, match: re.Match[str]) -> Moves:
    numbers = [int(n) for n in re.findall(r"(?<![\d.])([0-6])(?=[ -]?[Dd]|\b)", match.group(0))]
    for place, rank in enumerate(numbers):
        shape = spec["shape"]
        if rank in RANKED and rank != len(shape):
            kept = shape[-rank:] if 0 < rank < len(shape) else [2] * (rank - len(shape)) + shape
            yield 3.0 - 0.1 * place, shaped(spec, kept if rank else [])
            yield 2.5 - 0.1 * place, shaped(spec, RANKED[rank])


def _rank_off(spec: Spec, match: re.Match[str]) -> Moves:
    """`expected 3D, got 4D` may speak of something computed from the tensor: keep the distance."""
    wanted, got = int(match.group(1)), int(match.group(2))
    shape = spec["shape"]
    if wanted < got and len(shape) > got - wanted:
        yield 3.2, shaped(spec, shape[got - wanted :])
        yield 3.0, shaped(spec, shape[: wanted - got])
    elif wanted > got:
        yield 3.2, shaped(spec, [2] * (wanted - got) + shape)


def _unpacked(spec: Spec, match: re.Match[str]) -> Moves:
    count = int(match.group(1))
    if count <= 12:
        shape = spec["shape"]
        if count in RANKED:
            yield 3.0, shaped(spec, RANKED[count])
        yield 2.8, shaped(spec, [count, *shape[1:]])
        if shape:
            yield 2.0, shaped(spec, [*shape[:-1], count])
        yield 2.0, {"is": "tuple", "items": [spec] * count}


def _product(spec: Spec, match: re.Match[str]) -> Moves:
    rows, inner, other, _ = (int(g) for g in match.groups())
    for old, new, weight in ((inner, other, 4.0), (other, inner, 3.5), (rows, other, 2.0)):
        if new <= 4096:
            for place, changed in enumerate(_replace(spec, old, new)):
                yield weight - 0.2 * place, changed
    shape = spec["shape"]
    if len(shape) == 4:
        for place, side in enumerate(SIDES):
            yield 3.0 - 0.1 * place, shaped(spec, [*shape[:2], side, side])
    if len(shape) in (2, 3) and inner != shape[-1] and other % max(1, inner // shape[-1]) == 0:
        yield 2.5, shaped(spec, [*shape[:-1], max(1, other * shape[-1] // inner)])
    if shape and 0 < shape[-1] + other - inner <= 4096:
        yield (
            3.6 if shape[-1] < inner else 2.9,
            shaped(spec, [*shape[:-1], shape[-1] + other - inner]),
        )
    yield 1.5, shaped(spec, [4, other] if other <= 4096 else shape)


def _sizes(spec: Spec, match: re.Match[str]) -> Moves:
    """Two sizes that must agree: either may be the wrong one."""
    first, second = int(match.group(1)), int(match.group(2))
    for old, new, weight in ((first, second, 3.5), (second, first, 3.4)):
        if new <= 4096:
            for place, changed in enumerate(_replace(spec, old, new)):
                yield weight - 0.2 * place, changed
    if len(spec["shape"]) == 1:
        yield 2.5, shaped(spec, [*spec["shape"], 1])
    if spec["shape"]:
        yield 1.5, shaped(spec, spec["shape"][:-1])
        yield 1.4, shaped(spec, [*spec["shape"][:-1], 1])


def _got_expected(spec: Spec, match: re.Match[str]) -> Moves:
    yield from ((4.0 - 0.2 * n, s) for n, s in enumerate(
        _replace(spec, int(match.group("got")), int(match.group("want")))))  # fmt: skip
    if spec["shape"] and int(match.group("want")) <= 4096:
        yield 2.0, shaped(spec, [*spec["shape"][:-1], int(match.group("want"))])


def _channels(spec: Spec, match: re.Match[str]) -> Moves:
    want = int(match.group(1))
    shape = spec["shape"]
    if len(shape) >= 3:
        yield 4.0, shaped(spec, [shape[0], want, *shape[2:]])
        more = shape[1] + want - int(match.group(2) or want)
        if more > 0 and more != want:
            yield 3.9, shaped(spec, [shape[0], more, *shape[2:]])
        yield 2.5, shaped(spec, [*shape[:-3], want, *shape[-2:]])
        yield 2.0, shaped(spec, [*shape[:-1], want])


def _larger(spec: Spec, match: re.Match[str]) -> Moves:
    """The layers shrink an image until nothing is left."""
    shape = spec["shape"]
    for number, side in enumerate(side for side in SIDES if shape and side > shape[-1]):
        if len(shape) >= 3:
            yield 4.0 - 0.1 * number, shaped(spec, [*shape[:-2], side, side])


def _normalized(spec: Spec, match: re.Match[str]) -> Moves:
    sizes = [int(n) for n in re.findall(r"\d+", match.group(1))]
    yield 4.0, shaped(spec, [*spec["shape"][: max(1, len(spec["shape"]) - len(sizes))], *sizes])


def _reshaped(spec: Spec, match: re.Match[str]) -> Moves:
    sizes = [int(n) for n in re.findall(r"-?\d+", match.group(1))]
    given = int(match.group(2))
    known = 1
    for size in sizes:
        known *= max(1, size)
    shape = spec["shape"]
    if known > 20_000:
        return
    if not sizes and shape:  # of one element
        yield 3.3, shaped(spec, shape[1:])
        yield 3.2, shaped(spec, [*shape[:-1], 1])
    if -1 not in sizes:
        yield 2.0, shaped(spec, sizes)
        if len(sizes) > 2:
            yield 3.1, shaped(spec, [*sizes[:-2], sizes[-2] * sizes[-1]])
    yield 3.0, shaped(spec, [2 if -1 in sizes else shape[0] if shape else 1, known])
    yield 2.6, shaped(spec, [known])
    for place in reversed(range(len(shape))):
        rest = max(1, given // max(1, shape[place]))
        if known % rest == 0 and known // rest != shape[place]:
            yield 2.8, shaped(spec, [*shape[:place], known // rest, *shape[place + 1 :]])
    if len(shape) == 4:
        for number, side in enumerate(SIDES):
            yield 3.4 - 0.1 * number, shaped(spec, [*shape[:2], side, side])


def _bounds(spec: Spec, match: re.Match[str]) -> Moves:
    """`index 5 is out of bounds for dimension 1 with size 3`."""
    if spec["dtype"] == "long":
        yield from kinds.smaller(spec, match)
        return
    numbers = [int(n) for n in re.findall(r"\d+", match.group(0))]
    if len(numbers) == 3 and numbers[0] < 256:
        index, axis, size = numbers
        for place, changed in enumerate(_replace(spec, index + 1, size)):
            yield 3.8 - 0.2 * place, changed
        for place, changed in enumerate(_replace(spec, size, index + 1)):
            yield 3.5 - 0.2 * place, changed
        shape = spec["shape"]
        if axis < len(shape):
            yield 3.0, shaped(spec, [*shape[:axis], index + 1, *shape[axis + 1 :]])


def _square(spec: Spec, match: re.Match[str]) -> Moves:
    head = spec["shape"][:-2]
    for place, size in enumerate((3, 4, 2)):
        yield 3.5 - 0.2 * place, {**shaped(spec, [*head, size, size]), "values": "well"}


TENSORS: list[tuple[str, Rule]] = [
    (r"only one element tensors|cannot be converted to Scalar|a single element|must be real number"
     r"|only 0-dim|length-1 arrays|not tensor with .* elements|only integer tensors", _scalar),
    (r"0-d |0-dim|no dimensions|Dimension out of range|too many indices|zero-dimensional",
     _more_dimensions),
    (r"(?i)[^.]*(?:\b\dD\b|dimension|\bdims?\b|\bndim|rank|shape)[^.]*", _ranks),
    (r"[Ee]xpected.*?(\d)-?D.*?got (\d)-?D", _rank_off),
    (r"unpack \(expected (\d+)", _unpacked),
    (r"cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)", _product),
    (r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", _sizes),
    (r"Expected size for first two dimensions .*\[(\d+),.*\[(\d+),", _sizes),
    (r"[Ee]xpected (?:input|self) batch_size \((\d+)\) to match target batch_size \((\d+)\)",
     _sizes),
    (r"inconsistent tensor size, expected tensor \[(\d+)\] and src \[(\d+)\]", _sizes),
    (r"size mismatch.*?(\d+)x\d+ and (\d+)|shapes? .*?(\d+).*?(\d+)", lambda s, m: iter(())),
    (r"Sizes of tensors must match .*Expected size (?P<want>\d+) but got size (?P<got>\d+)",
     _got_expected),
    (r"(?i)expect(?:ed|s)[^\d]*(?P<want>\d+)\D.*?(?:got|found|but)[^\d]*(?P<got>\d+)",
     _got_expected),
    (r"(?i)got[^\d]*(?P<got>\d+)\D.*?expect[^\d]*(?P<want>\d+)", _got_expected),
    (r"(?i)must (?:be equal to|match|have)[^\d]*(?P<want>\d+)\D.*?(?P<got>\d+)", _got_expected),
    (r"to have (\d+) channels(?:, but got (\d+))?", _channels),
    (r"(?i)kernel size can't be greater|output size is too small|too small for", _larger),
    (r"normalized_shape=\[([^\]]*)\]", _normalized),
    (r"shape '\[([^\]]*)\]' is invalid for input of size (\d+)", _reshaped),
    (r"(?i)\blong\b|int64|integer(?!interval)|indices must|one_hot|type Int\b|index tensor|as ind",
     kinds.whole),
    (r"(?i)floating|for 'Long'|for 'Bool'|for 'Int'|type Float|dtype float|same dtype|not "
     r"implemented for|Long did not match|to be float|subtract, the|complex dtype", kinds.floating),
    (r"(?i)\bbool\b|boolean|byte", kinds.boolean),
    (r"(?i)complex", kinds.imaginary),
    (r"(?i)(?:same dtype|did not match|dtype|data type|scalar type).*", kinds.named),
    (r"out of range in self|is out of bounds$|smaller than num_classes|out of range",
     kinds.smaller),
    (r"index (\d+) is out of bounds for dimension (\d+) with size (\d+)", _bounds),
    (r"Target \d+ is out of bounds|index \d+ is out of bounds", kinds.smaller),
    (r"not a number", kinds.counted),
    (r"upper_bound=(\d+)", kinds.below),
    (r"does not depend on the inputs", kinds.elsewhere),
    (r"(?i)singular|invertible|ill-conditioned", kinds.well),
    (r"(?i)square", _square),
    (r"(?i)positive.definite|cholesky", kinds.with_values("positive definite")),
    (r"(?i)simplex|sum to (?:1|one)|probabilit|between 0 and 1", kinds.with_values("rows")),
    (r"(?i)orthogonal|rotation|determinant", kinds.with_values("rotation")),
    (r"(?i)unit.?norm|normali[sz]ed|unit vector", kinds.with_values("normal")),
    (r"(?i)increasing|sorted|monoton|ascending", kinds.with_values("sorted")),
]  # fmt: skip


def for_tensor(spec: Spec, text: str) -> Moves:
    for place, shape in enumerate(docs.shapes_in(text)[:4]):
        sizes = docs.concrete(list(shape))
        if len(sizes) > 1 and len(sizes) <= 5:
            yield 3.2 - 0.1 * place, shaped(spec, sizes)
    for pattern, rule in TENSORS:
        match = re.search(pattern, text)
        if match:
            yield from rule(spec, match)
