"""Every fixture program: findings stand at the marks, and repairs give the golden files.

A mark is a comment on the first line of a finding: `# AG101` means a safe fix, and `unsafe`,
`display` or `declined` after it say otherwise. What has no mark must stay silent, and a program
without a golden `.fixed` file must stay as it is. `pytest --update-fixtures` writes golden files.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autofix import engine, registry
from autofix.document import Document, load
from autofix.model import Applicability, Finding
from autofix.rewrite.fixpoint import repair

FIXTURES = Path(__file__).parent.parent / "fixtures"
MARK = re.compile(r"#\s*(AG\d{3})\b(?:[ ]+(unsafe|display|declined))?")
CODES = {rule.code for rule in registry.load()}

INPUTS = sorted(
    path
    for path in (*FIXTURES.glob("*/*.py"), *FIXTURES.glob("*/*.ipynb"))
    if not path.stem.endswith((".fixed", ".probe"))
)


def title(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def rules_of(path: Path) -> list[str]:
    """The codes of the rules that a fixture folder is about; a folder without a rule yet: none."""
    name = path.parent.name.replace("_", "-")
    if name == "seed-programs":  # whole programs, about whatever is wrong with them
        return sorted(CODES)
    return [rule.code for rule in registry.load() if rule.name == name]


def read(path: Path) -> Document:
    return load(path.read_bytes(), str(path))


def find(document: Document) -> tuple[Finding, ...]:
    outcome = engine.find(document.source, registry.load())
    assert outcome.crashes == ()
    return outcome.findings


def allowed(finding: Finding) -> bool:
    return finding.applicability in (Applicability.SAFE, Applicability.UNSAFE)


def tier(finding: Finding) -> str:
    if finding.applicability is None:
        assert finding.declined, finding
        return "declined"
    return finding.applicability.value


def marks(document: Document) -> list[tuple[int, str, str]]:
    lines = document.source.text.splitlines()
    return sorted(
        (number, code, kind or "safe")
        for number, line in enumerate(lines, 1)
        for code, kind in MARK.findall(line)
        if code in CODES
    )


@pytest.mark.parametrize("path", [p for p in INPUTS if rules_of(p)], ids=title)
def test_findings_stand_at_the_marks(path: Path) -> None:
    document = read(path)
    found = sorted(
        (document.source.line_of(finding.start), finding.rule, tier(finding))
        for finding in find(document)
    )
    assert found == marks(document)


@pytest.mark.parametrize("path", [p for p in INPUTS if rules_of(p)], ids=title)
def test_repair_gives_the_golden_file(path: Path, request: pytest.FixtureRequest) -> None:
    document = read(path)
    golden = path.with_suffix(".fixed" + path.suffix)
    done = repair(document, find, allowed)
    changed = done.after != done.before
    if request.config.getoption("--update-fixtures"):
        if changed:
            golden.write_bytes(done.after)
        else:
            golden.unlink(missing_ok=True)
    assert changed == golden.exists()
    if not changed:
        return
    assert done.after.decode() == golden.read_bytes().decode()
    assert done.document.syntax_error() is None
    again = repair(read(golden), find, allowed)
    assert again.after == again.before
