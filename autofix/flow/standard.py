"""What functions of the standard library give: the numbers of a configuration, copies."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autofix.flow.access import iterate
from autofix.flow.frame import contents
from autofix.flow.joins import join_all, sequence
from autofix.flow.mappings import default_dict
from autofix.flow.objects import ClassInfo, Closure, Instance
from autofix.flow.values import (
    NONE,
    STRING,
    UNKNOWN,
    UNSEEN,
    Graph,
    Kind,
    Value,
    fresh,
    library,
    number,
)

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments
    from autofix.flow.frame import Frame

LONGEST = 64
"""Elements of one list or dict that are looked at each by itself."""
_NOT_KNOWN = Value(Kind.UNKNOWN, Graph.NO)


def _loads(given: Arguments, frame: Frame) -> Value:
    """`json.loads` of a text that is written in the source."""
    text = given.get(0, "s")
    if text is None or not isinstance(text.const, str) or not given.exact:
        return _NOT_KNOWN
    try:
        data = json.loads(text.const)
    except ValueError:
        return _NOT_KNOWN
    return _value(data, frame)


def _value(data: Any, frame: Frame) -> Value:
    if data is None:
        return NONE
    if isinstance(data, str):
        return STRING.but(const=data)
    if isinstance(data, (bool, int, float)):
        return number(data)
    inner = list(data.values()) if isinstance(data, dict) else data
    if len(inner) > LONGEST:
        return _NOT_KNOWN
    items = tuple(_value(each, frame) for each in inner)
    identity = fresh()
    if isinstance(data, dict):
        entries = dict(zip(data, items, strict=True))
        made = Value(Kind.DICT, elem=join_all(items), entries=entries)
    else:
        made = sequence(items)
    made = made.but(aliases=frozenset({identity}))
    frame.state.bound[identity] = made
    return made


def _field(given: Arguments, frame: Frame) -> Value:
    """`dataclasses.field(default=..., default_factory=...)`, of numbers."""
    from autofix.flow.functions import call_closure

    default = given.keywords.get("default")
    factory = given.keywords.get("default_factory")
    if default is None and factory is not None and isinstance(factory.ref, Closure):
        default = call_closure(factory.ref, [], {}, given.node, frame)
    inner = contents(default) if default is not None else None
    return default if default is not None and inner and inner.is_number else UNKNOWN


def _namedtuple(given: Arguments, frame: Frame) -> Value:
    """`Step = namedtuple("Step", "time state")` is a class with these fields."""
    name, fields = given.get(0, "typename"), given.get(1, "field_names")
    if name is None or fields is None or not isinstance(name.const, str):
        return _NOT_KNOWN
    listed = [item.const for item in fields.items or ()]
    if isinstance(fields.const, str):
        listed = fields.const.replace(",", " ").split()
    if not listed or not all(isinstance(each, str) for each in listed):
        return _NOT_KNOWN
    text = "\n".join((f"class {name.const}:", *(f"    {each}: object" for each in listed)))
    info = _class(text, (library("typing.NamedTuple"),), given, frame)
    return Value(Kind.CLASS, ref=info) if info is not None else _NOT_KNOWN


def _namespace(given: Arguments, frame: Frame) -> Value:
    """`SimpleNamespace(lr=0.1, scale=s)`: the one object of a class of its own."""
    from autofix.flow.instances import construct

    info = _class("class SimpleNamespace: ...", (), given, frame)
    if info is None or given.values or not given.exact:
        return UNKNOWN
    return construct(info, (), given.keywords, given.node, frame)


def _class(text: str, bases: tuple[Value, ...], given: Arguments, frame: Frame) -> ClassInfo | None:
    """The class that a call stands for."""
    node = frame.program.records.get(given.node)
    if node is None:
        try:
            node = ast.parse(text).body[0]
        except SyntaxError:
            return None
        frame.program.records[given.node] = node
    assert isinstance(node, ast.ClassDef)
    info = frame.program.classes.get(node)
    if info is None:
        info = frame.program.classes[node] = ClassInfo(node, bases, (frame, *frame.scopes))
    return info


def _deepcopy(given: Arguments, frame: Frame) -> Value:
    """A copy of a module is a teacher or target network, unless an optimizer gets it or there are
    many of one."""
    from autofix.flow.instances import another

    value = given.values[0] if given.values else UNKNOWN
    if value.kind != Kind.MODULE:
        return value
    copy = another(value, frame, given.node)
    if not isinstance(value.ref, Instance) and not _is_one_of_many(given.node, frame):
        frame.program.frozen.update(copy.aliases)
    return copy


def _is_one_of_many(call: ast.Call, frame: Frame) -> bool:
    """`[deepcopy(layer) for _ in range(n)]`: layers of a model, or the members of an ensemble."""
    around = frame.index.parents.get(call)
    if not isinstance(around, (ast.ListComp, ast.GeneratorExp)):
        return False
    targets = (n for each in around.generators for n in ast.walk(each.target))
    bound = {n.id for n in targets if isinstance(n, ast.Name)}
    return not any(isinstance(n, ast.Name) and n.id in bound for n in ast.walk(call))


def _same(given: Arguments, frame: Frame) -> Value:
    """`tqdm(batches)`: what it is given, and if that is not known, data."""
    value = given.get(0, "iterable", "sequence") or _NOT_KNOWN
    known = value.kind in (Kind.SEQUENCE, Kind.DICT, Kind.TENSOR, Kind.NUMPY)
    return value if known else _NOT_KNOWN.but(cuts=UNSEEN)


def _some(given: Arguments, frame: Frame) -> Value:
    """`random.sample(items, 2)`"""
    value = given.get(0, "population")
    if value is None or value.kind != Kind.SEQUENCE:
        return _NOT_KNOWN.but(cuts=UNSEEN)
    return sequence(None, value.elem)


def _one(given: Arguments, frame: Frame) -> Value:
    some = _some(given, frame)
    return iterate(some, frame, None) if some.kind == Kind.SEQUENCE else some


def _shuffle(given: Arguments, frame: Frame) -> Value:
    value = given.get(0, "x")
    if value is not None and value.kind == Kind.SEQUENCE:
        frame.state.store(value, sequence(None, value.elem))
    return NONE


STANDARD: dict[str, Callable[[Arguments, Frame], Value]] = {
    "json.loads": _loads,
    "random.shuffle": _shuffle,
    "random.choice": _one,
    **dict.fromkeys(("random.sample", "random.choices"), _some),
    **dict.fromkeys(("tqdm.tqdm", "tqdm.auto.tqdm", "tqdm.notebook.tqdm"), _same),
    "copy.deepcopy": _deepcopy,
    "dataclasses.field": _field,
    "collections.namedtuple": _namedtuple,
    "collections.defaultdict": default_dict,
    "types.SimpleNamespace": _namespace,
    "argparse.Namespace": _namespace,
}
