"""What a constructor did besides copying: its dtype and its device, for the stack in its place."""

from __future__ import annotations

import ast

import libcst as cst

from autofix.codemods.graph._stacking import Stacker
from autofix.flow.facts import Facts
from autofix.flow.frame import contents
from autofix.flow.index import last_name
from autofix.rewrite import nodes
from autofix.rewrite.nodes import expression, method

DATA_NAMES = ("data", "obj")


def data_of(node: ast.Call) -> ast.expr | None:
    if node.args:
        return node.args[0]
    return next((k.value for k in node.keywords if k.arg in DATA_NAMES), None)


def casts(
    stacked: cst.BaseExpression, node: ast.Call, name: str, exported: bool, stacker: Stacker
) -> cst.BaseExpression:
    """The stack, with the dtype and device that the constructor would have given it."""
    facts = stacker.facts
    keywords = {k.arg: k.value for k in node.keywords if k.arg in ("dtype", "device")}
    dtype, device = keywords.get("dtype"), keywords.get("device")
    if name == "new_tensor":
        assert isinstance(node.func, ast.Attribute)
        if not keywords:
            return method(stacked, "to", expression(facts, node.func.value))
        owner = nodes.code(nodes.tight(expression(facts, node.func.value)))
        extra = {"dtype": f"{owner}.dtype", "device": f"{owner}.device"}
    else:
        extra = {}
    given = {k: expression(facts, v) for k, v in (("dtype", dtype), ("device", device)) if v}
    arguments = {**{k: cst.parse_expression(v) for k, v in extra.items()}, **given}
    if len(arguments) == 1:
        return method(stacked, "to", *arguments.values())
    if arguments:
        return method(stacked, "to", **arguments)
    return _default_dtype(stacked, name, exported, stacker)


def _default_dtype(
    stacked: cst.BaseExpression, name: str, exported: bool, stacker: Stacker
) -> cst.BaseExpression:
    """`torch.Tensor` gives the default dtype, `torch.DoubleTensor` float64, whatever goes in."""
    elements = contents(stacker.facts.value(data_of(stacker.near) or stacker.near))
    dtype = elements.dtype if elements is not None and elements.is_tensor else None
    cast = {
        "FloatTensor": "float",
        "DoubleTensor": "double",
        "HalfTensor": "half",
        "BFloat16Tensor": "bfloat16",
        "from_numpy": "double",
    }.get(name)
    if cast is not None:
        wanted = {"float": "float32", "double": "float64", "half": "float16"}.get(cast, cast)
        return stacked if dtype == wanted else method(stacked, cast)
    if (name == "Tensor" or exported) and dtype != "default":
        return method(stacked, "to", f"{stacker.torch('get_default_dtype')}()")
    return stacked


def kept_in_buffer(node: ast.expr, facts: Facts) -> bool:
    """`self.x = torch.tensor(...)` where the class registers a buffer x."""
    statement = facts.index.parents.get(node)
    owner = next((n for n in facts.index.ancestors(node) if isinstance(n, ast.ClassDef)), None)
    if not isinstance(statement, ast.Assign) or owner is None:
        return False
    names = {target.attr for target in statement.targets if isinstance(target, ast.Attribute)}
    return bool(names) and any(
        isinstance(call, ast.Call)
        and last_name(call.func) == "register_buffer"
        and bool(call.args)
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value in names
        for call in ast.walk(owner)
    )
