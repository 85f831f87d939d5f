"""Optimizers of objects that code of other files sets anew, or gives more to train."""

from __future__ import annotations

import ast

from autofix.codemods.training._groups import GAINS
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.unit import Unit
from autofix.flow.users import users


def is_set_elsewhere(facts: Facts, owner: ast.ClassDef, attribute: str) -> bool:
    """`session.opt = Adam(...)` in a file that uses the class, `self.opt = ...` in one that extends
    it, or `add_param_group` in either?"""
    return any(
        GAINS.search(unit.source.text) or _sets(unit, owner.name, attribute)
        for unit in users(facts, owner.name)
    )


def _sets(unit: Unit, name: str, attribute: str) -> bool:
    for node in unit.index.of_kind(ast.Attribute):
        if not isinstance(node, ast.Attribute) or node.attr != attribute:
            continue
        if isinstance(node.ctx, ast.Store):
            around = unit.index.class_of(node) if last_name(node.value) == "self" else None
            if around is None or any(last_name(base) == name for base in around.bases):
                return True
    return False
