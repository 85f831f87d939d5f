"""Python-facing names of positional parameters: `inspect`, type stubs, docstrings, the yaml."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

TORCH = Path(torch.__file__).parent


@functools.cache
def _stubs(path: str, class_name: str = "") -> dict[str, list[ast.FunctionDef]]:
    body = ast.parse((TORCH / path).read_text()).body
    if class_name:
        body = next(n.body for n in body if isinstance(n, ast.ClassDef) and n.name == class_name)
    found: dict[str, list[ast.FunctionDef]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


def _positional(node: ast.FunctionDef) -> list[str]:
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    return names + ([node.args.vararg.arg] if node.args.vararg else [])


def _union(overloads: Iterable[list[str]]) -> list[str]:
    """The longest overload's order, then names that only others have."""
    ordered = sorted(overloads, key=len, reverse=True)
    union: list[str] = []
    for names in ordered:
        union += [n for n in names if n not in union]
    return union


def _from_inspect(fn: Any) -> list[str] | None:
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (ValueError, TypeError):
        return None
    if all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return None
    return [p.name for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]


def _from_doc(fn: Any) -> list[str] | None:
    name = getattr(fn, "__name__", "").rsplit(".", 1)[-1]
    pattern = r"^\s*(?:[\w.]+\.)?(\w+)\((.*?)\)\s*(?:->|\n|$)"
    for match in re.finditer(pattern, fn.__doc__ or "", re.M):
        if match[1] not in name and name not in match[1]:
            continue
        tree = _parse_arguments(match[2])
        if tree is not None:
            return tree
    return None


def _parse_arguments(text: str) -> list[str] | None:
    text = re.sub(r"[\[\]]|\.\.\.", "", text)
    text = re.sub(r",\s*,", ",", text)
    try:
        node = ast.parse(f"def f({text.rstrip(', ')}): pass").body[0]
    except SyntaxError:
        return None
    assert isinstance(node, ast.FunctionDef)
    return _positional(node)


def _from_stub(key: str) -> list[str] | None:
    where, _, name = key.rpartition(".")
    if where == "torch":
        stubs = _stubs("_C/_VariableFunctions.pyi")
    elif where == "torch.nn.functional":
        stubs = _stubs("nn/functional.pyi")
    else:
        return None
    return _union(map(_positional, stubs[name])) if name in stubs else None


def function_names(key: str, fn: Any) -> tuple[str, ...]:
    names = _from_inspect(fn) or _from_stub(key) or _from_doc(fn) or []
    return tuple(n for n in names if not n.startswith("_"))


def method_names(name: str, fn: Any) -> tuple[str, ...]:
    """Without `self`."""
    names = _from_inspect(fn)
    if names is None:
        stubs = _stubs("_C/__init__.pyi", "TensorBase").get(name)
        names = _union(map(_positional, stubs)) if stubs else _from_doc(fn)
    return tuple(n for n in names or [] if n != "self")
