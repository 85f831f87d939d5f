"""Load a fixture program, in single or in double precision."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

NARROW = {torch.float32, torch.float16, torch.bfloat16}
WIDER = dict.fromkeys(NARROW, torch.float64) | {torch.complex64: torch.complex128}
READERS = {"tensor", "as_tensor", "asarray", "from_numpy"}
OLD_TYPES = ("FloatTensor", "HalfTensor", "BFloat16Tensor")


class _Widen(TorchFunctionMode):
    """Turn every request for a narrow floating dtype into double precision."""

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = getattr(func, "__name__", "")
        if name in {"float", "half", "bfloat16"} and args and isinstance(args[0], torch.Tensor):
            return args[0].double()
        args = tuple(_wide(a) for a in args)
        kwargs = {key: _wide(value) for key, value in (kwargs or {}).items()}
        out = func(*args, **kwargs)
        if name in READERS and out.dtype in NARROW:
            out = out.double().detach().requires_grad_(out.requires_grad)
        return out


def _wide(value: Any) -> Any:
    return WIDER.get(value, value) if isinstance(value, torch.dtype) else value


@contextlib.contextmanager
def precision(dtype: torch.dtype) -> Iterator[None]:
    """Everything inside, the loading of programs included, runs in this precision."""
    before = torch.get_default_dtype()
    types_before = {name: getattr(torch, name) for name in OLD_TYPES}
    torch.set_default_dtype(dtype)
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.enable_grad())  # programs may switch it off for good
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        if dtype == torch.float64:
            stack.enter_context(_Widen())
            for name in OLD_TYPES:
                setattr(torch, name, torch.DoubleTensor)
        try:
            yield
        finally:
            torch.set_default_dtype(before)
            for name, kind in types_before.items():
                setattr(torch, name, kind)


def source_of(path: Path) -> str:
    """The text of a script, or of a notebook's code cells without their magics."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = (c["source"] for c in json.loads(text)["cells"] if c["cell_type"] == "code")
    lines = "\n".join("".join(cell) for cell in cells).splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


class Program(types.ModuleType):
    """A loaded program. ``failure`` says how its top level ended, if it did not finish."""

    def __init__(self, path: Path) -> None:
        super().__init__("fixture_" + path.name.partition(".")[0])
        self.__file__ = str(path)
        self.tree = ast.parse(source_of(path), str(path))
        self.failure: str | None = None
        try:
            _execute(self.tree, self)
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"

    def replay(self, result: str, **pinned: Any) -> Any:
        """Execute the top level afresh, with ``pinned`` names kept as given."""
        body: list[ast.stmt] = []
        found: list[ast.stmt] = []
        for statement in self.tree.body:
            bound = _bound(statement)
            if bound and bound <= pinned.keys():
                continue
            body.append(statement)
            if result in bound:
                found = list(body)
        scope = types.ModuleType(self.__name__)
        scope.__dict__.update(pinned)
        _execute(ast.Module(found, []), scope)
        return scope.__dict__[result]


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a top-level statement binds, in its own scope."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        return {statement.name}
    nodes = ast.walk(statement)
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _execute(tree: ast.Module, module: types.ModuleType) -> None:
    torch.manual_seed(0)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    file = getattr(module, "__file__", None)
    beside = _importable(Path(file).parent) if file else contextlib.nullcontext()
    try:
        with beside:
            exec(compile(tree, file or "<replay>", "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The files of a small project find each other, as when one of them is run as a script."""
    if not (folder / "pyproject.toml").exists():
        yield
        return
    names = {path.name.partition(".")[0] for path in folder.iterdir()}

    def forget() -> None:
        for name in [n for n in sys.modules if n.partition(".")[0] in names]:
            del sys.modules[name]

    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    forget()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = before
        forget()
