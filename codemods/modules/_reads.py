"""Where an attribute of a Module is read."""

from __future__ import annotations

import ast

from autofix.flow.class_table import ClassTable, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import Instance
from autofix.flow.uses import uses_in


def reads_of(facts: Facts, table: ClassTable, attribute: str) -> list[ast.Attribute]:
    """On the object itself in classes that share its code, and wherever an attribute of that name
    is read of an object that may be one."""
    found = []
    for read in uses_in(facts).names.attributes.get(attribute, ()):
        owner, function = facts.index.class_of(read), facts.index.function_of(read)
        me = self_name(function) if function is not None and owner is not None else None
        if owner is not None and isinstance(read.value, ast.Name) and read.value.id == me:
            if owner in table.lineage or table.node in facts.class_table(owner).lineage:
                found.append(read)
            continue
        if _is_of_a_layer(facts, read, table):
            continue
        ref = facts.value(read.value).ref
        if not isinstance(ref, Instance) or table.node in (i.node for i in ref.info.lineage):
            found.append(read)
    return found


def _is_of_a_layer(facts: Facts, read: ast.Attribute, table: ClassTable) -> bool:
    """`if isinstance(m, nn.Linear): m.weight`: of a class of torch, and the Module is none of its
    kind."""
    own = {last_name(base) for node in table.lineage for base in node.bases} | {"Module"}
    inner: ast.AST = read
    for owner in facts.index.ancestors(read):
        if isinstance(owner, (ast.If, ast.IfExp)):
            body = owner.body if isinstance(owner.body, list) else [owner.body]
            match owner.test:
                case ast.Call(func=ast.Name(id="isinstance"), args=[asked, types]) if (
                    inner in body and ast.dump(asked) == ast.dump(read.value)
                ):
                    kinds = types.elts if isinstance(types, ast.Tuple) else [types]
                    names = [facts.library_name(kind) or "" for kind in kinds]
                    if all(n.startswith("torch.nn.") for n in names):
                        return own.isdisjoint(n.rpartition(".")[2] for n in names)
        inner = owner
    return False
