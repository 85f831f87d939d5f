"""The `__init__` of a Module does not call that of `nn.Module`, calls it too late, or wrongly.

## What it does

Finds an `__init__` of an `nn.Module` without `super().__init__()`; with the call behind the first
layer or parameter that is set, there or by a method that it calls; with `super(Other, self)` of
another class; with the parentheses or `self` left out; where a class in front of `nn.Module` among
the bases has an `__init__` that does not go on; and a second `nn.Module.__init__(self)` that
forgets what was set before it. In a dataclass, `__post_init__` has to call it.

## Why is this bad

`nn.Module.__init__` makes the dicts in which parameters and submodules are registered. Without them
"cannot assign module before Module.__init__() call" is raised, or, where only plain attributes are
set, the first call of the module raises. A second call empties the dicts again.

## Example

```python
class Net(nn.Module):
    def __init__(self, dim):
        self.fc = nn.Linear(dim, 1)
        super().__init__()
```

## Use instead

```python
class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, 1)
```

## Fix safety

The call is inserted in front, moved up, completed, or taken away where it is the second. The fix is
safe, since the class cannot be used without it. It is unsafe where the base class is one of this
file that takes arguments: those of the same name are handed on, with a default or without. There is
no fix where the arguments cannot be told, where the call would move in front of what a base class
asks for when it is made, nor in a dataclass with a field that is a module. It is unsafe in one that
compares by its fields, which needs `eq=False` besides. Classes with base classes from elsewhere,
with `__new__`, and dataclasses that extend others are left alone.

## How it is verified

The original raises and the rewritten code does not; its parameters are listed and one optimizer
step moves them.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
- https://discuss.pytorch.org/t/attributeerror-cannot-assign-module-before-module-init-call/1446
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.modules._filled import early_filler
from autofix.codemods.modules._handed_on import gets_arguments, handed_on
from autofix.codemods.modules._initialiser import (
    BaseCall,
    Way,
    base_calls,
    base_initialiser,
    class_named,
    inserted,
    is_torch_module,
    looks_right,
    moved_up,
    names_class,
    own_initialiser,
    registering,
    runs_base_elsewhere,
    unbound,
)
from autofix.codemods.modules._mixin_first import stopped_by_mixin
from autofix.codemods.modules._post_init import has_no_hash, needed_before, post_initialiser
from autofix.codemods.modules._usable import usable
from autofix.flow.class_table import ClassTable, Method, self_name
from autofix.flow.facts import Facts
from autofix.flow.walk import walk
from autofix.model import Applicability, Edit
from autofix.rewrite.statements import remove_statement
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG506", trigger=r"def __(?:post_)?init__\b")

SAFE, UNSAFE = Applicability.SAFE, Applicability.UNSAFE


@rule.visit(ast.ClassDef)
def check(node: ast.ClassDef, facts: Facts) -> Iterator[Report]:
    if not node.bases:
        return
    method = own_initialiser(node) or post_initialiser(facts, node)
    if method is None:
        return
    if len(node.bases) > 1:
        stopped = stopped_by_mixin(facts, facts.class_table(node), method)
        if stopped is not None:
            yield stopped
            return
    if looks_right(facts, node, method):
        return
    table = facts.class_table(node)
    if not table.is_module or not usable(table, method):
        return
    calls = base_calls(facts, method)
    if not calls:
        if not runs_base_elsewhere(facts, table, method):
            yield from _missing(facts, table, method)
        return
    wrong = [report for call in calls if (report := _wrong(facts, table, method, call))]
    yield from wrong
    if not wrong:
        yield from _order(facts, table, method, calls)


def _missing(facts: Facts, table: ClassTable, method: Method) -> Iterator[Report]:
    stores = registering(facts, table, method)
    if not stores and not _is_called(facts, table):
        return
    node = stores[0].statement if stores else method
    message = "`super().__init__()` is missing: nothing can be registered"
    typo = _mistyped(table, method)
    if typo is not None:
        end = facts.source.span(typo)[1]
        edit = Edit(end - len(typo.attr), end, "__init__")
        yield Report(typo, f"`super().{typo.attr}` is no `__init__`", fix=fix(SAFE, edit))
        return
    given = handed_on(base_initialiser(table), method)
    if given is None or table.info is None or _needs_arguments(table):
        why = "which arguments `__init__` of the base class should get is not known"
        yield Report(node, message, declined=why)
        return
    tier, note = _tier(facts, table, given), None
    if method.name == "__post_init__":
        if early := needed_before(facts, table.node):
            why = f"`{early}` is set before `__post_init__` runs, and may have to be registered"
            yield Report(node, message, declined=why)
            return
        if has_no_hash(facts, table.node):
            tier, note = UNSAFE, "`eq=False` is needed, too: a module without a hash has no parts"
    edits = inserted(facts, method, f"super().__init__({given})")
    yield Report(node, message, fix=fix(tier, *edits), note=note)


def _mistyped(table: ClassTable, method: Method) -> ast.Attribute | None:
    """`super()._init_()`"""
    for node in walk(method):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super"))) as func):
                if func.attr.strip("_") == "init" and func.attr not in table.methods:
                    return func
    return None


def _tier(facts: Facts, table: ClassTable, given: str | None) -> Applicability:
    """Arguments of the same name need not be meant, nor need the defaults."""
    base = base_initialiser(table)
    return UNSAFE if given or (base and gets_arguments(facts, table, base)) else SAFE


def _is_called(facts: Facts, table: ClassTable) -> bool:
    """Is it used as a Module without doubt: has it a `forward`, or asks it for its parameters?"""
    if "__call__" in table.methods:
        return False
    return "forward" in table.methods or _is_plain_base(facts, table)


def _is_plain_base(facts: Facts, table: ClassTable) -> bool:
    """A class whose one base is `nn.Module` itself: its subclasses have nobody else to ask."""
    bases = table.node.bases
    return len(bases) == 1 and is_torch_module(facts, bases[0])


def _needs_arguments(table: ClassTable) -> bool:
    """A base like `nn.Linear`, of torch's own."""
    names = table.info.foreign_bases if table.info is not None else ()
    return base_initialiser(table) is None and any(
        name.startswith("torch.nn.") and not name.endswith((".Module", "ModuleList", "Sequential"))
        for name in names
    )


def _wrong(facts: Facts, table: ClassTable, method: Method, call: BaseCall) -> Report | None:
    """A call that does not do what it should."""
    start, end = facts.source.span(call.node)
    match call.way:
        case Way.NOT_CALLED:
            if not isinstance(call.statement, ast.Expr):
                return None
            message = "`__init__` of the base class is not called: parentheses are missing"
            given = handed_on(base_initialiser(table), method)
            tier = _tier(facts, table, given)
            if call.named is not None:
                given = ", ".join(filter(None, [self_name(method), given]))
            if given is None or _needs_arguments(table):
                return Report(call.node, message, declined="its arguments are not known")
            return Report(call.node, message, fix=fix(tier, Edit(end, end, f"({given})")))
        case Way.NO_OBJECT:
            message = "`super` is not called: parentheses are missing"
            at = start + len("super")
            edits = [Edit(at, at, "()")]
            if isinstance(call.node, ast.Call) and (first := _passes_self(call.node, method)):
                edits.append(_without(facts, call.node, first))
            return Report(call.node, message, fix=fix(SAFE, *edits))
        case Way.OLD:
            if not _other_class(facts, table, call):
                return None
            assert call.named is not None and isinstance(call.node, ast.Call)
            name = facts.source.segment(call.named)
            message = (
                f"`super({name}, ...)` does not lead to `__init__` of `{table.node.name}`'s base"
            )
            made = call.node.func
            assert isinstance(made, ast.Attribute)
            a, b = facts.source.span(made.value)
            return Report(call.node, message, fix=fix(SAFE, Edit(a, b, "super()")))
        case Way.NAMED:
            if not (isinstance(call.node, ast.Call) and is_torch_module(facts, call.named)):
                return None
            if call.node.args or call.node.keywords:
                return None
            message = "`nn.Module.__init__` is called without the object"
            return Report(
                call.node,
                message,
                fix=fix(SAFE, Edit(end - 1, end - 1, self_name(method) or "self")),
            )
    return None


def _passes_self(call: ast.Call, method: Method) -> ast.expr | None:
    first = call.args[0] if call.args else None
    return first if isinstance(first, ast.Name) and first.id == self_name(method) else None


def _without(facts: Facts, call: ast.Call, first: ast.expr) -> Edit:
    start, end = facts.source.span(first)
    if len(call.args) > 1:
        end = facts.source.span(call.args[1])[0]
    return Edit(start, end, "")


def _other_class(facts: Facts, table: ClassTable, call: BaseCall) -> bool:
    """Does `super(X, self)` name a class from which there is no way to the base of this one?"""
    if names_class(facts, call.named, table):
        return False
    if is_torch_module(facts, call.named):
        return True
    other = class_named(facts, call.named)
    if other is not None:
        return other.info is not None and other.node not in table.lineage
    return unbound(facts, call.named)


def _order(
    facts: Facts, table: ClassTable, method: Method, calls: list[BaseCall]
) -> Iterator[Report]:
    top = [call for call in calls if facts.index.parents.get(call.statement) is method]
    if not top or len(top) != len(calls):
        return
    stores = registering(facts, table, method)
    early = [s for s in stores if s.statement.lineno < top[0].statement.lineno]
    if len(top) == 1:
        line = f"before `super().__init__()` (line {top[0].node.lineno}) is called"
        if early:
            yield _late(facts, method, top[0], early[0].statement, f"it is set {line}")
        elif filler := early_filler(facts, table, method, top[0]):
            statement, name = filler
            yield _late(facts, method, top[0], statement, f"`{name}()` sets modules {line}")
        return
    first = top[0]
    for again in top[1:]:
        between = [s for s in stores if s.statement.lineno < again.statement.lineno]
        plain = _is_that_of_module(facts, table, again) or (
            again.way != Way.NAMED
            and ast.dump(again.node) == ast.dump(first.node)
            and base_initialiser(table) is None
        )
        if plain and between and isinstance(again.statement, ast.Expr):
            removed = remove_statement(facts, again.statement)
            message = "a second `__init__` of `nn.Module` forgets what was registered before it"
            if removed is not None:
                yield Report(again.node, message, fix=fix(SAFE, removed))


def _late(facts: Facts, method: Method, call: BaseCall, before: ast.stmt, message: str) -> Report:
    edits = moved_up(facts, method, call, before)
    if isinstance(edits, str):
        return Report(before, message, declined=edits)
    return Report(before, message, fix=fix(SAFE, *edits))


def _is_that_of_module(facts: Facts, table: ClassTable, call: BaseCall) -> bool:
    """Does it run `nn.Module.__init__`, by name or as that of the first base?"""
    if call.way == Way.NAMED:
        return is_torch_module(facts, call.named)
    own = call.way == Way.SUPER or names_class(facts, call.named, table)
    first = own and is_torch_module(facts, table.node.bases[0])
    return first and "call_super_init" not in facts.source.text  # which goes on to the next base
