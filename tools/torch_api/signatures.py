"""Python-facing parameters: `inspect`, else torch's type stubs, else the docstring."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

TORCH = Path(torch.__file__).parent


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str = ""  # the annotation, as text
    star: bool = False
    keyword_only: bool = False


Overload = tuple[Parameter, ...]


@dataclass(frozen=True)
class Signature:
    """All overloads of one callable, receiver included."""

    overloads: tuple[Overload, ...] = ()
    args: tuple[str, ...] = ()  # the union, for the table
    returns: str = ""

    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
        """A name for each positional argument: those of the first overload that takes them."""
        for overload in self.overloads:
            names = _match(overload, args, kwargs)
            if names is not None:
                return names
        names = list(self.args[: len(args)])
        return names + (names[-1:] or ["self"]) * (len(args) - len(names))

    @property
    def keywords(self) -> frozenset[str]:
        return frozenset(p.name for overload in self.overloads for p in overload)

    @property
    def returns_list(self) -> bool:
        return bool(re.search(r"\.\.\.|Sequence|[Ll]ist\[", self.returns))


def _match(overload: Overload, args: Sequence[Any], kwargs: dict[str, Any]) -> list[str] | None:
    if not kwargs.keys() <= {p.name for p in overload}:
        return None
    rest = [p for p in overload if not p.keyword_only]
    names = []
    for value in args:
        if not rest or not _fits(value, rest[0]):
            return None
        names.append(rest[0].name)
        if not rest[0].star:
            rest.pop(0)
    return names


_FITS: tuple[tuple[Any, str], ...] = (
    (torch.Tensor, r"Tensor"),
    (bool, r"bool|Number"),
    (int, r"_int|\bint\b|Number|_float|\bfloat\b|SymInt|_size|Dim"),
    (float, r"float|Number"),
    (complex, r"complex"),
    (str, r"str"),
    (torch.dtype, r"dtype"),
    (torch.device, r"[Dd]evice"),
)


def _fits(value: Any, parameter: Parameter) -> bool:
    kind = parameter.type
    if not kind or kind == "Any":
        return True
    if value is None:
        return "None" in kind or "Optional" in kind
    if isinstance(value, list | tuple):
        if not re.search(r"Sequence|[Tt]uple|[Ll]ist|_size|\.\.\.|Indices", kind):
            return False
        return all(isinstance(v, torch.Tensor) == ("Tensor" in kind) for v in value[:1])
    for python, pattern in _FITS:
        if isinstance(value, python):
            return bool(re.search(pattern, kind))
    return True


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


def _overload(node: ast.FunctionDef) -> Overload:
    def make(a: ast.arg, **flags: bool) -> Parameter:
        return Parameter(a.arg, ast.unparse(a.annotation) if a.annotation else "", **flags)

    spec = node.args
    found = [make(a) for a in (*spec.posonlyargs, *spec.args)]
    found += [make(spec.vararg, star=True)] if spec.vararg else []
    return tuple(found + [make(a, keyword_only=True) for a in spec.kwonlyargs])


def _union(overloads: Iterable[Overload]) -> tuple[str, ...]:
    """The longest overload's order (`*size` before `dtype`), then names that only others have."""
    lists = [[p for p in overload if not p.keyword_only] for overload in overloads]
    lists.sort(key=lambda ps: (-len(ps), not any(p.star for p in ps)))
    return tuple(dict.fromkeys(p.name for ps in lists for p in ps if not p.name.startswith("_")))


def _from_inspect(fn: Any, *, vague: bool = False) -> Signature | None:
    try:
        signature = inspect.signature(fn)
    except (ValueError, TypeError):
        return None
    parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    if parameters and not vague and all(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    overload = tuple(
        Parameter(p.name, "", p.kind is p.VAR_POSITIONAL, p.kind is p.KEYWORD_ONLY)
        for p in parameters
    )
    returns = str(signature.return_annotation)
    return Signature((overload,), _union([overload]), returns)


def _from_doc(fn: Any) -> Signature | None:
    last = getattr(fn, "__name__", "").rsplit(".", 1)[-1]
    last = last.replace("_", "")
    pattern = r"^\s*(?:[\w.]+\.)?(\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)"
    for match in re.finditer(pattern, fn.__doc__ or "", re.M):
        if not last.endswith(match[1].replace("_", "")):
            continue
        text = re.sub(r"[\[\]]|\.\.\.|\b(?:bool|int|Tensor) (?=\w)", "", " ".join(match[2].split()))
        text = re.sub(r",\s*,", ",", text).strip(", ")
        try:
            node = ast.parse(f"def f({text}): pass").body[0]
        except SyntaxError:
            continue
        assert isinstance(node, ast.FunctionDef)
        overload = tuple(Parameter(p.name, "", p.star, p.keyword_only) for p in _overload(node))
        return Signature((overload,), _union([overload]))
    return None


def _from_stubs(nodes: list[ast.FunctionDef] | None, method: bool) -> Signature | None:
    if not nodes:
        return None
    overloads = [_overload(n) for n in nodes]
    # A function whose parameter is called `self` is a deprecated form, or takes a number there.
    current = [o for o in overloads if method or all(p.name != "self" for p in o)] or overloads
    returns = " ".join(ast.unparse(n.returns) for n in nodes if n.returns)
    if not method:
        overloads = [_renamed(o) for o in overloads]
    return Signature(tuple(overloads), _union(current), returns)


def _renamed(overload: Overload) -> Overload:
    swap = {"self": "input"}
    return tuple(
        Parameter(swap.get(p.name, p.name), p.type, p.star, p.keyword_only) for p in overload
    )


def of_function(key: str, fn: Any) -> Signature:
    where, _, name = key.rpartition(".")
    found = _from_inspect(fn)
    if found is None and where == "torch":
        found = _from_stubs(_stubs("_C/_VariableFunctions.pyi").get(name), method=False)
    if found is None and where == "torch.nn.functional":
        found = _from_stubs(_stubs("nn/functional.pyi").get(name), method=False)
    found = found or _from_doc(fn) or _from_inspect(fn, vague=True)
    if found is None or not found.args:
        found = _from_method(name) or found
    return found or Signature()


def _from_method(name: str) -> Signature | None:
    """`torch.unique_consecutive` is a dispatcher without parameters; the method is not."""
    method = getattr(torch.Tensor, name, None)
    if method is None:
        return None
    found = of_method(name, method)
    return Signature(tuple(map(_renamed, found.overloads)), ("input", *found.args[1:]))


def of_method(name: str, fn: Any) -> Signature:
    found = _from_inspect(fn)
    if found is None:
        found = _from_stubs(_stubs("_C/__init__.pyi", "TensorBase").get(name), method=True)
    found = found or _from_doc(fn) or Signature()
    if name.startswith("__") and not found.args:
        found = Signature(((Parameter("self"), Parameter("other")),), ("self", "other"))
    args = tuple(a for a in found.args if a != "self")
    overloads = tuple(
        o if o and o[0].name == "self" else (Parameter("self"), *o) for o in found.overloads
    )
    return Signature(overloads, ("self", *args), found.returns)
