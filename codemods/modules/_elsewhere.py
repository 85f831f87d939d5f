"""Are the parts that a Module keeps in a plain container registered, or trained, by another way?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.modules._abroad import is_trained_abroad
from autofix.codemods.modules._frozen import is_frozen
from autofix.codemods.modules._kept import Kept
from autofix.codemods.modules._owners import has_another_owner, origins
from autofix.codemods.modules._reads import reads_of as _reads_of
from autofix.flow.class_table import Store
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import ClassInfo
from autofix.flow.records import CONTAINERS, INSIDE
from autofix.flow.syntax import loads_in, taken_from
from autofix.flow.torch_api import is_optimizer
from autofix.flow.uses import ADDING, Use, uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk

_REGISTERING = frozenset(
    {"ModuleList", "ModuleDict", "Sequential", "ParameterList", "ParameterDict", "__setattr__"}
    | {"add_module", "register_module", "register_parameter", "setattr"}
)
_REARRANGING = frozenset({"list", "tuple", "set", "dict", "sorted", "reversed", "zip", "enumerate"})
_LISTING = frozenset({"parameters", "named_parameters", "state_dict", "load_state_dict", "grad"})
_LISTED = frozenset(
    {"parameters", "named_parameters", "modules", "children", "named_modules", "named_children"}
)
_FREEZING = frozenset({"eval", "requires_grad_", "requires_grad"})
_HANDED = re.compile(r"append|yield|extend|\+=|optim|return|requires_grad|add_param|=\s*\[|chain")
_LOOKED_AT = re.compile(r"numel|init|uniform_|normal_|fill_|norm|print|nelement|shape|size")
_PLAIN = re.compile(
    r"(?i)#.*(?:instead of \W*(?:nn\.)?Module(?:List|Dict)|\b(?:not|\w+n't)\b.*\bregister)"
)
_BUILTINS = CONTAINERS | frozenset(
    {"len", "print", "sum", "filter", "next", "isinstance", "range", "hasattr", "id", "repr"}
    | {"str", "any", "all", "min", "max", "type", "super", "partial", "int", "bool"}
)


def reads_of(facts: Facts, kept: Kept) -> list[ast.Attribute]:
    return _reads_of(facts, kept.table, kept.attribute)


def known_elsewhere(facts: Facts, kept: Kept) -> bool:
    """Is there another way by which the parts are registered, optimized, or meant to be fixed?"""
    beside = {f"{kept.attribute}_modules", f"{kept.attribute}_parameters"}
    if kept.table.keeps_own_books or beside & kept.table.stores.keys():
        return True
    if any(_of_modules(s.value) for s in (*kept.roots, *kept.fills)):
        return True
    if is_trained_abroad(facts, kept.table, kept.attribute):
        return True
    if any(_trains_itself(facts, owner) for owner in kept.classes) or _is_counted(facts, kept):
        return True
    if any(_is_said_to_be_plain(facts, root) for root in kept.roots):
        return True
    if kept.in_dicts and any(_is_handed_out(facts, kept, read) for read in reads_of(facts, kept)):
        return True
    if any(is_frozen(facts, part) for part in parts_of(facts, kept)):
        return True
    if any(has_another_owner(facts, part) for part in parts_of(facts, kept)):
        return True
    follow, names = uses_in(facts).follow, uses_in(facts).names
    uses = [use for read in reads_of(facts, kept) for use in follow(read, held=INSIDE)]
    for part in (one for made in parts_of(facts, kept) for one in origins(facts, made)):
        starts = names.all_loads(part) if isinstance(part, ast.Name) else [part]
        uses += [use for start in starts for use in follow(start)]
    for store in kept.roots:
        if isinstance(store.value, ast.Name):
            loads = names.all_loads(store.value)
            uses += [use for load in loads for use in follow(load, held=INSIDE)]
    if any(_registers(facts, use, kept) for use in uses):
        return True
    calls = [u.user for u in uses if isinstance(u.user, ast.Call) and u.user.func is u.node]
    return bool(calls) and all(without_gradient(facts, call) for call in calls)


def _is_counted(facts: Facts, kept: Kept) -> bool:
    """`range(len(self.inputs))`: nothing is computed with what is in there."""
    reads = [read for read in reads_of(facts, kept) if isinstance(read.ctx, ast.Load)]
    parents = [facts.index.parents.get(read) for read in reads]
    parents = [p for p in parents if not (isinstance(p, ast.Attribute) and p.attr in ADDING)]
    return bool(parents) and all(
        isinstance(p, ast.Call) and last_name(p.func) == "len" for p in parents
    )


def _trains_itself(facts: Facts, owner: ast.ClassDef) -> bool:
    """Does each part have an optimizer of its own?"""
    return any(
        isinstance(n, ast.Call) and is_optimizer(facts.library_name(n.func) or "")
        for n in walk(owner)
    )


def _of_modules(value: ast.expr | None) -> bool:
    """`list(self.fc.parameters())`: a list of what something else has registered."""
    return value is not None and any(
        isinstance(n, ast.Attribute) and n.attr in _LISTED for n in ast.walk(value)
    )


def parts_of(facts: Facts, kept: Kept) -> list[ast.expr]:
    """The expressions that make what the container holds."""
    found: list[ast.expr] = []
    for store in (*kept.roots, *kept.fills):
        if store.value is not None:
            found += _parts(facts, store.value)
    return found


def _parts(facts: Facts, value: ast.expr) -> Iterator[ast.expr]:
    match value:
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
            for each in elts:
                yield from _parts(facts, each)
        case ast.Dict(values=values):
            for each in values:
                yield from _parts(facts, each)
        case ast.ListComp(elt=made) | ast.SetComp(elt=made) | ast.GeneratorExp(elt=made):
            yield from _parts(facts, made)
        case ast.DictComp(value=made):
            yield from _parts(facts, made)
        case ast.BinOp(left=left, right=right) | ast.IfExp(body=left, orelse=right):
            yield from _parts(facts, left)
            yield from _parts(facts, right)
        case ast.Name():
            yield value
            for load in uses_in(facts).names.all_loads(value):
                adder = facts.index.parents.get(load)
                call = facts.index.parents.get(adder) if adder is not None else None
                adds = isinstance(adder, ast.Attribute) and adder.attr in ADDING
                if adds and isinstance(call, ast.Call) and call.args:
                    yield call.args[-1]
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as many) if name in _REARRANGING:
            for each in many:
                yield from _parts(facts, each)
        case ast.Call() | ast.Attribute() | ast.Subscript():
            yield value


def _is_said_to_be_plain(facts: Facts, root: Store) -> bool:
    """Does a comment say that nothing is to be registered there?"""
    statement = facts.index.statement_of(root.value) if root.value is not None else None
    return statement is not None and _PLAIN.search(facts.source.remarks(statement)) is not None


def _registers(facts: Facts, use: Use, kept: Kept) -> bool:
    user = use.user
    if use.stored:
        target = use.node
        plain = (kept.attribute, "data", "grad")
        other = isinstance(target, ast.Attribute) and target.attr not in plain
        return other and not use.contained
    if isinstance(user, ast.Attribute):
        if use.contained:
            return user.attr == "__dict__"
        if user.attr in _LISTING:
            return not _only_looked_at(facts, user)
        return user.attr in _FREEZING
    if isinstance(user, ast.Call) and user.func is not use.node:
        name = last_name(user.func)
        if name in ADDING and isinstance(user.func, ast.Attribute):
            return facts.value(user.func.value).kind == Kind.MODULE  # of a `ModuleList`
        if name in _REGISTERING or _is_part_of_another(facts, use.node, user):
            return True
        return use.contained and _unknown(facts, user)
    if not isinstance(user, ast.Return):
        return False
    return _gives_parameters(facts, user, kept) or _is_optimized(facts, user)


def _gives_parameters(facts: Facts, returned: ast.Return, kept: Kept) -> bool:
    """`def arch_parameters(self): return self._arch`: they have a way out of their own."""
    method = facts.index.function_of(returned)
    given = returned.value
    return (
        isinstance(method, FUNCTIONS)
        and not isinstance(method, ast.Lambda)
        and re.search(r"param|weights|variables", method.name) is not None
        and isinstance(given, ast.Attribute)
        and given.attr == kept.attribute
    )


def _is_part_of_another(facts: Facts, part: ast.expr, call: ast.Call) -> bool:
    """Is another Module made of it, as `Residual(layer)`? That one registers it."""
    ref = facts.value(call.func).ref
    made = isinstance(ref, ClassInfo) and ref.is_module
    return made and bool(facts.value(part).kind & Kind.MODULE)


def _is_handed_out(facts: Facts, kept: Kept, read: ast.Attribute) -> bool:
    """Is it read outside of the class, or by a method whose result an optimizer is given?"""
    method = facts.index.function_of(read)
    if method is None or facts.index.class_of(read) not in kept.table.lineage:
        return True
    returned = [n for n in walk(method) if isinstance(n, ast.Return)]
    return any(_is_optimized(facts, each) for each in returned)


def _is_optimized(facts: Facts, returned: ast.Return) -> bool:
    """Is what a method hands out given to an optimizer, whoever's method of that name it is?"""
    method = facts.index.function_of(returned)
    calls = uses_in(facts).names.calls.get(method.name, ()) if method is not None else ()
    return any(
        isinstance(around, ast.Call) and is_optimizer(facts.library_name(around.func) or "")
        for call in calls
        for around in facts.index.ancestors(call)
    )


def _unknown(facts: Facts, call: ast.Call) -> bool:
    """Might the callee do with the parts whatever it likes (an optimizer, another file)?"""
    name = last_name(call.func)
    if isinstance(call.func, ast.Name) and name in _BUILTINS:
        return False
    if isinstance(call.func, ast.Attribute) and name in ADDING | {"join", "format", "info"}:
        return False
    if name in uses_in(facts).names.definitions:
        return False
    dotted = facts.library_name(call.func) or "?"
    return not dotted.startswith("torch.") or ".optim." in dotted or ".autograd." in dotted


def _only_looked_at(facts: Facts, listing: ast.Attribute) -> bool:
    """`for p in layer.parameters(): nn.init.normal_(p)`, `sum(p.numel() for ...)`"""
    statement = facts.index.statement_of(listing)
    if isinstance(statement, ast.For) and _is_only_read(facts, statement, listing):
        return True
    for owner in facts.index.ancestors(listing):
        if isinstance(owner, (ast.GeneratorExp, ast.ListComp)):
            statement = None
            text = facts.source.segment(owner)
            return bool(_LOOKED_AT.search(text)) and not _HANDED.search(text)
        if isinstance(owner, (ast.stmt, *FUNCTIONS)):
            break
    text = facts.source.segment(statement) if statement is not None else ""
    return bool(_LOOKED_AT.search(text)) and not _HANDED.search(text)


def _is_only_read(facts: Facts, loop: ast.For, listing: ast.Attribute) -> bool:
    """`for p, slow in zip(net.parameters(), target.parameters()): slow.lerp_(p, 0.1)`: the values
    of the parameters are written to others, and nothing else is done with them."""
    for name, many in taken_from(loop.target, loop.iter):
        if isinstance(many, ast.Call) and many.func is listing:
            reads = list(loads_in(loop, {name.id}))
            return bool(reads) and all(_is_written_to_another(facts, read) for read in reads)
    return False


def _is_written_to_another(facts: Facts, read: ast.expr) -> bool:
    """`slow.data.mul_(0.9).add_(0.1 * read.data)`, `slow.data = 0.9 * slow.data + 0.1 * read`"""
    node: ast.AST = read
    while True:
        parent = facts.index.parents.get(node)
        match parent:
            case ast.BinOp() | ast.Attribute(attr="data" | "detach" | "clone", ctx=ast.Load()):
                node = parent
            case ast.Call(func=func) if func is node:
                node = parent
            case ast.Call(func=ast.Attribute(attr=name)):
                return name.endswith("_")
            case ast.Assign(targets=[ast.Attribute(attr="data")], value=value):
                return value is node
            case _:
                return False
