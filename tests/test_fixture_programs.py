"""The fixture programs are true: the marked ones have the bug, and the golden repairs cure it.

`<case>.py` or `<case>.ipynb` is the input, `<case>.probe.py` runs it, `<case>.fixed.*` (where
there is one) is the output with safe and unsafe fixes applied.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

import gradient_probe as gp
import outcome_probe as op
import training_probe as tp

FIXTURES = Path(__file__).parent.parent / "fixtures"
MARK = re.compile(r"#\s*(AG\d{3})\b(?:[ ]+(unsafe|display|declined))?")
NOT_BIT_EXACT = {"in_place_row_loop", "rewrapped_loss", "seed_programs", "value_round_trip"}
"""Rules whose repair sums in another order, or in the precision of tensors where Python and numpy
have another, so that values agree only to rounding."""

INPUTS = sorted(
    p
    for p in (*FIXTURES.glob("*/*.py"), *FIXTURES.glob("*/*.ipynb"))
    if not p.stem.endswith((".fixed", ".probe"))
)


def probe_of(path: Path) -> Path:
    return path.with_suffix(".probe.py")


def fixed_of(path: Path) -> Path:
    return path.with_suffix(".fixed" + path.suffix)


def tiers(path: Path) -> list[str]:
    return [tier or "safe" for _, tier in MARK.findall(gp.source_of(path))]


def is_repaired(path: Path) -> bool:
    return bool({"safe", "unsafe"} & set(tiers(path)))


def title(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


REPAIRED = [p for p in INPUTS if is_repaired(p)]
PROBED = [p for p in INPUTS if probe_of(p).exists()]


@pytest.mark.parametrize("path", REPAIRED, ids=title)
def test_a_marked_program_has_a_probe_that_shows_the_bug(path: Path) -> None:
    assert probe_of(path).exists()
    if op.tells_outcome(probe_of(path)):
        assert op.wrong(path, probe_of(path))
    elif tp.has_model(probe_of(path)):
        assert tp.bugs(path, probe_of(path)) or fixed_of(path).exists()  # which has more to train
    else:
        assert gp.bugs(path, probe_of(path))


@pytest.mark.parametrize("path", [p for p in PROBED if not is_repaired(p)], ids=title)
def test_any_other_program_with_a_probe_runs(path: Path) -> None:
    if op.tells_outcome(probe_of(path)):  # what is shown has the bug, a look-alike has not
        assert bool(op.wrong(path, probe_of(path))) == bool(tiers(path))
    elif tp.has_model(probe_of(path)):
        assert bool(tp.bugs(path, probe_of(path))) == bool(tiers(path))
    else:
        assert gp.runs(path, probe_of(path)) == []


@pytest.mark.parametrize("path", [p for p in REPAIRED if fixed_of(p).exists()], ids=title)
def test_the_golden_repair_is_proven(path: Path) -> None:
    exact = path.parent.name not in NOT_BIT_EXACT
    assert gp.source_of(path) != gp.source_of(fixed_of(path))
    if op.tells_outcome(probe_of(path)):
        assert op.compare(path, fixed_of(path), probe_of(path)) == []
    elif tp.has_model(probe_of(path)):
        assert tp.compare(path, fixed_of(path), probe_of(path)) == []
    else:
        assert gp.compare(path, fixed_of(path), probe_of(path), exact=exact) == []


@pytest.mark.parametrize("path", INPUTS, ids=title)
def test_marks_stand_where_an_expression_or_statement_starts(path: Path) -> None:
    source = gp.source_of(path)
    tree = ast.parse(source)
    starts = {n.lineno for n in ast.walk(tree) if isinstance(n, (ast.expr, ast.stmt))}
    marked = {i for i, line in enumerate(source.splitlines(), 1) if MARK.search(line)}
    assert marked <= starts


def test_no_probe_and_no_golden_file_stands_alone() -> None:
    known = {probe_of(p) for p in INPUTS} | {fixed_of(p) for p in INPUTS}
    extra = (*FIXTURES.glob("*/*.probe.py"), *FIXTURES.glob("*/*.fixed.*"))
    assert [title(p) for p in extra if p not in known] == []
