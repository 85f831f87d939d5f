"""Dataclasses that are Modules: `__post_init__` has to do what `__init__` does elsewhere."""

from __future__ import annotations

import ast

from autofix.flow.class_table import Method, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import ClassInfo
from autofix.flow.syntax import is_false, is_true
from autofix.flow.walk import walk

_PLAIN_KEYWORDS = frozenset({"eq", "repr", "order", "unsafe_hash", "kw_only", "match_args", "init"})
_SETTING = frozenset({"__init__", "__setattr__", "__new__"})


def post_initialiser(facts: Facts, node: ast.ClassDef) -> Method | None:
    """`__post_init__` of a dataclass that the `__init__` made for it surely calls."""
    keywords = _dataclass_keywords(facts, node)
    if keywords is None:
        return None
    named = [s for s in node.body if isinstance(s, ast.FunctionDef)]
    if any(s.name in _SETTING for s in named):
        return None
    if any(k.arg not in _PLAIN_KEYWORDS for k in keywords):
        return None  # `frozen`, `slots`, which make another class
    if any(k.arg == "init" and not is_true(k.value) for k in keywords):
        return None
    found = [s for s in named if s.name == "__post_init__"]
    if len(found) != 1 or found[0].decorator_list or self_name(found[0]) is None:
        return None
    if any(_hands_on(n) for n in walk(found[0])):
        return None
    return found[0]


def _hands_on(node: ast.AST) -> bool:
    """`super().__post_init__()`, which may do it"""
    return isinstance(node, ast.Attribute) and node.attr == "__post_init__"


def _dataclass_keywords(facts: Facts, node: ast.ClassDef) -> list[ast.keyword] | None:
    for one in node.decorator_list if len(node.decorator_list) == 1 else ():
        name = one.func if isinstance(one, ast.Call) else one
        if facts.library_name(name) == "dataclasses.dataclass":
            return one.keywords if isinstance(one, ast.Call) else []
    return None


def needed_before(facts: Facts, node: ast.ClassDef) -> str | None:
    """A field that is a module or a Parameter: it is set before `__post_init__` runs."""
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                if _may_be_registered(facts, annotation):
                    return name
    return None


def _may_be_registered(facts: Facts, annotation: ast.expr) -> bool:
    match annotation:
        case ast.Constant(value=str()):
            return True  # not read
        case ast.BinOp(left=left, right=right, op=ast.BitOr()):
            return _may_be_registered(facts, left) or _may_be_registered(facts, right)
        case ast.Subscript(value=outer, slice=inner):
            if last_name(outer) not in ("Optional", "Union", "Annotated", "Final"):
                return False  # a list of modules is no module
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return any(_may_be_registered(facts, part) for part in parts)
    ref = facts.value(annotation).ref
    if isinstance(ref, ClassInfo):
        return ref.is_module
    return (facts.library_name(annotation) or "").startswith("torch.nn.")


def has_no_hash(facts: Facts, node: ast.ClassDef) -> bool:
    """A dataclass that compares by its fields: `parameters()` of no module can go over it."""
    keywords = {k.arg: k.value for k in _dataclass_keywords(facts, node) or ()}
    if is_false(keywords.get("eq")):
        return False
    return not any(_sets_hash(statement) for statement in node.body)


def _sets_hash(statement: ast.stmt) -> bool:
    match statement:
        case ast.FunctionDef(name="__hash__") | ast.Assign(targets=[ast.Name(id="__hash__")]):
            return True
    return False
