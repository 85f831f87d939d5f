"""What a rule may ask of the flow analysis. Nothing is interpreted before something is asked."""

from __future__ import annotations

import ast
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

# The modules below register how each kind of node is interpreted.
from autofix.flow import access, arithmetic, blocks, calls, expressions, statements  # noqa: F401
from autofix.flow.class_table import ClassTable
from autofix.flow.coverage import Coverage
from autofix.flow.cuts import Demand
from autofix.flow.evidence import static_name
from autofix.flow.frame import all_cuts, contents
from autofix.flow.functions import enter
from autofix.flow.imported import Modules, Project
from autofix.flow.index import FUNCTIONS, FunctionNode, Index, root_name
from autofix.flow.objects import ClassInfo
from autofix.flow.program import Exhausted, Program
from autofix.flow.state import Key
from autofix.flow.trails import Trail
from autofix.flow.unit import Unit, is_foreign
from autofix.flow.values import UNKNOWN, Graph, Kind, Value
from autofix.flow.walk import walk
from autofix.flow.writes import Break, Write
from autofix.source import Line, Source


@dataclass(eq=False)
class Facts:
    """Lazy answers about one module."""

    source: Source
    tree: ast.Module
    project: Project | None = None
    """The files around it, if they may be looked at."""
    index: Index = field(init=False)
    _skimmed: set[ast.AST] = field(default_factory=set)
    _silent: bool = False
    _tables: dict[ast.ClassDef, ClassTable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.index = Index(self.tree, self.source)

    def alone(self) -> Facts:
        """The same module, without a look at the files around it."""
        facts = Facts(self.source, self.tree)
        facts.index = self.index
        return facts

    @cached_property
    def program(self) -> Program:
        """The interpreted module body, with everything that it calls."""
        program = Program(self.tree, self.index)
        program.modules = Modules(program, self.project)
        path = os.path.abspath(self.source.path)  # noqa: PTH100
        home = program.modules.home(Unit(path, self.source, self.tree, self.index))
        program.module = home.frame
        self._attempt(lambda: program.module.run(self.tree.body))
        program.module.state.dead = False
        program.finished = True
        return program

    @property
    def consulted(self) -> frozenset[str]:
        """The other files that were looked into."""
        if "program" not in self.__dict__:
            return frozenset()
        modules = self.program.modules
        return modules.consulted - {self.program.module.home.unit.path}

    def value(self, node: ast.expr) -> Value:
        """What an expression is, joined over every way this file reaches it."""
        self._cover(node)
        return UNKNOWN if self._silent else self.program.values.get(node, UNKNOWN)

    def argument(self, parameter: ast.arg) -> Value | None:
        """What a parameter was bound to, joined over every call."""
        self._cover(parameter)
        return None if self._silent else self.program.values.get(parameter)

    def knows_callers(self, function: FunctionNode) -> bool:
        """Do the calls that are seen tell how a function is used, as far as that is to be known?"""
        return not self._silent and self._coverage.knows(function)

    def may_hold_tensor(self, node: ast.expr) -> bool:
        """False if the function around `node` alone shows that it is no tensor, and no list of
        tensors or of numbers taken out of them. Asked first, it spares most of a large file: no
        call is looked into, and no caller."""
        function = self.index.function_of(node)
        if function is None or function in self._coverage or self._silent:
            value = self.value(node)
        else:
            if function not in self._skimmed:
                self._skimmed.add(function)
                self._attempt(lambda: enter(function, self._skim))
            value = self._skim.values.get(node, UNKNOWN)
        inner = contents(value)
        if inner is None or value.kind & Kind.TENSOR or all_cuts(value):
            return True
        return bool(inner.kind & (Kind.TENSOR | Kind.UNKNOWN | Kind.MODULE))

    @cached_property
    def _coverage(self) -> Coverage:
        program = self.program
        return Coverage(program, program.module.home)

    @cached_property
    def _skim(self) -> Program:
        skim = Program(self.tree, self.index, skims=True)
        skim.module, skim.modules = self.program.module, self.program.modules
        skim.classes = self.program.classes
        skim.finished = True
        # Values that mention cuts go from one to the other, by way of the module and the classes.
        skim.cuts.share(self.program.cuts)
        return skim

    def reached(self, node: ast.expr) -> bool:
        """Was the expression ever interpreted (is it not dead code)?"""
        self._cover(node)
        return not self._silent and node in self.program.values

    def needed(self, node: ast.AST) -> tuple[Graph, Demand] | None:
        """If a graph is cut at `node` and something needs the gradient behind it: how sure it is
        that there is a graph, and what needs it."""
        self._cover(node)
        found = None if self._silent else self.program.cuts.needed(node)
        if found is None or not self._hooks_forward:
            return found
        return found[0], replace(found[1], carries=True)

    @property
    def _hooks_forward(self) -> bool:
        """What a hook keeps comes with a graph that nobody sees in what reads it."""
        others = (other.unit.index for other in self.program.modules.others)
        return self.index.hooks_forward or any(index.hooks_forward for index in others)

    def write(self, target: ast.AST) -> Write | None:
        """What the write into the tensor of the expression `target` breaks. (For a module that
        works in place, `target` is the call that makes it.)"""
        self._cover(target)
        owner = self.index.class_of(target)
        for method in owner.body if owner is not None and isinstance(target, ast.Call) else ():
            if isinstance(method, FUNCTIONS):
                self._cover(method.args.args[0] if method.args.args else method)
        return None if self._silent else self.program.writes.at.get(target)

    def rewritten_in(self, target: ast.AST) -> frozenset[ast.stmt]:
        """The loops that run backward passes, here or in callers, in each of whose turns `target`
        writes into memory that the turn before has left."""
        self._cover(target)
        if self._silent:
            return frozenset()
        found = self.program.writes.turns.get(target, {}).values()
        return frozenset().union(*found) & self.program.cuts.trained

    def broken(self, target: ast.AST) -> list[tuple[Break, Graph, Demand]]:
        """What the write into the tensor of `target` breaks, of which a gradient is needed: how
        sure that is, and what needs it."""
        write = self.write(target)
        found = []
        for one in write.breaks.values() if write is not None else ():
            need = self.program.cuts.needed(one.place)
            if need is not None:
                found.append((one, *need))
        return found

    def before(self, loop: ast.stmt) -> dict[Key, Value]:
        """What is bound when a `for` or `while` is reached: names, and the heap."""
        self._cover(loop)
        return {} if self._silent else self.program.before.get(loop, {})

    def class_table(self, node: ast.ClassDef) -> ClassTable:
        """What a class keeps on its objects, over its methods and bases."""
        table = self._tables.get(node)
        if table is None:
            info = self._class_info(node)
            lineage = tuple(each.node for each in info.lineage) if info is not None else (node,)
            table = self._tables[node] = ClassTable(node, info, lineage)
        return table

    def _class_info(self, node: ast.ClassDef) -> ClassInfo | None:
        outer = self.index.outer_function(node)
        if outer is not None:
            self._attempt(lambda: self._coverage.cover(outer))
        return None if self._silent else self.program.classes.get(node)

    def grad_enabled(self, node: ast.Call | ast.BinOp | ast.AugAssign) -> bool:
        """Was gradient mode on in some evaluation of this call or operation?"""
        self._cover(node)
        return self.program.modes.get(node, True)

    def used_as_leaf(self, node: ast.AST) -> bool:
        """Is what comes out of the cut at `node` optimized, or asked for its own `.grad`?"""
        self._cover(node)
        return self.program.purposes.is_leaf_of(node)

    def zeroes(self, node: ast.AST) -> Sequence[ast.Call]:
        """The calls in the programs around `node`, those of other files included, that set
        gradients to zero rather than to drop them."""
        self._cover(node)
        return () if self._silent else self.program.zeroed

    def makes_optimizer(self, node: ast.AST, loop: ast.stmt) -> bool:
        """Is an optimizer made in the turns of a loop, at `node` or around the calls of it?"""
        if node in self.index.parents:
            self._cover(node)
        return not self._silent and loop in self.program.renewed

    def steps(self, loop: ast.stmt) -> bool:
        """Do turns of a loop that `trails` lead through step an optimizer that was there before?"""
        return loop in self.program.stepped and loop not in self.program.renewed

    def trails(self, node: ast.Call) -> Collection[Trail]:
        """By which calls the Parameter that is made at `node` is reached."""
        self._cover(node)
        return () if self._silent else self.program.trails.get(node, ())

    def optimizer_of(self, node: ast.expr, leaf: ast.expr) -> ast.Call | None:
        """The optimizer, here or in another file, that is given the result of `node`, no leaf, and
        not the `leaf` that it is computed from."""
        given = self.program.cuts.computed_for
        memory = self.value(node).storage - self.value(leaf).storage
        return None if self._silent else next((given[m] for m in memory if m in given), None)

    def is_carried(self, node: ast.AST) -> bool:
        """Does the cut at `node` separate turns of a loop that each have a backward pass?"""
        self._cover(node)
        return not self._silent and self.program.cuts.is_carried(node)

    def is_recurrent(self, node: ast.AST) -> bool:
        """Does what the cut at `node` gives go into what it cuts in the next turn of a loop? Such a
        state is multiplied by what it was made of, and is no weight for that."""
        self._cover(node)
        return not self._silent and node in self.program.cuts.recurrent

    def is_term(self, node: ast.AST) -> bool:
        """Is what comes out of the cut at `node` a term of what a backward pass runs through, or
        all of it? A constant there trains nothing, and nobody means one."""
        self._cover(node)
        return not self._silent and self.program.cuts.is_term(node)

    def is_term_of_result(self, node: ast.AST) -> bool:
        """The same for a single number that is returned to code of which nothing is known."""
        self._cover(node)
        return not self._silent and self.program.cuts.is_term_of_result(node)

    def cuts_before(self, node: ast.expr) -> list[ast.AST]:
        """Where the graph was cut on the way to a value."""
        value = self.value(node)
        return self.program.cuts.places_of(value)

    def is_weight(self, node: ast.AST) -> bool:
        """Is what comes out of the cut at `node` a factor of log-probabilities, or of the very
        values that were cut: most often a constant on purpose?"""
        self._cover(node)
        return not self._silent and self.program.purposes.is_weight(node)

    def weighs_log_probability(self, node: ast.AST) -> bool:
        """Only the first of these."""
        self._cover(node)
        return not self._silent and self.program.purposes.weighs_log_probability(node)

    def is_target(self, node: ast.AST) -> bool:
        """Does what comes out of the cut at `node` reach the target of a loss function?"""
        self._cover(node)
        return self.program.purposes.is_target_of(node)

    def arrays(self, node: ast.AST) -> list[ast.Call]:
        """The `x.numpy()` and `np.f(x)` calls where x is downstream of the cut at `node`."""
        self._cover(node)
        return [n for n in self.program.purposes.read_as_arrays(node) if not is_foreign(n)]

    def silencers(self, node: ast.AST) -> list[ast.AST]:
        """The targets of `x.requires_grad = True` where x is downstream of the cut at `node`."""
        self._cover(node)
        return [n for n in self.program.purposes.silenced_by(node) if not is_foreign(n)]

    def broken_elsewhere(self, node: ast.AST) -> str | None:
        """Why code in another file would break if the graph were not cut at or in `node`."""
        if not self._reaches_others():
            return None
        for inner in walk(node):
            for call in self.program.purposes.read_as_arrays(inner):
                if is_foreign(call):
                    return f"what reads it as an array (line {call.lineno}) would raise"
        return None

    def silenced_elsewhere(self, node: ast.AST) -> list[Line]:
        """Where other files set `requires_grad` of what comes out of a cut at or in `node`: it
        would raise there if the graph were not cut."""
        if not self._reaches_others():
            return []
        targets = (t for inner in walk(node) for t in self.program.purposes.silenced_by(inner))
        lines = (getattr(target, "lineno", None) for target in targets)
        return sorted({line for line in lines if isinstance(line, Line)})

    def _reaches_others(self) -> bool:
        if "program" not in self.__dict__:
            return False
        purposes = self.program.purposes
        return any(map(is_foreign, (*purposes.arrays, *purposes.silencers)))

    def rewraps(self, node: ast.AST) -> list[ast.AST]:
        """Where a new leaf is made of what comes out of the cut at `node`."""
        self._cover(node)
        return self.program.purposes.rewrapped_by(node)

    def rewrapped(self, wrapper: ast.AST) -> list[tuple[ast.AST, Graph]]:
        """The cuts on the way to the new leaf that is made at `wrapper`, its own included."""
        self._cover(wrapper)
        return [] if self._silent else self.program.purposes.rewraps_what(wrapper)

    def library_name(self, node: ast.expr) -> str | None:
        """The full dotted name (``torch.nn.functional.relu``) that an expression refers to."""
        if is_foreign(node):
            return self._library_of(node)
        root = root_name(node)
        around = [p for p in self.index.ancestors(node) if isinstance(p, (*FUNCTIONS, ast.Lambda))]
        if root is not None and not any(root in self.index.bound_names(f) for f in around):
            return static_name(node, self.program.module)  # no need to interpret the function
        return self._library_of(node)

    def _library_of(self, node: ast.expr) -> str | None:
        value = self.value(node)
        return value.ref if value.kind == Kind.LIBRARY and isinstance(value.ref, str) else None

    def may_be_library(self, node: ast.expr) -> bool:
        """Can a dotted name, in whatever function, begin with that of a library?"""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and (
            node.id in self.libraries or node.id in self.index.imported
        )

    @cached_property
    def libraries(self) -> dict[str, str]:
        """Module-level names that refer to a library, and what they refer to."""
        return {
            key: value.ref
            for key, value in self.program.module.state.bound.items()
            if isinstance(key, str) and value.kind == Kind.LIBRARY and isinstance(value.ref, str)
        }

    @property
    def given_up(self) -> bool:
        """The file is too large to follow, and nothing is said of it."""
        return self._silent

    def _attempt(self, work: object) -> None:
        assert callable(work)
        try:
            work()
        except (Exhausted, RecursionError):
            # Too large to follow: whatever was learned is partial, so nothing is said.
            self._silent = True

    def _cover(self, node: ast.AST) -> None:
        """Interpret whatever decides what `node` is."""
        coverage = self._coverage
        function = self.index.function_of(node)
        if function is not None and not self._silent and function not in coverage:
            self._attempt(lambda: coverage.cover(function))
