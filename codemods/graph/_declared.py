"""What an annotation says of an argument that is copied: is it a tensor, or an array as well?"""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in


def is_only_converted(data: ast.expr, told: bool, facts: Facts) -> bool:
    """An argument that an annotation says may be an array, or (`told`) of which only an annotation
    says that it is a tensor: nothing else is done with it, and it is not all of the result."""
    function = facts.index.function_of(data)
    annotation = _annotation(data, facts)
    if function is None or annotation is None or not isinstance(data, ast.Name):
        return False
    before = uses_in(facts).names.argument_loads(function, data.id)
    return _says_either(annotation) or (told and before == [data])


def _annotation(data: ast.expr, facts: Facts) -> str | None:
    """What is written of an argument."""
    function = facts.index.function_of(data)
    if not isinstance(data, ast.Name) or function is None:
        return None
    spec = function.args
    for given in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs):
        if given.arg == data.id and given.annotation is not None:
            return facts.source.segment(given.annotation)
    return None


def _says_either(annotation: str) -> bool:
    return "Tensor" in annotation and ("Union" in annotation or "|" in annotation)


def is_declared(data: ast.expr, facts: Facts) -> bool:
    """Is it an argument that is a tensor and nothing else, by its annotation?"""
    annotation = _annotation(data, facts)
    return annotation is not None and annotation.rpartition(".")[2] == "Tensor"


def is_assumed(data: ast.expr, facts: Facts) -> bool:
    """Does nothing but an annotation, or what is done with an argument, say that it is a tensor? An
    array would do as well: `torch.tensor(x % 7)`."""
    match data:
        case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
            parts = [p for p in (left, right) if facts.value(p).is_tensor]
            return bool(parts) and all(is_assumed(part, facts) for part in parts)
        case ast.UnaryOp(operand=inner):
            return is_assumed(inner, facts)
    return facts.value(data).assumed
