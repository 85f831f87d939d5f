"""Repair PyTorch code in which gradients silently stop flowing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autofix.results import FileResult, Located

__version__ = "0.1.0"
__all__ = ["AutofixError", "__version__", "check_bytes", "fix_bytes"]


class AutofixError(Exception):
    """Why the contents of a file could not be looked at, or not wholly."""


def check_bytes(
    data: bytes,
    path: str = "<bytes>",
    *,
    select: Iterable[str] = ("ALL",),
    ignore: Iterable[str] = (),
) -> tuple[Located, ...]:
    """The findings in the contents of a file; `path` says whether it is a notebook."""
    return _examine(data, path, select, ignore, repair=False, unsafe=False).findings


def fix_bytes(
    data: bytes,
    path: str = "<bytes>",
    *,
    unsafe: bool = False,
    select: Iterable[str] = ("ALL",),
    ignore: Iterable[str] = (),
) -> bytes:
    """The contents of a file with the safe fixes made, and with `unsafe` the unsafe ones too."""
    result = _examine(data, path, select, ignore, repair=True, unsafe=unsafe)
    return data if result.after is None else result.after


def _examine(
    data: bytes,
    path: str,
    select: Iterable[str],
    ignore: Iterable[str],
    *,
    repair: bool,
    unsafe: bool,
) -> FileResult:
    # Imported late: `import autofix` alone is to cost nothing.
    from autofix.pipeline import Plan, examine, labels
    from autofix.registry import choose, load

    rules = load()
    plan = Plan(choose(rules, select, (), ignore), repair, unsafe, known=labels(rules))
    result = examine(data, path, path, plan)
    if result.problems:
        raise AutofixError("; ".join(problem.message for problem in result.problems))
    return result
