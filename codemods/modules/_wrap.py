"""The edits that register what a plain container holds."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.codemods.modules._as_filled import registered_as_filled
from autofix.codemods.modules._elsewhere import reads_of
from autofix.codemods.modules._initialiser import base_calls, moved_up
from autofix.codemods.modules._kept import Kept
from autofix.codemods.modules._keys import keys_fit
from autofix.codemods.modules._lines import line_after, statement_in
from autofix.flow.class_table import How, Method, Store, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import is_none
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.names import spell

_LIST_METHODS = {False: {"append", "extend", "insert", "pop"}, True: {"append", "extend"}}
_DICT_METHODS = frozenset({"keys", "values", "items", "update", "pop", "clear"})
_PARAMETER_DICT_METHODS = _DICT_METHODS | {"get", "setdefault", "copy", "popitem"}
_TAKES_ANY = frozenset(
    {"len", "enumerate", "zip", "list", "tuple", "iter", "reversed", "map", "print", "dict", "set"}
    | {"filter", "any", "all", "sum", "next", "chain", "sorted"}
)


@dataclass(frozen=True, slots=True)
class Repair:
    edits: tuple[Edit, ...]
    wrapped: bool
    """The container itself became one of torch's, rather than got one beside it."""


def repaired(facts: Facts, kept: Kept, *, parameters: bool) -> Repair | str:
    """The edits, or why there are none."""
    moved = _moved_super(facts, kept)
    if isinstance(moved, str):
        return moved
    if not kept.mixed and not _is_inherited(kept) and _wraps(facts, kept, parameters):
        edits = _wrapped(facts, kept, parameters)
        if edits is not None:
            return Repair((*edits, *moved), True)
    if kept.instead:
        return "it is one module on another way"
    added = _beside(facts, kept, parameters)
    return added if isinstance(added, str) else Repair((*added, *moved), False)


def _is_inherited(kept: Kept) -> bool:
    """Is it filled here, and made by a base class of another file?"""
    return any(is_foreign(root.owner) for root in kept.roots)


def _moved_super(facts: Facts, kept: Kept) -> tuple[Edit, ...] | str:
    """The edits that call `super().__init__()` first, if it is called only after."""
    for root in kept.roots if not _is_inherited(kept) else ():
        calls = base_calls(facts, root.method) if root.method.name == "__init__" else []
        if not calls or calls[0].node.lineno < root.statement.lineno:
            continue
        top = facts.index.parents.get(calls[0].statement) is root.method
        edits = moved_up(facts, root.method, calls[0], root.statement) if top else "a condition"
        if len(calls) > 1 or isinstance(edits, str):
            return f"it is made before `super().__init__()` (line {calls[0].node.lineno})"
        return edits
    return ()


def _wraps(facts: Facts, kept: Kept, parameters: bool) -> bool:
    """Does all that is done with the attribute work on torch's container as well?"""
    if kept.in_dicts or (kept.is_dict and not keys_fit(facts, kept)):
        return False
    if any(isinstance(root.value, (ast.Set, ast.SetComp)) for root in kept.roots):
        return False
    if parameters and any(_is_none_filled(root.value) for root in kept.roots):
        return False
    if parameters and kept.is_dict and not _keeps_order(facts, kept):
        return False
    late = [s for s in kept.fills if s.how == How.ELEMENT and s.method.name == "forward"]
    if late or (parameters and any(s.how == How.ELEMENT for s in kept.fills) and not kept.is_dict):
        return False
    if any(isinstance(s.key, ast.Slice) for s in kept.fills):
        return False
    if any(_grows_after(facts, root) for root in kept.roots):
        return False
    return all(_works(facts, read, kept, parameters) for read in reads_of(facts, kept))


def _keeps_order(facts: Facts, kept: Kept) -> bool:
    """A ParameterDict sorts the keys of a dict that it is made of."""
    for root in kept.roots:
        keys = root.value.keys if isinstance(root.value, ast.Dict) else [None]
        texts = [k.value for k in keys if isinstance(k, ast.Constant)]
        if len(texts) != len(keys) or texts != sorted(texts, key=str):
            parents = [facts.index.parents.get(read) for read in reads_of(facts, kept)]
            return all(isinstance(p, ast.Subscript) for p in parents)
    return True


def _is_none_filled(value: ast.expr | None) -> bool:
    return value is not None and any(is_none(n) for n in ast.walk(value))


def _grows_after(facts: Facts, root: Store) -> bool:
    """`self.layers = layers`, and then `layers.append(...)`: torch's containers keep no reference
    to the list that they are made of."""
    if not isinstance(root.value, ast.Name):
        return False
    return any(
        load.lineno > root.statement.lineno
        and isinstance(facts.index.parents.get(load), (ast.Attribute, ast.Subscript))
        for load in uses_in(facts).names.all_loads(root.value)
    )


def _works(facts: Facts, read: ast.expr, kept: Kept, parameters: bool) -> bool:
    parent = facts.index.parents.get(read)
    match parent:
        case ast.Attribute(attr=name):
            if kept.is_dict:
                return name in (_PARAMETER_DICT_METHODS if parameters else _DICT_METHODS)
            return name in _LIST_METHODS[parameters]
        case ast.Subscript(value=owner, slice=key, ctx=ctx) if owner is read:
            if isinstance(key, ast.Slice):
                return isinstance(ctx, ast.Load) and not parameters
            return not isinstance(ctx, ast.Del) or not parameters
        case ast.BinOp(left=left, op=ast.Add()):
            return left is read and not parameters and not kept.is_dict
        case ast.Call(func=func) if func is read:
            return kept.instead
        case ast.Call(func=func, args=args) if read in args:
            if isinstance(func, ast.Name) and func.id in _TAKES_ANY:
                return True
            if facts.library_name(func) in ("itertools.chain", "itertools.cycle"):
                return True
            known = last_name(func) in uses_in(facts).names.definitions
            return known and not isinstance(func, ast.Attribute)
        case ast.For() | ast.comprehension() | ast.Starred() | ast.If() | ast.UnaryOp():
            return True
        case ast.Compare(ops=[ast.In() | ast.NotIn()], left=left):
            return left is not read
        case ast.Assign(targets=[ast.Tuple() | ast.List()]):
            return True
        case ast.Assign(targets=[ast.Name() as name]):
            loads = uses_in(facts).names.loads(name)
            return all(_works(facts, load, kept, parameters) for load in loads)
    return False


def _wrapped(facts: Facts, kept: Kept, parameters: bool) -> tuple[Edit, ...] | None:
    kind = "Parameter" if parameters else "Module"
    name = f"torch.nn.{kind}{'Dict' if kept.is_dict else 'List'}"
    edits: list[Edit] = []
    for store in kept.roots:
        assert store.value is not None
        if kept.nested and not _wrap_inner(facts, store.value, kind, edits):
            return None
        edits += _around(facts, store.value, name)
    for store in kept.fills:
        if kept.nested and store.value is not None:
            whole = store.how == How.AUGMENTED or last_name_of(store) in ("extend", "update")
            inner = _wrap_inner if whole else _wrap_one
            if not inner(facts, store.value, kind, edits):
                return None
    return tuple(dict.fromkeys(edits))


def last_name_of(store: Store) -> str | None:
    return last_name(store.node.func) if isinstance(store.node, ast.Call) else None


def _wrap_inner(facts: Facts, value: ast.expr, kind: str, edits: list[Edit]) -> bool:
    """Wrap the lists that stand as elements in a display or comprehension."""
    match value:
        case ast.List(elts=elts) | ast.Tuple(elts=elts):
            return all(_wrap_one(facts, each, kind, edits) for each in elts)
        case ast.ListComp(elt=made) | ast.DictComp(value=made):
            return _wrap_one(facts, made, kind, edits)
        case ast.Dict(values=values):
            return all(_wrap_one(facts, each, kind, edits) for each in values)
        case ast.Call(args=[], keywords=[]):
            return True
    return False


def _wrap_one(facts: Facts, value: ast.expr, kind: str, edits: list[Edit]) -> bool:
    if not isinstance(value, (ast.List, ast.Tuple, ast.ListComp)):
        return False
    inside = [value.elt] if isinstance(value, ast.ListComp) else value.elts
    if any(isinstance(each, (ast.List, ast.Tuple, ast.ListComp)) for each in inside):
        return False
    edits += _around(facts, value, f"torch.nn.{kind}List")
    return True


def _around(facts: Facts, value: ast.expr, name: str) -> list[Edit]:
    """`nn.ModuleList(value)`, however this file spells that; empty where `value` is."""
    spelling = spell(facts, name, value)
    start, end = facts.source.span(value)
    text = facts.source.segment(value)
    if text in ("[]", "{}", "list()", "dict()", "()"):
        return [Edit(start, end, f"{spelling.code}()"), *spelling.edits]
    bare = isinstance(value, ast.Tuple) and not text.startswith("(")
    opened, closed = ("[", "]") if bare else ("", "")
    return [
        Edit(start, start, f"{spelling.code}({opened}"),
        Edit(end, end, f"{closed})"),
        *spelling.edits,
    ]


def _beside(facts: Facts, kept: Kept, parameters: bool) -> tuple[Edit, ...] | str:
    """Keep the container as it is, and register its contents in a list beside it."""
    beside = f"{kept.attribute}_{'parameters' if parameters else 'modules'}"
    if beside in kept.table.stores or beside in kept.table.methods:
        return f"`{beside}` is there already"
    method = (kept.fills if _is_inherited(kept) else kept.roots)[0].method
    last = _last_in(facts, kept, method)
    if last is None:
        each = None if parameters else registered_as_filled(facts, kept, beside)
        return each or "it is filled in more than one method"
    me = self_name(method)
    if not kept.made:
        return "a Parameter of each tensor would be another tensor than the one that is used"
    if any(_grows_after(facts, root) for root in kept.roots):
        return "the list that it is made of is changed later"
    element = "p" if parameters else "m"
    items = f"{me}.{kept.attribute}" + (".values()" if kept.is_dict else "")
    if kept.nested:
        inside = "part.values()" if kept.in_dicts else "part"
        items = f"{element} for part in {items} for {element} in {inside}"
    kind = "Parameter" if parameters else "Module"
    spelling = spell(facts, f"torch.nn.{kind}List", last)
    imports = spelling.edits
    if kept.mixed:
        module = spell(facts, f"torch.nn.{kind}", last)
        imports = tuple(dict.fromkeys((*imports, *module.edits)))
        head = items if kept.nested else f"{element} for {element} in {items}"
        items = f"{head} if isinstance({element}, {module.code})"
    return (line_after(facts, last, f"{me}.{beside} = {spelling.code}({items})"), *imports)


def _last_in(facts: Facts, kept: Kept, method: Method) -> ast.stmt | None:
    """The last statement of a method that makes or fills the container, itself or by a method that
    only this one calls; None if others do so, too."""
    found: list[ast.stmt] = []
    for store in (*(() if _is_inherited(kept) else kept.roots), *kept.fills):
        if store.method is method:
            found.append(statement_in(facts, store.statement, method))
            continue
        calls = uses_in(facts).names.calls.get(store.method.name, ())
        if not calls or any(facts.index.function_of(call) is not method for call in calls):
            return None
        found += [statement_in(facts, call, method) for call in calls]
    return max(found, key=lambda statement: statement.end_lineno or 0)
