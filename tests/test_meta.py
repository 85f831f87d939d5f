"""What holds for the project as a whole, and for every rule alike."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from autofix import __version__, registry
from autofix.explain import SECTIONS, page
from autofix.rule import Rule

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MARK = re.compile(r"#\s*AG\d{3}\b(?:[ ]+(unsafe|display|declined))?")
LOOK_ALIKES = 3

RULES = [rule for rule in registry.load() if rule.module.startswith("autofix.")]
CODEMODS = [rule for rule in RULES if rule.module.startswith("autofix.codemods.")]


def label(rule: Rule) -> str:
    return rule.code


def programs(rule: Rule) -> dict[str, list[str]]:
    """The fixture programs of a rule, with the tiers that are marked in each."""
    folder = FIXTURES / rule.name.replace("-", "_")
    inputs = [
        path
        for path in (*folder.glob("*.py"), *folder.glob("*.ipynb"))
        if not path.stem.endswith((".fixed", ".probe"))
    ]
    return {
        path.name: [tier or "safe" for tier in MARK.findall(path.read_text(encoding="utf-8"))]
        for path in inputs
    }


def files() -> Iterator[Path]:
    """The files of the project: those that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git repository")
    for name in sorted(set(listed.stdout.decode().split("\0")) - {""}):
        if (ROOT / name).is_file():
            yield ROOT / name


@pytest.mark.parametrize("rule", CODEMODS, ids=label)
def test_a_rule_has_programs_that_it_reports_and_programs_that_it_leaves_alone(rule: Rule) -> None:
    marked = programs(rule)
    assert any({"safe", "unsafe", "display"} & set(tiers) for tiers in marked.values())
    assert sum(not tiers for tiers in marked.values()) >= LOOK_ALIKES


@pytest.mark.parametrize("rule", CODEMODS, ids=label)
def test_the_page_of_a_rule_speaks_of_the_tiers_that_its_fixes_have(rule: Rule) -> None:
    used = {tier for tiers in programs(rule).values() for tier in tiers} - {"declined"}
    assert used <= set(page(rule).tiers), "its section on fix safety does not name them all"


@pytest.mark.parametrize("rule", RULES, ids=label)
def test_the_docstring_of_a_rule_has_every_section(rule: Rule) -> None:
    sections = page(rule).sections
    wanted = SECTIONS if rule in CODEMODS else SECTIONS[:-1]
    assert [name for name in sections if name in SECTIONS] == list(wanted)
    assert all(sections[name] for name in wanted)


@pytest.mark.parametrize("rule", RULES, ids=label)
def test_the_summary_of_a_rule_is_one_sentence(rule: Rule) -> None:
    first, second, *_ = [*rule.doc.strip().split("\n"), ""]
    assert first.endswith(".")
    assert second == ""


@pytest.mark.parametrize("rule", CODEMODS, ids=label)
def test_the_examples_of_a_rule_are_python(rule: Rule) -> None:
    for name in ("Example", "Use instead"):
        blocks = re.findall(r"(?s)```python\n(.*?)```", page(rule).sections[name])
        assert blocks
        for block in blocks:
            ast.parse(block)


def test_codes_and_names_mean_one_rule() -> None:
    labels = Counter(label for rule in RULES for label in (rule.code, rule.name))
    assert [label for label, count in labels.items() if count > 1] == []
    assert all(re.fullmatch(r"AG\d{3}", rule.code) for rule in RULES)


def test_a_fixture_folder_belongs_to_a_rule() -> None:
    names = {rule.name.replace("-", "_") for rule in CODEMODS} | {"seed_programs"}
    folders = {path.name for path in FIXTURES.iterdir() if path.is_dir() and any(path.iterdir())}
    assert folders - names == set()


def test_all_packages_are_installed() -> None:
    found = set()
    for folder, package in (("autofix", "autofix"), ("codemods", "autofix.codemods")):
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((package, *parts)))
        modules = {path.parent for path in (ROOT / folder).rglob("*.py")}
        assert all((parent / "__init__.py").exists() for parent in modules)
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


def test_the_version_is_said_once_and_the_changelog_knows_it() -> None:
    assert PROJECT["project"]["version"] == __version__
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["autofix", "codemods"])
def test_torch_is_not_imported(folder: str) -> None:
    child = ROOT / "autofix" / "verify" / "child"
    for path in (ROOT / folder).rglob("*.py"):
        if path.is_relative_to(child):  # runs in the interpreter of the user
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            names: list[str | None] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            assert not any(name and name.partition(".")[0] == "torch" for name in names), path


PRIVATE = re.compile(
    r"""(?ix)
    (?<![\w./:-]) / (?: home | Users | root | opt | work | mnt ) / \w   # a path of one machine
    | \b (?: issues? | pr | ticket | task | fixes | closes | refs? ) \s? [#] \d   # a tracker
    | --(?: extra- )?index-url | --find-links                            # where packages come from
    """
)


def test_nothing_speaks_of_one_machine_or_of_a_tracker() -> None:
    found = []
    for path in files():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in PRIVATE.finditer(text)]
    assert found == []
