"""Can the keys of a dict be the keys of a ModuleDict: strings that name nothing else?"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.modules._elsewhere import reads_of
from autofix.codemods.modules._kept import Kept
from autofix.flow.class_table import How
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind

TAKEN = frozenset(
    "T_destination add_module append apply bfloat16 buffers call_super_init children clear compile "
    "copy cpu cuda double dump_patches eval extra_repr float forward fromkeys get get_buffer "
    "get_extra_state get_parameter get_submodule half ipu items keys load_state_dict modules mtia "
    "named_buffers named_children named_modules named_parameters parameters pop popitem "
    "register_backward_hook register_buffer register_forward_hook register_forward_pre_hook "
    "register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook"
    " register_load_state_dict_pre_hook register_module register_parameter "
    "register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state "
    "set_submodule setdefault share_memory state_dict to to_empty train training type update values"
    " xpu zero_grad".split()
)
"""What a ModuleDict or ParameterDict has itself."""


def keys_fit(facts: Facts, kept: Kept) -> bool:
    keys = list(_keys(kept))
    if any(key is None for key in keys):
        return False
    known = [key for key in keys if key is not None]
    if any(_refused(key) for key in known):
        return False
    unsure = [key for key in known if not _is_text(facts, key)]
    return not unsure or _read_by_text(facts, kept)


def _keys(kept: Kept) -> Iterator[ast.expr | None]:
    for store in (*kept.roots, *kept.fills):
        match store.value:
            case _ if store.how == How.ELEMENT:
                yield store.key
            case ast.Dict(keys=keys):
                yield from keys
            case ast.DictComp(key=key):
                yield key
            case ast.Call(args=[], keywords=keywords) if last_name(store.value.func) == "dict":
                yield from (ast.Constant(k.arg) if k.arg else None for k in keywords)
            case _:
                yield None


def _refused(key: ast.expr) -> bool:
    """Surely no key of a ModuleDict."""
    if isinstance(key, ast.Constant):
        text = key.value
        return not isinstance(text, str) or not text or "." in text or text in TAKEN
    if isinstance(key, ast.JoinedStr):
        return any(isinstance(v, ast.Constant) and "." in str(v.value) for v in key.values) or any(
            isinstance(v, ast.FormattedValue) and v.format_spec is not None for v in key.values
        )
    return isinstance(key, ast.Tuple)


def _is_text(facts: Facts, key: ast.expr) -> bool:
    """Surely a string, and one that is made to be a name."""
    if isinstance(key, (ast.Constant, ast.JoinedStr)):
        return True
    if isinstance(key, ast.Call) and isinstance(key.func, ast.Name) and key.func.id == "str":
        return len(key.args) == 1 and facts.value(key.args[0]).is_number
    return facts.value(key).kind == Kind.STRING


def _read_by_text(facts: Facts, kept: Kept) -> bool:
    """`self.heads["age"]`"""
    found = [facts.index.parents.get(read) for read in reads_of(facts, kept)]
    asked = [n.slice for n in found if isinstance(n, ast.Subscript)]
    asked = [key for key in asked if isinstance(key, (ast.Constant, ast.JoinedStr))]
    texts = [key for key in asked if not _refused(key)]
    return bool(texts) and len(texts) == len(asked) and bool(uses_in(facts))
