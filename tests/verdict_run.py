"""What `autofix verify` says in the end of two texts."""

from __future__ import annotations

import sys
from pathlib import Path

from autofix.model import Verification
from autofix.verify.compare import compare
from autofix.verify.outcome import Settings
from autofix.verify.sides import of_paths
from autofix.verify.verify import verify
from autofix.verify.zygote import Zygote


def compared(before: str, after: str, folder: Path, zygote: Zygote) -> Verification:
    for name, text in (("before.py", before), ("after.py", after)):
        (folder / name).write_text(text)
    sides = of_paths(folder / "before.py", folder / "after.py")
    settings = Settings(sys.executable)
    return compare(sides, lambda asked: verify(asked, settings, zygote)).verification


def said(before: str, after: str, folder: Path, zygote: Zygote) -> str:
    found = compared(before, after, folder, zygote)
    return f"{found.verdict.value}: {found.reason}"
