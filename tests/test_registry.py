from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from autofix import registry
from autofix.deferred import defer
from autofix.registry import RegistryError, UnknownRuleError, choose, matching, resolve
from autofix.rule import Rule


def toy(code: str, name: str) -> Rule:
    return Rule(f"toys.{name}", code=code, trigger="x")


RULES = (
    toy("AG101", "alpha_beta"),
    toy("AG102", "gamma"),
    toy("AG201", "delta"),
    toy("TP101", "epsilon"),
)


def codes(rules: tuple[Rule, ...]) -> list[str]:
    return [rule.code for rule in rules]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("ALL", ["AG101", "AG102", "AG201", "TP101"]),
        ("all", ["AG101", "AG102", "AG201", "TP101"]),
        ("AG", ["AG101", "AG102", "AG201"]),
        ("AG1", ["AG101", "AG102"]),
        ("ag1", ["AG101", "AG102"]),
        ("AG101", ["AG101"]),
        ("alpha-beta", ["AG101"]),
    ],
)
def test_matching(selector: str, expected: list[str]) -> None:
    assert codes(matching(RULES, selector)) == expected


@pytest.mark.parametrize(
    ("selector", "close"),
    [
        ("AG103", "AG101"),
        ("alpha-bata", "alpha-beta"),
        ("gama", "gamma"),
        ("AG1*", "AG1"),
        ("", "lists them all"),
    ],
)
def test_unknown_selectors_get_close_matches(selector: str, close: str) -> None:
    with pytest.raises(UnknownRuleError) as caught:
        matching(RULES, selector)
    assert close in str(caught.value)


def test_resolve_takes_code_or_name() -> None:
    assert resolve(RULES, "ag201").name == "delta"
    assert resolve(RULES, "delta").code == "AG201"
    with pytest.raises(UnknownRuleError):
        resolve(RULES, "AG")


@pytest.mark.parametrize(
    ("select", "extend", "ignore", "expected"),
    [
        (["ALL"], [], [], ["AG101", "AG102", "AG201", "TP101"]),
        (["ALL"], [], ["AG1"], ["AG201", "TP101"]),
        (["ALL"], ["AG101"], ["AG1"], ["AG101", "AG201", "TP101"]),
        (["AG1"], [], ["alpha-beta"], ["AG102"]),
        (["AG101"], [], ["AG101"], []),
        (["alpha-beta"], [], ["AG1"], ["AG101"]),
        (["AG1"], ["TP"], [], ["AG101", "AG102", "TP101"]),
        (["AG1"], [], ["ALL"], ["AG101", "AG102"]),
        ([], [], [], []),
    ],
)
def test_the_more_specific_selector_wins(
    select: list[str], extend: list[str], ignore: list[str], expected: list[str]
) -> None:
    assert codes(choose(RULES, select, extend, ignore)) == expected


def test_codes_and_names_are_unique() -> None:
    with pytest.raises(RegistryError, match="both `AG101`"):
        registry.check_unique([toy("AG101", "a"), toy("AG101", "b")])
    with pytest.raises(RegistryError, match="both `same-name`"):
        registry.check_unique(
            [
                Rule("one.same_name", code="AG101", trigger=""),
                Rule("two.same_name", code="AG102", trigger=""),
            ]
        )
    with pytest.raises(RegistryError, match="not a rule code"):
        registry.check_unique([toy("101", "a")])


def test_the_installed_rules_load() -> None:
    rules = registry.load()
    assert codes(rules) == sorted(codes(rules))
    assert resolve(rules, "unused-ignore").code == "AG901"
    assert all(rule.summary for rule in rules)


PACK = '''"""A rule of somebody else."""
from autofix.rule import Rule
rule = Rule(__name__, code="{code}", trigger="x")
'''


def pack(tmp_path: Path, name: str, **modules: str) -> str:
    home = tmp_path / name
    (home / "theme").mkdir(parents=True)
    (home / "__init__.py").touch()
    (home / "theme" / "__init__.py").touch()
    for module, body in modules.items():
        (home / "theme" / f"{module}.py").write_text(body)
    return name


def test_walk_finds_rules_in_subfolders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    home = pack(
        tmp_path,
        "pack_one",
        bad_thing=PACK.format(code="PK101"),
        worse=PACK.format(code="PK102"),
        borrowed="from pack_one.theme.worse import rule\n",
    )
    found = list(registry.walk(home))
    assert sorted((rule.code, rule.name) for rule in found) == [
        ("PK101", "bad-thing"),
        ("PK102", "worse"),
    ]


@pytest.mark.parametrize("body", ["import nowhere_at_all", "def (", "raise SystemExit(3)"])
def test_a_broken_pack_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    home = pack(tmp_path, f"pack_{abs(hash(body))}", broken=body)
    with pytest.raises(RegistryError, match=rf"{home}\.theme\.broken.*cannot be loaded"):
        list(registry.walk(home))


def test_packs_are_found_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    pack(tmp_path, "pack_two", thing=PACK.format(code="PK201"))
    info = tmp_path / "pack_two-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pack-two\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[autofix.rules]\npack-two = pack_two\n")
    registry.load.cache_clear()
    try:
        assert "PK201" in codes(registry.load())
    finally:
        registry.load.cache_clear()
        for name in [name for name in sys.modules if name.startswith("pack_")]:
            del sys.modules[name]


def test_a_deferred_module_loads_when_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "late_one").mkdir()
    (tmp_path / "late_one" / "__init__.py").write_text("import late_log\nvalue = 3\n")
    (tmp_path / "late_one" / "part.py").write_text("from late_one import value\n")
    (tmp_path / "late_log.py").touch()
    defer("late_one")
    holder: dict[str, Any] = {}
    exec("import late_one\nimport late_one as again", holder)
    assert "late_log" not in sys.modules
    assert holder["again"].value == 3
    assert "late_log" in sys.modules
    exec("import late_one.part as part\nimport late_one.part", holder)
    assert holder["part"].value == 3
    assert holder["late_one"].part is holder["part"] is holder["again"].part
    with pytest.raises(AttributeError):
        _ = holder["again"].missing
    defer("no_such_module_at_all")
    assert "no_such_module_at_all" not in sys.modules


def test_a_submodule_of_a_deferred_module_may_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "late_two").mkdir()
    (tmp_path / "late_two" / "__init__.py").write_text("value = 3\n")
    (tmp_path / "late_two" / "part.py").write_text("import late_two\nvalue = late_two.value\n")
    defer("late_two")
    holder: dict[str, Any] = {}
    exec("import late_two as first\nimport late_two.part\nfrom late_two import part", holder)
    assert holder["part"].value == 3
    assert holder["late_two"].part is holder["first"].part is holder["part"]
