"""What a program does with the `.grad` that it reads."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts


def goes_back(facts: Facts, statement: ast.stmt, name: str) -> bool:
    """`w -= lr * w.grad`, `w + eps * w.grad.sign()`: its gradient goes back to the result."""
    function = facts.index.function_of(statement)
    body = facts.index.body_nodes(function) if function is not None else ast.walk(facts.tree)
    for node in body:
        parts: list[ast.AST] = []
        match node:
            case ast.AugAssign(target=ast.Name(id=target), value=value) if target == name:
                parts = [node.target, value]
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult()):
                parts = [node.left, node.right]
        if any(_reads_gradient(p, name) for p in parts) and any(
            _reads_value(facts, p, name) for p in parts
        ):
            return True
    return False


def _reads_gradient(node: ast.AST, name: str) -> bool:
    return any(
        isinstance(n, ast.Attribute)
        and n.attr == "grad"
        and isinstance(n.value, ast.Name)
        and n.value.id == name
        for n in ast.walk(node)
    )


def _reads_value(facts: Facts, node: ast.AST, name: str) -> bool:
    return any(
        isinstance(n, ast.Name)
        and n.id == name
        and getattr(facts.index.parents.get(n), "attr", "") not in ("grad", "shape", "device")
        for n in ast.walk(node)
    )
