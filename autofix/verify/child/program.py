"""One version of the user's program: compiled with probes at the changed statements, and loaded."""

from __future__ import annotations
import __future__

import ast
import builtins
import contextlib
import gc
import importlib
import importlib.machinery
import os
import sys
import tokenize
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Protocol

import torch

from . import tensors
from .prober import PROBE, Lines, Prober


class Probe(Protocol):
    """What a program reports to."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def handed(self, name: str, value: Any) -> Any: ...


Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


_CLOCKS = ("time", "datetime", "timeit", "uuid", "psutil", "resource", "tempfile")


class _Relay:
    """What all copies of a program report to: the probe of the execution that is going on."""

    probe: Probe

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.probe(*args, **kwargs)

    def handed(self, name: str, value: Any) -> Any:
        return self.probe.handed(name, value)


@dataclass
class Program:
    """The text of a program, where it pretends to lie, and where its changes are."""

    text: str
    path: str
    name: str = "__main__"
    package: str = ""
    roots: Sequence[str] = ()
    argv: Sequence[str] = ()
    changes: Sequence[Lines] = ()
    host: str = ""
    """A script to run instead, which imports the file."""
    healing: bool = False
    """Changed statements keep what the probe makes of their values."""
    skipped: list[str] = field(default_factory=list)
    """Top-level statements that failed where only the definitions were wanted."""
    _loaded: bool = False
    _relay: _Relay = field(default_factory=_Relay)

    def compile(self) -> types.CodeType:
        return self._whole

    @cached_property
    def _whole(self) -> types.CodeType:
        return compile(self.tree(), self.path, "exec", dont_inherit=True)

    @cached_property
    def _script(self) -> types.CodeType:
        with tokenize.open(self.host) as file:
            return compile(file.read(), self.host, "exec", dont_inherit=True)

    @cached_property
    def _definitions(self) -> list[tuple[int, types.CodeType]]:
        """What defines something, statement by statement, with the line of each."""
        tree = self.tree()
        flags = _future_flags(tree)
        return [
            (
                statement.lineno,
                compile(ast.Module([statement], []), self.path, "exec", flags, True),
            )
            for statement in filter(_defines, tree.body)
        ]

    def tree(self) -> ast.Module:
        tree: ast.Module = Prober(self.changes, healing=self.healing).visit(
            ast.parse(self.text, self.path)
        )
        return tree

    def run(self, probe: Probe) -> dict[str, Any]:
        """Execute the whole program; the namespace is there even when it raises."""
        forget_modules(self.roots)
        module = self._fresh(probe)
        sys.argv = [self.host or self.path, *self.argv]
        if self.host:
            module.__file__ = self.host
            exec(self._script, module.__dict__)
        else:
            exec(self.compile(), module.__dict__)
        return module.__dict__

    def load(self, probe: Probe) -> dict[str, Any]:
        """Execute what defines something: no loops, no bare calls, no `__main__` block."""
        if not self._loaded or _hold_state(self.roots):
            forget_modules(self.roots)
        self._loaded = True
        module = self._fresh(probe)
        sys.argv = [self.path, *self.argv]
        self.skipped.clear()
        for line, code in self._definitions:
            try:
                exec(code, module.__dict__)
            except Exception as error:
                self.skipped.append(f"line {line}: {type(error).__name__}: {error}")
        return module.__dict__

    def clocked(self, namespace: dict[str, Any]) -> bool:
        """Whether the program's own files know a clock: what they print may never be the same."""
        spaces = [namespace, *(vars(sys.modules[name]) for name in _own_modules(self.roots))]
        return any(
            getattr(value, "__module__", None) in _CLOCKS
            or (isinstance(value, types.ModuleType) and value.__name__ in _CLOCKS)
            for space in spaces
            for value in list(space.values())
        )

    def _fresh(self, probe: Probe) -> types.ModuleType:
        self._relay.probe = probe
        self._serve_imports()
        for root in reversed(self.roots):
            if root not in sys.path:
                sys.path.insert(0, root)
        if self.package:
            # As Python does it: the package may import this very file, and needs all of it.
            with contextlib.suppress(Exception):
                importlib.import_module(self.package)
        module = types.ModuleType(self.name)
        module.__file__ = self.path
        # The modules of this package hold a private copy of the builtins.
        module.__dict__["__builtins__"] = builtins
        module.__dict__[PROBE] = self._relay
        if self.package:
            module.__package__ = self.package
        sys.modules[self.name] = module
        return module

    def _serve_imports(self) -> None:
        """Let other files of the project import this version, whatever lies on the disk."""
        real = os.path.realpath(self.path)
        loader = importlib.machinery.SourceFileLoader
        original = getattr(loader.get_code, "original", loader.get_code)

        def get_code(this: Any, fullname: str) -> types.CodeType | None:
            if os.path.realpath(this.get_filename(fullname)) == real:
                sys.modules[fullname].__dict__[PROBE] = self._relay
                return self.compile()
            found: types.CodeType | None = original(this, fullname)
            return found

        get_code.original = original  # type: ignore[attr-defined]
        loader.get_code = get_code  # type: ignore[method-assign, assignment]


def forget_modules(roots: Sequence[str]) -> None:
    """Drop the user's own modules, so that the next execution starts from nothing."""
    for name in _own_modules(roots):
        del sys.modules[name]


def _hold_state(roots: Sequence[str]) -> bool:
    """Whether an execution may have left something behind in the user's own modules."""
    return any(
        isinstance(value, torch.nn.Module) or any(True for _ in tensors.inside(value))
        for name in _own_modules(roots)
        for value in list(vars(sys.modules[name]).values())
    )


_foreign: set[str] = set()
"""The names of modules that are not the user's; most are not."""
_loaded_before: str | None = None
"""The last module that was loaded when the job began."""


def mark_beginning() -> None:
    """Nothing of the user's has run yet: what is loaded is not the user's. (To look at the file of
    each module, or only at its name, would take longer than most programs; and so would a look
    at each object that is there.)"""
    global _loaded_before
    gc.freeze()
    _loaded_before = next(reversed(sys.modules))


def _new_modules() -> Iterator[str]:
    """From the last one back: what came before is never touched."""
    for name in reversed(sys.modules):
        if name == _loaded_before:
            return
        yield name


def _own_modules(roots: Sequence[str]) -> list[str]:
    folders = tuple(_real(root) + os.sep for root in roots)
    found = []
    for name in list(_new_modules()):
        if name in _foreign or name == "__main__":
            continue
        if _is_own(getattr(sys.modules[name], "__file__", None), folders):
            found.append(name)
        else:
            _foreign.add(name)
    return found


@cache
def _is_own(file: str | None, folders: tuple[str, ...]) -> bool:
    if not file or "site-packages" in file or "dist-packages" in file:
        return False
    return _real(file).startswith(folders)


@cache
def _real(path: str) -> str:
    return os.path.realpath(path)


def _defines(statement: ast.stmt) -> bool:
    """Whether functions below may need this statement; training loops and reports are not run."""
    if isinstance(statement, Definition):
        return True
    if isinstance(statement, ast.Expr):
        called = ast.unparse(statement)
        return any(word in called for word in ("seed", "set_default", "sys.path", "filterwarnings"))
    return not isinstance(statement, (ast.For, ast.AsyncFor, ast.While, ast.Return))


def _future_flags(tree: ast.Module) -> int:
    """What `from __future__ import` asks for, when statements are compiled one by one."""
    flags = 0
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for alias in statement.names:
                flags |= getattr(__future__, alias.name).compiler_flag
    return flags
