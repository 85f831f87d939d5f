"""What the tables of pairs are made of: two versions of a program, and what to say of them."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

HEAD = "import torch\nfrom torch import nn\n"


@dataclass(frozen=True)
class Expected:
    """A pair of programs, the verdict, and words that stand in the reason."""

    name: str
    before: str
    after: str
    verdict: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def case(name: str, program: str, old: str, new: str, verdict: str, *words: str) -> Expected:
    """`program`, and the same with `old` replaced by `new`; both stand under `HEAD`."""
    text = HEAD + dedent(program)
    assert text.count(old) == 1, f"{name}: {old!r} occurs {text.count(old)} times"
    return Expected(name, text, text.replace(old, new), verdict, words)
