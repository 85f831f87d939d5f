"""Move what `forward` makes to `__init__`."""

from __future__ import annotations

import ast
import functools
import re

from autofix.codemods.modules._fresh import Fresh, names_in
from autofix.codemods.modules._initialiser import (
    base_initialiser,
    own_initialiser,
    plain_bases,
)
from autofix.codemods.modules._keys import TAKEN
from autofix.codemods.modules._layer_uses import is_drawn_again
from autofix.codemods.modules._lazy import lazy_parts
from autofix.codemods.modules._lines import indent_of, line_after, statement_in
from autofix.codemods.modules._maker_functions import is_set_there, runs_in_initialiser
from autofix.flow.class_table import ClassTable, Method, attribute_of, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.syntax import all_arguments
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk
from autofix.model import Edit
from autofix.rewrite.statements import remove_statement


def hoisted(
    facts: Facts, table: ClassTable, fresh: Fresh, given: set[str]
) -> tuple[Edit, ...] | str:
    """The edits that make the layer once, or why there are none. Its name joins those that are
    `given` already."""
    if fresh.method not in table.node.body:
        return "it is made in a function that has no Module to keep it"
    if self_name(fresh.method) is None:
        return "it is made in a method without an object"
    around = facts.index.ancestors(fresh.call)
    inside = around[: around.index(fresh.method)]
    if any(isinstance(n, (ast.For, ast.While, ast.comprehension, ast.ListComp)) for n in inside):
        return "it is made in a loop, one for each turn"
    if is_drawn_again(facts, fresh.whole):
        return "its weights are set right behind: that has to move as well"
    condition = _condition(facts, table, fresh)
    if condition is None and not _constant(fresh.call):
        return "it is made under a condition"
    code = _code(facts, table, fresh)
    if code is None:
        return "it depends on the input, which is not known when the module is made"
    name = _name(facts, table, fresh, given)
    if name is None:
        return f"`{fresh.name}` is set in `__init__`, too"
    given.add(name)
    if condition:
        code = f"{code} if {condition} else None"
    me = self_name(own_initialiser(table.node) or fresh.method)
    added = _added(facts, table, f"{me}.{name} = {code}")
    if isinstance(added, str):
        return added
    if fresh.stored:
        removed = remove_statement(facts, fresh.call)
        return (added, removed) if removed is not None else "its statement cannot be removed"
    start, end = facts.source.span(fresh.whole)
    return (added, Edit(start, end, f"{self_name(fresh.method)}.{name}"))


def _condition(facts: Facts, table: ClassTable, fresh: Fresh) -> str | None:
    """When the layer is made, as far as `__init__` can tell; nothing if always. None if the
    conditions are others than that."""
    found: list[tuple[ast.expr, bool]] = []
    inner: ast.AST = fresh.call
    for owner in facts.index.ancestors(fresh.call):
        if owner is fresh.method:
            break
        if isinstance(owner, (ast.If, ast.IfExp)):
            calls = any(isinstance(n, ast.Call) for n in walk(owner.test))
            if inner is owner.test or calls or not _fits(facts, table, owner.test, fresh.method):
                return None
            body = owner.body if isinstance(owner.body, list) else [owner.body]
            found.insert(0, (owner.test, inner in body))
        inner = owner
    equal = {_equality(test) for test, holds in found if holds}
    tests = [
        facts.source.segment(test) if holds else _negated(facts, test)
        for test, holds in found
        if holds or _equality(test) is None or _equality(test) not in equal
    ]
    return " and ".join(f"({t})" if len(tests) > 1 else t for t in tests)


def _equality(test: ast.expr) -> str | None:
    """What is compared with a constant: if it equals one, it equals no other."""
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant()]):
            return ast.dump(left)
    return None


def _negated(facts: Facts, test: ast.expr) -> str:
    match test:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as op], comparators=[right]):
            sign = "!=" if isinstance(op, ast.Eq) else "=="
            return f"{facts.source.segment(left)} {sign} {facts.source.segment(right)}"
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return facts.source.segment(inner)
    return f"not ({facts.source.segment(test)})"


def _constant(call: ast.Call) -> bool:
    given = all_arguments(call)
    return all(isinstance(a, ast.Constant) for a in given)


def _code(facts: Facts, table: ClassTable, fresh: Fresh) -> str | None:
    """The call as `__init__` can make it, with local names spelled out; None if it cannot."""
    start, end = facts.source.span(fresh.call)
    text = facts.source.text[start:end]
    edits: list[tuple[int, int, str]] = []
    for keyword in fresh.call.keywords:
        if keyword.arg == "device" and not _fits(facts, table, keyword.value, fresh.method):
            at = facts.source.span(keyword.value)[1]
            before = re.search(r",\s*device\s*=\s*[^=]*$", facts.source.text[start:at])
            if before is None:
                return None
            edits.append((start + before.start(), at, ""))
    if _runs_once(facts, fresh.method):
        known = functools.partial(_spelled, facts, table, fresh)
        for layer in lazy_parts(facts, table, fresh.call, known):
            edits += layer
    dropped = [(a, b) for a, b, new in edits if not new]
    for node in walk(fresh.call):
        if not isinstance(node, ast.Name) or isinstance(node.ctx, ast.Store):
            continue
        a, b = facts.source.span(node)
        if any(x <= a < y for x, y in dropped) or _known(facts, table, node, fresh.method):
            continue
        local = _local(facts, table, node, fresh.method)
        if local is None:
            return None
        edits.append((a, b, local))
    for a, b, new in sorted(edits, reverse=True):
        text = text[: a - start] + new + text[b - start :]
    return text


def _runs_once(facts: Facts, method: Method) -> bool:
    """In one pass: a lazy layer cannot have the sizes of several inputs."""
    calls = uses_in(facts).names.calls.get(method.name, ())
    if method.name == "forward":
        return True
    return len(calls) == 1 and not facts.index.loops_around(calls[0])


def _spelled(facts: Facts, table: ClassTable, fresh: Fresh, node: ast.expr) -> bool:
    """Can `__init__` spell an expression?"""
    return all(
        _known(facts, table, name, fresh.method)
        or _local(facts, table, name, fresh.method) is not None
        for name in names_in(node)
    )


def _fits(facts: Facts, table: ClassTable, node: ast.expr, method: Method) -> bool:
    return all(_known(facts, table, name, method) for name in names_in(node))


def _known(facts: Facts, table: ClassTable, name: ast.Name, method: Method) -> bool:
    """Does the name mean the same at the end of `__init__`?"""
    init = own_initialiser(table.node)
    if name.id == self_name(method):
        parent = facts.index.parents.get(name)
        if not isinstance(parent, ast.Attribute) or (init and self_name(init) != name.id):
            return False
        called = facts.index.parents.get(parent)
        if isinstance(called, ast.Call) and called.func is parent:
            return runs_in_initialiser(table, parent.attr)
        return is_set_there(table, parent.attr)
    if init is not None and name.id in facts.index.bound_names(init):
        return False
    return name.id not in facts.index.bound_names(method)


def _local(facts: Facts, table: ClassTable, name: ast.Name, method: Method) -> str | None:
    """The value of a local name, if that is bound once and to what `__init__` knows."""
    stores = uses_in(facts).names.stores(name)
    statement = facts.index.statement_of(stores[0]) if len(stores) == 1 else None
    if not isinstance(statement, ast.Assign) or statement.targets != [stores[0]]:
        return None
    if not set(facts.index.block_of(statement)) & {*facts.index.ancestors(name)}:
        return None  # another path may have left it unbound
    if any(isinstance(n, ast.Call) for n in walk(statement.value)):
        return None
    if not _fits(facts, table, statement.value, method):
        return None
    code = facts.source.segment(statement.value)
    atom = isinstance(statement.value, (ast.Name, ast.Attribute, ast.Constant))
    return code if atom else f"({code})"


def _name(facts: Facts, table: ClassTable, fresh: Fresh, given: set[str]) -> str | None:
    taken = {*table.stores, *table.methods, *TAKEN, *given}
    if table.info is not None:
        taken |= table.info.body.keys()
    if fresh.stored and fresh.name is not None:
        others = [s for s in table.stores[fresh.name] if fresh.call not in walk(s.statement)]
        return fresh.name if not others else None
    wanted = fresh.name or _named_by(last_name(fresh.call.func) or "")
    wanted = wanted.lower() if fresh.name is None else wanted
    candidates = [wanted, f"{wanted}_layer", *(f"{wanted}_{i}" for i in range(2, 50))]
    return next(c for c in candidates if c not in taken)


def _named_by(name: str) -> str:
    """`conv_block` of `ConvBlock`, `head` of `_make_head`"""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"^_*(?:(?:make|build|get|create|new)(?:_|$))?", "", words) or "layer"


def _added(facts: Facts, table: ClassTable, code: str) -> Edit | str:
    """The line at the end of `__init__`, or an `__init__` for it."""
    init = own_initialiser(table.node)
    if init is None:
        return _new_initialiser(facts, table, code)
    if init.body[0].lineno == init.lineno:
        return "`__init__` stands on one line"
    for node in facts.index.body_nodes(init):
        listed = isinstance(node, ast.Attribute) and attribute_of(node, self_name(init))
        if listed == "parameters":
            before = statement_in(facts, node, init)
            at = facts.source.span(before)[0] - len(indent_of(facts, before))
            line = f"{indent_of(facts, before)}{code}{facts.source.newline(at)}"
            return Edit(at, at, line)
    if isinstance(init.body[-1], (ast.Return, ast.Raise)):
        return "`__init__` does not run to its end"
    return line_after(facts, init.body[-1], code)


def _new_initialiser(facts: Facts, table: ClassTable, code: str) -> Edit | str:
    if not plain_bases(table) or base_initialiser(table) is not None:
        return "the class has no `__init__` of its own"
    if "__init__" in table.methods or len(table.node.bases) != 1:
        return "the class has no `__init__` of its own"
    first = next(s for s in table.node.body if isinstance(s, FUNCTIONS))
    start = min([first, *first.decorator_list], key=lambda n: n.lineno)
    at = facts.source.span(start)[0]
    if start is not first:
        at = facts.source.text.rfind("@", 0, at)
    indent = facts.source.text[facts.source.text.rfind("\n", 0, at) + 1 : at]
    if indent.strip():
        return "the class stands on one line"
    newline = facts.source.newline(at)
    deep = indent + ("\t" if "\t" in indent else "    ")
    lines = ["def __init__(self):", f"{deep}super().__init__()", f"{deep}{code}", "", indent]
    return Edit(at, at, newline.join(lines))
