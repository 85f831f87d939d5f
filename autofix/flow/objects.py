"""Functions, classes and instances of the project, as values refer to them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from autofix.flow.index import FUNCTIONS, FunctionNode, last_name
from autofix.flow.joins import join
from autofix.flow.values import Kind, Value, fresh

if TYPE_CHECKING:
    from autofix.flow.frame import Frame


@dataclass(eq=False)
class Closure:
    """A function with the scopes it was defined in, and the object it is bound to."""

    node: FunctionNode
    scopes: tuple[Frame, ...] = ()
    owner: ClassInfo | None = None
    bound_to: Value | None = None
    first: tuple[Value, ...] = ()
    """The arguments that `functools.partial` has given it."""
    named: Mapping[str, Value] = field(default_factory=dict)

    def bind(self, value: Value) -> Closure:
        return replace(self, bound_to=value)

    def given(self, values: Sequence[Value], keywords: Mapping[str, Value]) -> Closure:
        named = {**self.named, **keywords}
        return replace(self, first=(*self.first, *values), named=named)

    @property
    def is_abstract(self) -> bool:
        """Does it only say that derived classes have a method of this name?"""
        match getattr(self.node, "body", ()):
            case [ast.Raise(exc=exc)] | [ast.Expr(), ast.Raise(exc=exc)]:
                raised = exc.func if isinstance(exc, ast.Call) else exc
                return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
        decorators = getattr(self.node, "decorator_list", ())
        return any(last_name(one) == "abstractmethod" for one in decorators)


@dataclass(eq=False)
class ClassInfo:
    """A class: its bases, methods, and what its attributes are over all methods."""

    node: ast.ClassDef
    declared: tuple[Value, ...]
    """Its bases; those of other files not looked up yet."""
    scopes: tuple[Frame, ...]
    body: dict[str, Value] = field(default_factory=dict)
    """Names bound in the class body: methods, class attributes, nested classes."""
    table: dict[str, Value] = field(default_factory=dict)
    """Joined over every store to `self.<name>` in any method."""
    surveyed: set[str] = field(default_factory=set)
    """Attributes whose storing methods have all been looked at."""
    entered: set[ast.AST] = field(default_factory=set)
    """Methods that have been looked at for what they store."""

    @cached_property
    def bases(self) -> tuple[Value, ...]:
        scope = self.scopes[0]
        return tuple(scope.program.modules.resolve(base, scope) for base in self.declared)

    @cached_property
    def parents(self) -> tuple[ClassInfo, ...]:
        return tuple(b.ref for b in self.bases if isinstance(b.ref, ClassInfo))

    @cached_property
    def lineage(self) -> tuple[ClassInfo, ...]:
        """This class and its base classes as far as their code is known, nearest first."""
        found: list[ClassInfo] = [self]
        for info in found:  # grows while it is read
            at = found.index(info) + 1
            new = [parent for parent in info.parents if parent not in found]
            found[at:at] = new
        return tuple(found)

    @cached_property
    def foreign_bases(self) -> tuple[str, ...]:
        """Dotted names of the bases that come from libraries and bring methods of their own;
        ``?`` for one that is not known."""
        names: list[str] = []
        for info in self.lineage:
            for base in info.bases:
                if isinstance(base.ref, str):
                    if base.ref not in _BARE_BASES:
                        names.append(base.ref)
                elif not isinstance(base.ref, ClassInfo):
                    names.append("?")
        return tuple(names)

    @cached_property
    def is_module(self) -> bool:
        return any(is_module_class(name) for name in self.foreign_bases)

    @cached_property
    def is_record(self) -> bool:
        """A named tuple: what its fields are is said where its objects are made, all at once."""
        return "typing.NamedTuple" in self.foreign_bases

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The annotated names of a named tuple or dataclass, in order."""
        return tuple(
            statement.target.id
            for statement in self.node.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        )

    @cached_property
    def any_of_them(self) -> Instance:
        """One of several objects: its attributes are those of all that are made."""
        return Instance(self)

    @cached_property
    def is_autograd_function(self) -> bool:
        return any(name.endswith("autograd.Function") for name in self.foreign_bases)

    def find(self, name: str) -> Value | None:
        for info in self.lineage:
            if name in info.body:
                return info.body[name]
        return None

    def methods(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every method of the class and its bases here, constructors first."""
        nodes = [n for info in self.lineage for n in info.node.body if isinstance(n, FUNCTIONS)]
        return sorted(nodes, key=lambda node: node.name != "__init__")

    def note(self, attribute: str, value: Value) -> None:
        mine = self.table.get(attribute)
        joined = value if mine is None else join(mine, value)
        # A list that `__init__` makes and another method fills is read when it is filled.
        self.table[attribute] = joined.but(empty=False) if joined.empty else joined


@dataclass(eq=False)
class Instance:
    """An object of a class of the project. Attributes live in the state under (identity, name)."""

    info: ClassInfo
    identity: int = field(default_factory=fresh)
    is_copy: bool = False
    """Made of another object, not by its class: what is known of all objects of the class, as the
    identity of their parts, is not meant of this one."""


def setter_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str | None:
    """Under what the setter of a property stands in its class, beside the getter of that name."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "deleter"):
            return f"{node.name}.{decorator.attr}"
    return None


def instance_value(instance: Instance) -> Value:
    return Value(Kind.MODULE if instance.info.is_module else Kind.OBJECT, ref=instance)


_BARE_BASES = frozenset("abc.ABC builtins.object object typing.Generic typing.Protocol".split())
"""Their `__init__` does nothing, and they have no methods to speak of."""

_MODULE_BASES = frozenset(
    {
        "pytorch_lightning.LightningModule",
        "lightning.LightningModule",
        "lightning.pytorch.LightningModule",
        "transformers.PreTrainedModel",
        "torch_geometric.nn.MessagePassing",
        "gpytorch.Module",
        "gpytorch.models.ExactGP",
        "pyro.nn.PyroModule",
    }
)


def is_module_class(name: str) -> bool:
    """Is this dotted name a torch.nn.Module class (torch's own, or of a well-known library)?"""
    if name in _MODULE_BASES:
        return True
    if not name.startswith(("torch.nn.", "torch.jit.ScriptModule")):
        return False
    last = name.rpartition(".")[2]
    return last[:1].isupper() and last not in {"Parameter", "UninitializedParameter", "Buffer"}
