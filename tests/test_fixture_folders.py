"""Fixtures of several files: `fixtures/<rule>/<case>/` holds a small project.

Marks may stand in any of its files, `<file>.fixed.py` beside a file is what becomes of it, and
`probe.py` runs the whole: `MAIN` names the file to load, `probe(module)` is as for single files.
"""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path

import pytest
import test_fixtures as single

from autofix import engine, registry
from autofix.config import Resolver, command_line
from autofix.document import Document
from autofix.model import Finding
from autofix.project.project import Project
from autofix.rewrite.fixpoint import Repaired, repair
from autofix.run import Mode, run

CASES = sorted(path for path in single.FIXTURES.glob("*/*") if any(path.glob("*.py")))
PROVEN = [case for case in CASES if (case / "probe.py").exists()]


def title(case: Path) -> str:
    return f"{case.parent.name}/{case.name}"


def files(case: Path) -> list[Path]:
    found = (path for path in case.rglob("*.py") if not path.name.endswith(".fixed.py"))
    return sorted(path for path in found if path != case / "probe.py")


def golden(path: Path) -> Path:
    return path.with_suffix(".fixed.py")


def find(document: Document, project: Project) -> tuple[Finding, ...]:
    outcome = engine.find(document.source, registry.load(), project)
    assert outcome.crashes == ()
    return outcome.findings


def repaired(case: Path) -> dict[Path, Repaired]:
    """Every file, once it was looked at with the others as they are in the end."""
    done: dict[Path, Repaired] = {}
    for _ in range(4):
        changed = {str(path): one.after for path, one in done.items() if one.after != one.before}
        project = Project((), changed)
        new = {
            path: repair(single.read(path), partial(find, project=project), single.allowed)
            for path in files(case)
        }
        settled = {p: one.after for p, one in new.items()} == {p: o.after for p, o in done.items()}
        done = new
        if settled:
            return done
    raise AssertionError("the repairs of the files do not settle")


@pytest.fixture
def copy(case: Path, tmp_path: Path) -> Path:
    """The project alone: what stands beside it in `fixtures/` must not have a say."""
    folder = tmp_path / "case"
    shutil.copytree(case, folder, ignore=shutil.ignore_patterns("*.fixed.py", "probe.py"))
    (folder / "pyproject.toml").touch()
    return folder


@pytest.mark.parametrize("case", CASES, ids=title)
def test_findings_stand_at_the_marks(case: Path, copy: Path) -> None:
    for given in (str(copy), str(files(copy)[0])):  # the folder, or one file of it
        project = Project((given,))
        for path in files(copy) if given == str(copy) else ():
            project.note(str(path), path.read_bytes())  # as a run does with what it is given
        for path in files(copy):
            document = single.read(path)
            found = sorted(
                (document.source.line_of(finding.start), finding.rule, single.tier(finding))
                for finding in find(document, project)
            )
            assert found == single.marks(document), path.name


@pytest.mark.parametrize("case", CASES, ids=title)
def test_repair_gives_the_golden_files(
    case: Path, copy: Path, request: pytest.FixtureRequest
) -> None:
    for path, done in repaired(copy).items():
        wanted = golden(case / path.relative_to(copy))
        changed = done.after != done.before
        if request.config.getoption("--update-fixtures"):
            if changed:
                wanted.write_bytes(done.after)
            else:
                wanted.unlink(missing_ok=True)
        assert changed == wanted.exists(), path.name
        if changed:
            assert done.after.decode() == wanted.read_bytes().decode()
            assert done.document.syntax_error() is None


def test_only_what_is_right_has_no_probe() -> None:
    unproven = [title(case) for case in CASES if case not in PROVEN]
    assert [name for name in unproven if not re.search("/(ok|quiet)_", name)] == []


@pytest.mark.parametrize("case", PROVEN, ids=title)
def test_the_golden_repair_is_proven(case: Path, copy: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import gradient_probe as gp

    after = tmp_path / "after"
    shutil.copytree(copy, after)
    for path in files(after):
        if golden(case / path.relative_to(after)).exists():
            shutil.copy(golden(case / path.relative_to(after)), path)
    probe = case / "probe.py"
    scope: dict[str, str] = {}
    exec(probe.read_text(encoding="utf-8"), scope)
    before, main = copy / scope["MAIN"], after / scope["MAIN"]
    tiers = {kind for path in files(copy) for _, _, kind in single.marks(single.read(path))}
    assert gp.runs(before, probe) == []
    assert bool(gp.bugs(before, probe)) == bool(tiers)
    if any(golden(path).exists() for path in files(case)):
        assert gp.compare(before, main, probe) == []


def test_what_would_break_a_file_that_is_not_repaired_is_not_written(tmp_path: Path) -> None:
    case = single.FIXTURES / "rewrapped_loss" / "flag_set_by_another_file"
    for path in files(case):
        shutil.copy(path, tmp_path)
    (tmp_path / "pyproject.toml").touch()

    def written(name: str, **given: object) -> list[str]:
        resolver = Resolver(command_line(given, ()))
        report = run([str(tmp_path / name)], resolver, Mode.DIFF)
        return sorted({Path(found.path).name for found in report.applied})

    assert written(".") == ["fit.py", "losses.py"]
    assert written("losses.py") == []
    assert written(".", select=("AG105",)) == []
