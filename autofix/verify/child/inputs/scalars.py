"""What an error text says should change in a number, a string, a flag or None."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import vocabulary
from .vocabulary import tensor, value

if TYPE_CHECKING:
    from .messages import Moves
    from .vocabulary import Spec


def for_value(name: str, spec: Spec, text: str) -> Moves:
    """A number, string, flag or None that may be the wrong one."""
    content = spec["value"]
    if re.search(
        r"(?i)tensor(?:s|\b).*not |has no attribute|has no len|not iterable|unsupported "
        r"operand|not subscriptable|'(?:float|int|bool)' object|argument 'input'",
        text,
    ):
        yield 3.0, tensor([4, 3])
        yield 2.6, tensor([])
    if isinstance(content, str):
        for quoted in re.findall(r"[\"'`]([\w.+-]+)[\"'`]", text):
            yield 3.0, value(quoted)
    elif isinstance(content, (int, float)):
        yield from _numbers(name, content, text)
    elif content is None:
        yield 2.0, tensor([4, 3])
        yield 1.5, value(vocabulary.number(name, 1))


def _numbers(name: str, content: Any, text: str) -> Moves:
    if isinstance(content, float) and re.search(r"(?i)integer|\bint\b|as index", text):
        yield 4.0, value(vocabulary.whole(name))
    if re.search(r"(?i)must be tuple|tuple of|not iterable|subscriptable|has no len|unpack", text):
        for count in (2, 3, 4):
            yield 3.0 - 0.2 * count, {"is": "tuple", "items": [value(content)] * count}
    if re.search(r"(?i)divisible|multiple|heads|even\b|odd\b", text):
        for number in (8, 4, 2, 1, 16, 3, 5):
            yield 2.5, value(number)
    numbers = [int(n) for n in re.findall(r"(?<![\w.])(\d+)(?![\w.])", text)]
    if isinstance(content, int) and content in numbers:
        for number in numbers:
            if number != content and number <= 512:
                yield 2.0, value(number)
    others: tuple[float, ...] = (1, 2, 0, 3, 4, 8)
    for other in others if isinstance(content, int) else (0.5, 1.0, 0.1, 2.0):
        if other != content:
            yield 0.2, value(other)
