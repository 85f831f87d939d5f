"""One version of the user's program: compiled with probes at the changed statements, and loaded."""

from __future__ import annotations

import __future__

import ast
import builtins
import importlib.machinery
import os
import sys
import types
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

PROBE = "__autofix_probe__"
Probe = Callable[..., Any]
Lines = Tuple[int, int]
Header = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try)
Unprobed = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)
Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


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
    skipped: List[str] = field(default_factory=list)
    """Top-level statements that failed where only the definitions were wanted."""

    def compile(self) -> types.CodeType:
        return compile(self.tree(), self.path, "exec", dont_inherit=True)

    def tree(self) -> ast.Module:
        tree = _Prober(self.changes).visit(ast.parse(self.text, self.path))
        return ast.fix_missing_locations(tree)

    def run(self, probe: Probe) -> Dict[str, Any]:
        """Execute the whole program; the namespace is there even when it raises."""
        module = self._fresh(probe)
        sys.argv = [self.path, *self.argv]
        exec(self.compile(), module.__dict__)
        return module.__dict__

    def load(self, probe: Probe) -> Dict[str, Any]:
        """Execute what defines something: no loops, no bare calls, no `__main__` block."""
        module = self._fresh(probe)
        sys.argv = [self.path, *self.argv]
        self.skipped.clear()
        tree = self.tree()
        flags = _future_flags(tree)
        for statement in filter(_defines, tree.body):
            code = compile(ast.Module([statement], []), self.path, "exec", flags, True)
            try:
                exec(code, module.__dict__)
            except Exception as error:
                self.skipped.append(f"line {statement.lineno}: {type(error).__name__}: {error}")
        return module.__dict__

    def _fresh(self, probe: Probe) -> types.ModuleType:
        forget_modules(self.roots)
        self._serve_imports(probe)
        module = types.ModuleType(self.name)
        module.__file__ = self.path
        # The modules of this package hold a private copy of the builtins.
        module.__dict__["__builtins__"] = builtins
        module.__dict__[PROBE] = probe
        if self.package:
            module.__package__ = self.package
        sys.modules[self.name] = module
        for root in reversed(self.roots):
            if root not in sys.path:
                sys.path.insert(0, root)
        return module

    def _serve_imports(self, probe: Probe) -> None:
        """Let other files of the project import this version, whatever lies on the disk."""
        real = os.path.realpath(self.path)
        loader = importlib.machinery.SourceFileLoader
        original = getattr(loader.get_code, "original", loader.get_code)

        def get_code(this: Any, fullname: str) -> Optional[types.CodeType]:
            if os.path.realpath(this.get_filename(fullname)) == real:
                sys.modules[fullname].__dict__[PROBE] = probe
                return self.compile()
            found: Optional[types.CodeType] = original(this, fullname)
            return found

        get_code.original = original  # type: ignore[attr-defined]
        loader.get_code = get_code  # type: ignore[method-assign]


def forget_modules(roots: Sequence[str]) -> None:
    """Drop the user's own modules, so that the next execution starts from nothing."""
    folders = tuple(os.path.realpath(root) + os.sep for root in roots)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or "site-packages" in file or "dist-packages" in file:
            continue
        if name != "__main__" and os.path.realpath(file).startswith(folders):
            del sys.modules[name]


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

    def _block(self, block: List[ast.stmt]) -> List[ast.stmt]:
        result: List[ast.stmt] = []
        for position, statement in enumerate(block):
            number = self._change(statement)
            docstring = position == 0 and _is_text(statement)
            self.visit(statement)
            if number is None or docstring or isinstance(statement, Unprobed):
                result.append(statement)
            else:
                result.extend(_probed(statement, number))
        return result

    def _change(self, statement: ast.stmt) -> Optional[int]:
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
    return first, statement.end_lineno or statement.lineno


def _probed(statement: ast.stmt, number: int) -> List[ast.stmt]:
    if isinstance(statement, (ast.Expr, ast.Return)):
        if statement.value is not None:
            inner = statement.value
            statement.value = ast.copy_location(_call(number, inner, inner), inner)
            return [statement]
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


def _as_load(target: ast.expr) -> Optional[ast.expr]:
    """The target as something to read; None where reading it again could have effects."""
    if isinstance(target, (ast.Name, ast.Attribute)):
        copy: ast.expr = ast.parse(ast.unparse(target), mode="eval").body
        return copy
    if isinstance(target, ast.Subscript) and isinstance(target.value, (ast.Name, ast.Attribute)):
        return _as_load(target.value)
    return None


def _call(number: int, value: Optional[ast.expr], place: ast.AST) -> ast.Call:
    given: List[ast.expr] = [ast.Constant(number)] + ([value] if value is not None else [])
    call = ast.Call(ast.Name(PROBE, ast.Load()), given, [])
    return ast.copy_location(call, place)


def _statement(place: ast.stmt, number: int, value: Optional[ast.expr]) -> ast.stmt:
    return ast.copy_location(ast.Expr(_call(number, value, place)), place)
