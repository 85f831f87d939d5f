"""What a rule may ask of the flow analysis."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.source import Source


@dataclass
class Facts:
    """Lazy answers about one module."""

    source: Source
    tree: ast.Module
