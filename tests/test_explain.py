from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import toy_pack

from autofix.explain import PlaceError, describe, page, parse_place
from autofix.registry import resolve
from autofix.rule import Rule


def rule(doc: str, monkeypatch: pytest.MonkeyPatch) -> Rule:
    monkeypatch.setitem(sys.modules, "toys.some_rule", ModuleType("toys.some_rule", doc))
    return Rule("toys.some_rule", code="TY999", trigger="")


def test_the_page_of_a_rule() -> None:
    found = page(resolve(toy_pack.rules(), "risky-call"))
    assert found.code == "TY102"
    assert found.name == "risky-call"
    assert found.summary == "A risky call"
    assert found.tiers == ("unsafe",)
    assert list(found.sections) == ["What it does", "Why is this bad", "Fix safety"]
    assert "# not a heading" in found.sections["Why is this bad"]
    assert found.markdown.startswith("# risky-call (TY102)\n\nA risky call.\n\n## What it does\n")


def test_tiers_come_from_the_section_on_safety_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    doc = """Summary with `display`.

    ## Fix safety?
    `safe` where the rank is known, else `unsafe`.

    ### A detail
    Nothing.
    """
    found = page(rule(doc, monkeypatch))
    assert found.tiers == ("safe", "unsafe")
    assert found.sections["A detail"] == "Nothing."


@pytest.mark.parametrize(
    ("safety", "tiers"),
    [
        ("The fix is safe where this holds, and unsafe elsewhere.", ("safe", "unsafe")),
        ("Never unsafe-ly thread-safe.", ("unsafe",)),
        ("It is not safe. It is only shown.", ("display",)),
        ("There is no fix.", ()),
    ],
)
def test_tiers_are_read_as_words(
    safety: str, tiers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page(rule(f"A.\n\n## Fix safety\n{safety}\n", monkeypatch)).tiers == tiers


def test_a_rule_without_a_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    found = page(rule("", monkeypatch))
    assert (found.summary, found.tiers, dict(found.sections)) == ("", (), {})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a.py:3:7", ("a.py", None, 3, 7)),
        ("a.py:3", ("a.py", None, 3, 1)),
        ("C:/x/a.py:3:7", ("C:/x/a.py", None, 3, 7)),
        ("n.ipynb:cell 2:3:7", ("n.ipynb", 2, 3, 7)),
    ],
)
def test_places(text: str, place: tuple[str, int | None, int, int]) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["a.py", "", ":3", "a.py:x:y"])
def test_no_places(text: str) -> None:
    with pytest.raises(PlaceError, match="FILE:LINE:COL"):
        parse_place(text)


def test_facts_at_a_place(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("import torch\nx = torch.ones(3, requires_grad=True)\ny = x * 2\n")
    text = "\n".join(describe(f"{file}:3:5"))
    assert "tensor" in text


@pytest.mark.parametrize(
    ("content", "at", "said"),
    [
        (None, "1:1", "no such file"),
        ("def f(:\n", "1:1", "invalid syntax"),
        ("x = 1\n", "9:1", "no such line"),
        ("# coding: nonsense\n", "1:1", "unknown encoding"),
    ],
)
def test_no_facts(tmp_path: Path, content: str | None, at: str, said: str) -> None:
    file = tmp_path / "a.py"
    if content is not None:
        file.write_text(content)
    with pytest.raises(PlaceError, match=said):
        describe(f"{file}:{at}")


def test_files_that_bring_one_another_all_their_names(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    names = [f"part{i}" for i in range(9)]
    for one in names:
        stars = [f"from {other} import *\n" for other in names if other != one]
        (tmp_path / f"{one}.py").write_text("".join(stars))
    (tmp_path / "part8.py").write_text("import torch\nfrom part0 import *\nt = torch.ones(2)\n")
    path = tmp_path / "main.py"
    path.write_text("from part0 import *\nx = [print(missing), t]\n")
    assert any("kind: tensor" in line for line in describe(f"{path}:2:22"))
