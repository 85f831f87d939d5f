"""A lifted value under a key of a dict, or as a field of an object, and read from there again."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from autofix.codemods.graph._exports import Form
from autofix.codemods.graph._way import OFF, Way, calls_of
from autofix.flow.index import FunctionNode, last_name
from autofix.flow.objects import ClassInfo, Closure, Instance

if TYPE_CHECKING:
    from autofix.codemods.graph._lifting import Lift

ANY = object()
"""Every key: `{k: v.item() for k, v in terms.items()}`."""
_MOST = 60
"""Places that one dict is followed to."""


def under_key(lift: Lift, holder: ast.expr, key: object, form: Form) -> Way:
    """`{"kl": node}`, `dict(kl=node)`: what is read under this key, here or where it goes."""
    return _read(lift, [holder], key, form)


def stored_under(lift: Lift, target: ast.Subscript, form: Form) -> Way:
    """`parts["kl"] = node`."""
    owner, key = target.value, target.slice
    if not isinstance(key, ast.Constant):
        return OFF
    return _read(lift, _others(lift, owner), key.value, form)


def updated(lift: Lift, node: ast.expr, call: ast.Call, form: Form) -> Way:
    """`parts.update(kl=node)`."""
    key = next((k.arg for k in call.keywords if k.value is node), None)
    if key is None or not isinstance(call.func, ast.Attribute):
        return OFF
    return _read(lift, _others(lift, call.func.value), key, form)


def _others(lift: Lift, owner: ast.expr) -> list[ast.expr]:
    """The reads of the variable or attribute `owner`."""
    if isinstance(owner, ast.Name):
        return [n for n in lift.uses.names.all_loads(owner) if n is not owner]
    if isinstance(owner, ast.Attribute):
        return [n for n in lift.uses.attribute_loads(owner) if n is not owner]
    return []


def _read(lift: Lift, holders: list[ast.expr], key: object, form: Form) -> Way:
    reads: list[ast.expr] = []
    any_of: list[ast.expr] = []
    todo, seen = list(holders), set(holders)
    while todo and len(seen) < _MOST:
        holder = todo.pop()
        any_of += _values(lift, holder)
        for found, is_dict in _step(lift, holder, key):
            if not is_dict:
                reads.append(found)
            elif found not in seen:
                seen.add(found)
                todo.append(found)
    lift.exact = False  # others may read the dict as a whole
    ways = [lift.loads(dict.fromkeys(reads), form, lambda load: False)]
    if form == Form.NUMBER:
        ways.append(lift.loads(dict.fromkeys(any_of), form, lambda load: True))
        ways += [lift.follow(call, Form.NUMBERS) for call in _summed(lift, seen)]
    return lift.both(*ways)


def _values(lift: Lift, holder: ast.expr) -> list[ast.expr]:
    """`v` of `for v in parts.values()` and of `for k, v in parts.items()`."""
    taken = _taken(lift, holder)
    loop = lift.facts.index.parents.get(taken) if taken is not None else None
    around = lift.facts.index.parents.get(loop) if isinstance(loop, ast.comprehension) else loop
    name = last_name(taken.func) if taken is not None else None
    match getattr(loop, "target", None):
        case ast.Name() as target if name == "values":
            pass
        case ast.Tuple(elts=[_, ast.Name() as target]) if name == "items":
            pass
        case _:
            return []
    inside = ast.walk(around) if around is not None and getattr(loop, "iter", None) is taken else ()
    names = (n for n in inside if isinstance(n, ast.Name) and n.id == target.id)
    return [n for n in names if isinstance(n.ctx, ast.Load)]


def _summed(lift: Lift, holders: Iterable[ast.expr]) -> list[ast.Call]:
    """`parts.values()` as the argument of a call."""
    calls = [taken for holder in holders if (taken := _taken(lift, holder)) is not None]
    parents = lift.facts.index.parents
    return [
        c for c in calls if last_name(c.func) == "values" and isinstance(parents.get(c), ast.Call)
    ]


def _taken(lift: Lift, holder: ast.expr) -> ast.Call | None:
    """`parts.values()` or `parts.items()`."""
    read = lift.facts.index.parents.get(holder)
    call = lift.facts.index.parents.get(read) if isinstance(read, ast.Attribute) else None
    named = isinstance(read, ast.Attribute) and read.attr in ("values", "items")
    return call if named and isinstance(call, ast.Call) and call.func is read else None


def _step(lift: Lift, holder: ast.expr, key: object) -> Iterator[tuple[ast.expr, bool]]:
    """Where a dict goes (True), and where what it has under the key is read."""
    parents = lift.facts.index.parents
    parent = parents.get(holder)
    match parent:
        case ast.Subscript(slice=ast.Constant(value=value), ctx=ast.Load()):
            if key in (value, ANY):
                yield parent, False
        case ast.Attribute(attr="get" | "pop"):
            call = parents.get(parent)
            if isinstance(call, ast.Call) and call.args and call.func is parent:
                first = call.args[0]
                if isinstance(first, ast.Constant) and key in (first.value, ANY):
                    yield call, False
        case ast.Attribute(attr="copy"):
            call = parents.get(parent)
            if isinstance(call, ast.Call):
                yield call, True
        case ast.Assign() | ast.AnnAssign() | ast.NamedExpr():
            targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield from ((load, True) for load in lift.uses.names.loads(target))
                elif isinstance(target, ast.Attribute):
                    yield from ((load, True) for load in lift.uses.attribute_loads(target))
        case ast.Return():
            function = lift.facts.index.function_of(parent)
            if function is not None:
                for call in (*calls_of(function, lift.uses), *lift.uses.property_reads(function)):
                    yield call, True
        case ast.Call(func=ast.Attribute(value=owner, attr="update")) if holder in parent.args:
            yield from ((load, True) for load in _others(lift, owner))
        case ast.Call() if holder in parent.args:
            at = parent.args.index(holder)
            yield from ((load, True) for load in received(lift, parent, at, None))
        case ast.keyword(arg=name):
            taker = parents.get(parent)
            if isinstance(taker, ast.Call):
                word = name if name is not None else key if isinstance(key, str) else None
                loads = received(lift, taker, None, word)
                yield from ((load, name is not None) for load in loads)


def received(lift: Lift, call: ast.Call, at: int | None, word: str | None) -> list[ast.expr]:
    """Where a function of this file, or the constructor of a class, reads an argument."""
    function, skip = _callee(lift, call)
    if function is None or isinstance(function, ast.Lambda):
        return []
    spec = function.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)][skip:]
    if at is not None and at < len(names):
        word = names[at]
    if word not in (*names, *(a.arg for a in spec.kwonlyargs)):
        return []
    return list(lift.uses.names.argument_loads(function, word))


def _callee(lift: Lift, call: ast.Call) -> tuple[FunctionNode | None, int]:
    if last_name(call.func) not in lift.uses.names.definitions:
        return None, 0
    ref = lift.facts.value(call.func).ref
    if isinstance(ref, ClassInfo):
        made = ref.find("__init__")
        ref, skip = (made.ref if made is not None else None), 1
    else:
        skip = int(isinstance(ref, Closure) and ref.bound_to is not None)
    return (ref.node, skip) if isinstance(ref, Closure) else (None, 0)


def constructed(lift: Lift, node: ast.expr, call: ast.Call, info: ClassInfo, form: Form) -> Way:
    """`Terms(kl=node)`: an argument of `__init__`, or a field of a dataclass or named tuple."""
    word = next((k.arg for k in call.keywords if k.value is node), None)
    at = call.args.index(node) if node in call.args else None
    lift.exact = False
    if info.find("__init__") is not None:
        reads: list[ast.expr] = received(lift, call, at, word)
    else:
        word = info.fields[at] if at is not None and at < len(info.fields) else word
        reads = [r for r in lift.uses.names.attributes.get(word or "", ()) if _of(r, info, lift)]
    mixed = sum(1 for c in lift.uses.names.calls.get(info.node.name, ())) > 1
    return lift.loads(dict.fromkeys(reads), form, lambda load: mixed)


def _of(read: ast.Attribute, info: ClassInfo, lift: Lift) -> bool:
    ref = lift.facts.value(read.value).ref
    return isinstance(ref, Instance) and ref.info is info


def counted(lift: Lift, call: ast.Call, form: Form) -> Way:
    """`for i, v in enumerate(numbers)`."""
    loop = lift.facts.index.parents.get(call)
    around = lift.facts.index.parents.get(loop) if isinstance(loop, ast.comprehension) else loop
    match getattr(loop, "target", None):
        case ast.Tuple(elts=[_, ast.Name() as target]) if around is not None:
            inside = (n for n in ast.walk(around) if isinstance(n, ast.Name) and n.id == target.id)
            loads = [n for n in inside if isinstance(n.ctx, ast.Load)]
            flat = form == Form.NUMBERS or lift.facts.value(lift.export.read).rank == 1
            return lift.loads(loads, Form.NUMBER if flat else form, lambda load: True)
    return OFF
