"""Shapes that a docstring gives for the parameters: `(B, C, H, W)`, `(*, 3)`, `Nx4x4`."""

from __future__ import annotations

import re

Shape = list[object]

DIMENSIONS = {
    "N": 4, "B": 2, "C": 3, "H": 8, "W": 8, "D": 3, "L": 4, "T": 5, "K": 3, "M": 4, "P": 4,
    "S": 4, "E": 4, "F": 3, "O": 3, "*": 2,
}  # fmt: skip

_TOKEN = r"(?:\\?\*|\.\.\.|[A-Za-z_]\w*|\d+)"
_GROUP = re.compile(
    rf"[(\[]\s*({_TOKEN}(?:\s*,\s*{_TOKEN})+|\\?\*|\.\.\.|[A-Z]|\d+|[a-z]\w*(?=\s*,\s*[)\]]))\s*,?\s*[)\]]"
)
_CROSSED = re.compile(r"(?<![\w(])[(\[]?([BNCHWKDMP](?:\s?x\s?(?:\d+|[BNCHWKDMP]))+)\b")
_SYMBOL = re.compile(
    r"[A-Z]\w{0,4}(?:_\w+)?|[a-z]|\d{1,2}|batch(?:_size)?|time|steps|seq(?:_len)?|length|channels"
    r"|height|width|dim|features|hidden|tokens|nodes|points|n_\w+|num_\w+|\w+_(?:dim|size|len)"
)
_BESIDE = r"(?<![\w.`])`*{}`*(?:\s*(?:,|and|/|&)\s*`*\w+`*)*\s*:?\s*(?:shape\s*)?(?=[(\[])"
"""A name, or several, with a shape right behind: `x, y: (N, 3)`, `image (B, C, H, W)`."""
_ANY = ("*", "...")


def shapes_in(text: str) -> list[list[str]]:
    """Every group in the text that reads as a shape, in order."""
    found = []
    for match in _GROUP.finditer(text):
        tokens = [t.strip().lstrip("\\") for t in match.group(1).split(",")]
        if all(t in _ANY or t in DIMENSIONS or _SYMBOL.fullmatch(t) for t in tokens):
            found.append((match.start(), tokens))
    for match in _CROSSED.finditer(text):
        found.append((match.start(), re.split(r"\s?x\s?", match.group(1))))
    return [tokens for _, tokens in sorted(found, key=lambda pair: pair[0])]


def of_parameters(docstring: str, names: list[str]) -> dict[str, list[list[str]]]:
    """The shapes named in the passage about each parameter (Google, NumPy and Sphinx styles)."""
    found: dict[str, list[list[str]]] = {}
    for name in names:
        passage = _passage(docstring, name)
        shapes = shapes_in(passage) if passage else []
        shapes = shapes or _beside(docstring, name)
        if shapes:
            found[name] = shapes[:4]
    return found


def _beside(docstring: str, name: str) -> list[list[str]]:
    """The shape that stands right behind a name, somewhere in a sentence."""
    for start in re.finditer(_BESIDE.format(re.escape(name)), docstring):
        end = re.search(r"[)\]]", docstring[start.end() :])
        group = docstring[start.end() :][: end.end()] if end else ""
        shapes = shapes_in(group)
        if shapes and _GROUP.match(group):
            return shapes[:1]
    return []


def _passage(docstring: str, name: str) -> str:
    escaped = re.escape(name)
    start = re.search(
        rf"(?m)^\s*(?:[-*]\s*)?(?::param\s+(?:\w+\s+)?)?`*{escaped}`*\b[^\n]*?:", docstring
    )
    if start is None:
        return ""
    rest = docstring[start.end() :]
    end = re.search(r"(?m)^\s*(?:[-*]\s*)?(?::\w+[^\n]*?|\w+\s*(?:\([^)\n]*\))?)\s*:(?:\s|$)", rest)
    line_end = rest.find("\n")
    if end is not None and end.start() < max(line_end, 0):
        end = None if line_end < 0 else end
    return docstring[start.start() : start.end()] + (rest[: end.start()] if end else rest)[:600]


def concrete(shape: list[object]) -> list[int]:
    """Sizes for the symbols; the same symbol is the same size everywhere."""
    sizes: list[int] = []
    for token in shape:
        text = str(token)
        if text == "...":
            sizes.append(2)
        elif text.isdigit():
            sizes.append(int(text))
        else:
            sizes.append(DIMENSIONS.get(text[:1].upper(), 4))
    return sizes
