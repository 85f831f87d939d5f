"""Which functions have to be interpreted before something can be said of a node in one of them:
those that call it, here or in other files of the project, and itself."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from autofix.flow.functions import enter
from autofix.flow.handed_on import holders, local_names, subclasses, tables
from autofix.flow.imported import Module
from autofix.flow.index import FUNCTIONS, FunctionNode
from autofix.flow.objects import ClassInfo
from autofix.flow.program import Program
from autofix.flow.unit import is_foreign

Function = ast.FunctionDef | ast.AsyncFunctionDef

_NOT_TRAINED = frozenset(
    {
        "validation_step",
        "test_step",
        "predict_step",
        "validation_epoch_end",
        "test_epoch_end",
        "on_validation_epoch_end",
        "on_test_epoch_end",
        "__getitem__",
        "collate_fn",
    }
)
"""Methods that frameworks call without gradients, or on data."""

_UNNAMED = frozenset({"forward", "__call__", "training_step"})

EXPLORED = 600
"""Statements after which nobody's callers are looked into any more: what is asked for is then
interpreted for arguments that are not known."""
EXPLORED_ABROAD = 400
"""The same for callers in other files."""
IMPORTERS = 5
"""How many files that import a function are looked into."""
HOPS = 2
"""How far callers of callers are followed into other files."""

_DATA_BASES = ("Dataset", "IterableDataset", "Sampler", "BatchSampler", "DataLoader")
_RETURN_UNUSED = frozenset(
    {
        "__init__",
        "__repr__",
        "__str__",
        "extra_repr",
        "on_train_epoch_end",
        "training_epoch_end",
        "setUp",
        "main",
    }
)


@dataclass(eq=False)
class Coverage:
    """What has been interpreted so far."""

    program: Program
    home: Module
    _covered: set[ast.AST] = field(default_factory=set)
    _asked: set[tuple[str, str]] = field(default_factory=set)
    _trains: bool = False
    """Some other file runs a backward pass through this one, or calls a file that does."""

    def __contains__(self, function: ast.AST) -> bool:
        return function in self._covered

    def knows(self, function: FunctionNode) -> bool:
        """Was it only interpreted as it is called, and not as anybody might call it?"""
        return not isinstance(function, ast.Lambda) and self._is_known(function, self.home)

    def cover(self, function: FunctionNode, module: Module | None = None, hops: int = HOPS) -> None:
        module = module or self.home
        if function in self._covered or isinstance(function, ast.Lambda):
            return
        self._covered.add(function)
        index = module.unit.index
        outer = index.outer_function(function)
        if outer is not None:
            self.cover(outer, module, hops)
        if module is not self.home:
            _define(function, module)
        if self._has_budget(module):
            self._cover_callers(function, module, hops)
        known = self._is_known(function, module)
        if outer is None and self._cover_importers(function, module, hops):
            known = known or self._is_known(function, module)
        if known:
            return
        needed = f"returned from `{function.name}`"
        if function.name in _RETURN_UNUSED or function.name.startswith("test_"):
            enter(function, self.program)
        else:
            data, supposed = self._is_data(function, module), self._is_supposed(function, module)
            enter(function, self.program, needed=needed, grad=not data, supposed=supposed)

    def _has_budget(self, module: Module) -> bool:
        if module is not self.home:
            return self.program.spent_abroad < EXPLORED_ABROAD
        return self.program.spent_here < EXPLORED * self.program.share

    def _cover_callers(self, function: Function, module: Module, hops: int) -> None:
        """Those in the same file."""
        for name in (function.name, *holders(function, module)):
            self._cover_users(name, module, hops)
        owner = module.unit.index.parents.get(function)
        if isinstance(owner, ast.ClassDef) and function.name in _UNNAMED:
            for name in (owner.name, *sorted(subclasses({owner.name}, module))):
                self._cover_makers(name, module, hops)

    def _cover_users(self, name: str, module: Module, hops: int) -> None:
        for caller in module.unit.index.callers(name):
            if isinstance(caller, FUNCTIONS):
                self.cover(caller, module, hops)
        if not module.whole and module.unit.used_at_top(name):
            module.run()

    def _cover_makers(self, name: str, module: Module, hops: int) -> None:
        """`model(x)` calls `forward` without naming it: look at whoever makes objects of its class,
        at the `forward` beside (what is made in `__init__` is called there), and at whoever names
        what is made outside of functions."""
        index = module.unit.index
        for bound in dict.fromkeys(module.unit.made_at_top(name)):
            self._cover_users(bound, module, hops)
        for maker in index.callers(name):
            beside = index.parents.get(maker)
            methods = beside.body if isinstance(beside, ast.ClassDef) else [maker]
            for method in methods:
                if isinstance(method, FUNCTIONS) and (method is maker or method.name in _UNNAMED):
                    self.cover(method, module, hops)

    def _cover_importers(self, function: Function, module: Module, hops: int) -> bool:
        """The callers in other files. True if none was left out."""
        project, index = module.project, module.unit.index
        owner = index.parents.get(function)
        top = owner if isinstance(owner, ast.ClassDef) else function
        if project is None or not hops or index.parents.get(top) is not module.unit.tree:
            return False
        if function in self.program.reached and module.unit.index.trains:
            return True  # this file trains it, and is likely all there is to know
        seen, complete = 0, True
        wanted = {top.name, *holders(top, module)}
        if isinstance(top, ast.ClassDef):
            wanted |= subclasses({top.name}, module)
        paths = project.importers(module.unit.path, (*sorted(wanted), function.name))
        for path, tells in paths:  # grows while it is read
            if not tells or seen == IMPORTERS or self.program.spent_abroad >= EXPLORED_ABROAD:
                complete = False
                continue
            user = self.program.modules.at(path)
            if user is not None and user is not module:
                seen += 1
                names = set(local_names(top.name, wanted, module, user))
                self._cover_importer(function, top, names, user, hops - 1)
                handed = {*tables(names, user), *(names if path.endswith("__init__.py") else ())}
                if isinstance(top, ast.ClassDef) and names:
                    handed |= subclasses(names, user)
                if handed:
                    wanted |= handed
                    known = {other for other, _ in paths} | {module.unit.path}
                    more = project.importers(path, tuple(sorted(handed)))
                    paths += [entry for entry in more if entry[0] not in known]
        return complete

    def _cover_importer(
        self, function: Function, top: ast.stmt, names: set[str], user: Module, hops: int
    ) -> None:
        if not names:
            return
        program = self.program
        tested = user.project is not None and user.project.is_test(user.unit.path)
        called, reached = set(program.called), set(program.reached)
        user.starts = True
        if isinstance(top, ast.ClassDef):
            names = names | subclasses(names, user)
            names |= {function.name} - _UNNAMED - {"__init__"}
        for name in sorted(names):
            if (user.unit.path, name) not in self._asked:
                self._asked.add((user.unit.path, name))
                self._cover_users(name, user, hops)
                if isinstance(top, ast.ClassDef):
                    self._cover_makers(name, user, hops)
        if tested:
            # A test shows some of the ways in which a function is used, never all.
            program.called, program.reached = called, reached
        elif function in program.reached:
            self._trains = self._trains or self._may_train(user, program.called - called)

    def _may_train(self, user: Module, called: set[ast.AST]) -> bool:
        """Is there a backward pass in a file, or in those whose functions it calls?"""
        paths = {node.lineno.path for node in called if is_foreign(node)}  # type: ignore[attr-defined]
        others = [self.program.modules.at(path) for path in sorted(paths)]
        return any(one is not None and one.unit.index.trains for one in (user, *others))

    def _is_known(self, function: Function, module: Module) -> bool:
        """Do the calls that were seen tell all that matters of how the function is used?"""
        program, index = self.program, module.unit.index
        if function.name == "forward" and isinstance(index.parents[function], ast.ClassDef):
            # A model that this file only shows, or evaluates, is trained elsewhere.
            return function in program.reached and (index.trains or self._trains)
        return function in program.called

    def _is_data(self, function: Function, module: Module) -> bool:
        """Does the world call this function without gradients?"""
        if function.name in _NOT_TRAINED:
            return True
        info = self._class_of(function, module)
        return info is not None and any(n.endswith(_DATA_BASES) for n in info.foreign_bases)

    def _is_supposed(self, function: Function, module: Module) -> bool:
        """Is it only supposed that somebody differentiates what the function gives? In a project
        whoever does would most often be seen. What can be called, and is no module, is as likely
        a transform of data. A file that stands alone is asked by its reader for the rest."""
        if function.name in _UNNAMED:
            info = self._class_of(function, module)
            return function.name == "__call__" and info is not None and not info.is_module
        project = module.project
        return project is not None and project.is_shared(module.unit.path)

    def _class_of(self, function: Function, module: Module) -> ClassInfo | None:
        parent = module.unit.index.parents.get(function)
        return self.program.classes.get(parent) if isinstance(parent, ast.ClassDef) else None


def _define(function: Function, module: Module) -> None:
    """Let the statement that defines a function of another file be interpreted."""
    at = module.unit.position_of(function.lineno)
    if at is not None:
        module.execute(at)
