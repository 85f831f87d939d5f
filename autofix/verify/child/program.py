"""One version of the user's program: compiled with probes at the changed statements, and loaded."""

from __future__ import annotations
import __future__

import ast
import builtins
import contextlib
import importlib
import importlib.machinery
import os
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import torch

from . import tensors

PROBE = "__autofix_probe__"
Probe = Callable[..., Any]
Lines = tuple[int, int]
Header = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try)
Unprobed = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)
Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class _Relay:
    """What all copies of a program report to: the probe of the execution that is going on."""

    probe: Probe

    def __call__(self, *args: Any) -> Any:
        return self.probe(*args)


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
        tree: ast.Module = _Prober(self.changes).visit(ast.parse(self.text, self.path))
        return tree

    def run(self, probe: Probe) -> dict[str, Any]:
        """Execute the whole program; the namespace is there even when it raises."""
        forget_modules(self.roots)
        module = self._fresh(probe)
        sys.argv = [self.path, *self.argv]
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
    each module, or only at its name, would take longer than most programs.)"""
    global _loaded_before
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


class _Prober(ast.NodeTransformer):
    """Reports each changed statement when it is reached, with the value it computes."""

    def __init__(self, changes: Sequence[Lines]) -> None:
        self.changes = changes

    def visit(self, node: ast.AST) -> Any:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                setattr(node, name, self._block(block))
        for handler in getattr(node, "handlers", ()):
            handler.body = self._block(handler.body)
        for case in getattr(node, "cases", ()):
            case.body = self._block(case.body)
        return node

    def _block(self, block: list[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for position, statement in enumerate(block):
            number = self._change(statement)
            docstring = position == 0 and _is_text(statement)
            self.visit(statement)
            if number is None or docstring or isinstance(statement, Unprobed):
                result.append(statement)
            else:
                result.extend(_probed(statement, number))
        return result

    def _change(self, statement: ast.stmt) -> int | None:
        first, last = _extent(statement)
        for number, (start, end) in enumerate(self.changes):
            if first <= end and start <= last:
                return number
        return None


def _future_flags(tree: ast.Module) -> int:
    """What `from __future__ import` asks for, when statements are compiled one by one."""
    flags = 0
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for alias in statement.names:
                flags |= getattr(__future__, alias.name).compiler_flag
    return flags


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _extent(statement: ast.stmt) -> Lines:
    """The lines of a simple statement, or of a compound statement's header."""
    first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:
        return first, max(first, body[0].lineno - 1)
    cases = getattr(statement, "cases", ())
    if cases:
        return first, max(first, cases[0].pattern.lineno - 1)
    return first, statement.end_lineno or statement.lineno


def _probed(statement: ast.stmt, number: int) -> list[ast.stmt]:
    if isinstance(statement, (ast.Expr, ast.Return)):
        if statement.value is not None:
            inner = statement.value
            statement.value = ast.copy_location(_call(number, inner, inner), inner)
            return [statement]
        return [_statement(statement, number, None), statement]
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        return [_statement(statement, number, None), statement]
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        return [statement, _statement(statement, number, _as_load(target))]
    if isinstance(statement, (*Header, ast.FunctionDef, ast.AsyncFunctionDef)):
        first = 1 if _is_text(statement.body[0]) else 0
        statement.body.insert(first, _statement(statement, number, None))
        return [statement]
    if isinstance(statement, ast.ClassDef):
        return [statement, _statement(statement, number, None)]
    return [_statement(statement, number, None), statement]


def _as_load(target: ast.expr) -> ast.expr | None:
    """The target as something to read; None where reading it again could have effects."""
    if isinstance(target, (ast.Name, ast.Attribute)):
        copy: ast.expr = ast.parse(ast.unparse(target), mode="eval").body
        for node in ast.walk(copy):
            ast.copy_location(node, target)
        return copy
    if isinstance(target, ast.Subscript) and isinstance(target.value, (ast.Name, ast.Attribute)):
        return _as_load(target.value)
    return None


def _call(number: int, value: ast.expr | None, place: ast.AST) -> ast.Call:
    given: list[ast.expr] = [ast.Constant(number)] + ([value] if value is not None else [])
    call = ast.Call(ast.Name(PROBE, ast.Load()), given, [])
    return ast.fix_missing_locations(ast.copy_location(call, place))


def _statement(place: ast.stmt, number: int, value: ast.expr | None) -> ast.stmt:
    return ast.copy_location(ast.Expr(_call(number, value, place)), place)
