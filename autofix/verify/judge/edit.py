"""What the text of an edit says: which words it took out and which it brought in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from autofix.verify.judge.case import Case

_FREEZES = re.compile(r"requires_grad_\(\s*False\s*\)|\.requires_grad\s*=\s*False|freeze")
_NOT_TRAINED = re.compile(r"requires_grad_?\s*[=(]\s*False|freeze")
_SETS = re.compile(r"requires_grad_\(\s*(?!True\b|\)|\s)")
_TYPO = re.compile(
    r"require_grad\b|requires_grads\b|requires_grad\s*==|\.requires_grad\s*=\s*False"
)

_CONSTRUCTOR = re.compile(r"super\([^()]*\)\.__init__\([^()]*\)")

_NEUTRAL = frozenset(
    "torch nn th tensor stack cat as_tensor from_numpy FloatTensor Tensor new_tensor item float "
    "tolist numpy detach detach_ clone contiguous requires_grad requires_grad_ Parameter "
    "Variable autograd no_grad enable_grad inference_mode set_grad_enabled is_grad_enabled "
    "data super __init__ to cpu cuda "
    "device dtype get_default_dtype double long int array np append list Module ModuleList "
    "ModuleDict ParameterList ParameterDict register_parameter parameters zero_grad step backward "
    "retain_graph True False None copy deepcopy state_dict with for in range len enumerate self "
    "view reshape unsqueeze squeeze float32 float64 set_to_none grad expand repeat zip return "
    "import as optimizer optim opt from module add_module setattr".split()
)


def neutral(case: Case) -> bool:
    """Whether the change leaves the arithmetic alone: the same functions, numbers and slices, in
    the same order, but for what only concerns autograd, types and places."""
    bound = set(re.findall(r"\b(\w+)\s*(?:[-+*/@]?=(?!=)|in\b|,)", case.old + "\n" + case.new))
    texts = (_CONSTRUCTOR.sub("super().__init__()", text) for text in (case.old, case.new))
    old, new = ([*_arithmetic(text, bound)] for text in texts)
    return old == new and _slices(case.old) == _slices(case.new)


def _slices(text: str) -> list[str]:
    """Which dimensions are sliced, and from which side, whatever the places are called."""
    found = re.findall(r"\[([^\[\]]*:[^\[\]]*)\]", _code(text))
    return [re.sub(r"[^:,\s][^:,]*", "i", one).replace(" ", "") for one in found]


def same_numbers(case: Case) -> bool:
    """Whether numbers, operators and comparisons are the same, in the same order."""
    if not case.old.strip():
        return True
    old, new = (
        re.findall(r"(?<![\w.\[])\d+\.?\d*|[<>!=]=|[<>]|\*\*|[-+/@]|\bnot\b", _code(text))
        for text in (case.old, case.new)
    )
    return old == new


def new_numbers(case: Case) -> bool:
    """Whether there is a number in the changed lines that was not there before."""
    old, new = (
        {float(one) for one in re.findall(r"(?<![\w.])\d+\.?\d*(?:e-?\d+)?", _code(text))}
        for text in (case.old, case.new)
    )
    return bool(new - old)


def _arithmetic(text: str, bound: set[str]) -> Iterator[str]:
    for token in re.findall(r"[A-Za-z_]\w*|\d+\.?\d*(?:e-?\d+)?|\*\*|[-+*/@:]", _code(text)):
        if token[0].isdigit():
            yield str(float(token))
        elif token not in _NEUTRAL and token not in bound:
            yield token


def rearranged(case: Case) -> bool:
    """Whether the change calls the same things as before: a clean-up, not a repair."""
    return _calls(case.old) == _calls(case.new)


def _calls(text: str) -> Counter[str]:
    attributes = re.findall(r"\.\w+(?=\s*=[^=])", _code(text))
    return Counter(attributes) + Counter(
        re.findall(r"\b(\w+)\s*(?=\()|\.(?:data|grad|T)\b|\w+(?==[^=])(?=[^()]*\))", _code(text))
    )


def _code(text: str) -> str:
    """Without comments and strings."""
    return re.sub(r":\s*$|#[^\n]*|\"[^\"\n]*\"|'[^'\n]*'", " ", text, flags=re.MULTILINE)


def freezes(case: Case) -> bool:
    """Whether the change is there to stop the training of something, and said so before."""
    return bool(_FREEZES.search(case.new) and _TYPO.search(case.old))


_DISCRETE = re.compile(r"argmax|\.round\(|\.sign\(|\.int\(|\.long\(|[!=]=|\.eq\(|\.floor\(|>|<")


def was_discrete(case: Case) -> bool:
    """Whether the original's values jump: what has a gradient in their place has other values."""
    return discrete(case.old + case.gone) and not discrete(case.new)


def releases(case: Case) -> bool:
    """Whether the change takes values out of their graphs, and did not before."""
    words = (".item()", "detach(", "float(", ".data", "no_grad")
    return any(word in case.new and word not in case.old for word in words)


def discrete(text: str) -> bool:
    """Whether there is something in it whose values jump."""
    return bool(_DISCRETE.search(text))


def starts_freezing(case: Case) -> bool:
    """Whether the change stops the training of something that was trained."""
    return bool(_NOT_TRAINED.search(case.new)) and not _NOT_TRAINED.search(case.old)


def unfreezes(case: Case) -> bool:
    """Whether the change trains what was kept from training on purpose."""
    gone = _SETS.search(case.old) and not _SETS.search(case.new)
    if gone and re.search(r"requires_grad\s*=(?!=)", case.new):
        return True
    return bool(_FREEZES.search(case.old)) and not _FREEZES.search(case.new) and not freezes(case)


def touches(case: Case, *words: str) -> bool:
    """Whether one of the words stands in the changed lines, before or after."""
    return any(word in case.old + case.new for word in words)
