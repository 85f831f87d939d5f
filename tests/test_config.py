from __future__ import annotations

from pathlib import Path

import pytest

from autofix.config import (
    COMMAND_LINE,
    DEFAULT,
    Config,
    ConfigError,
    Resolver,
    command_line,
    merge,
    parse,
    parse_override,
    settings,
)


def project(folder: Path, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pyproject.toml"
    file.write_text(body)
    return file


def test_defaults_without_a_file(tmp_path: Path) -> None:
    config = Resolver(isolated=True).at(tmp_path)
    assert config.select == ("ALL",)
    assert config.output_format == "full"
    assert config.origin("select") == DEFAULT


def test_every_key_is_read(tmp_path: Path) -> None:
    file = project(
        tmp_path,
        """
[tool.autofix]
select = ["AG1"]
extend-select = ["AG201"]
ignore = ["AG102"]
exclude = ["old"]
extend-exclude = ["gen"]
force-exclude = true
unsafe-fixes = true
extend-safe-fixes = ["AG301"]
extend-unsafe-fixes = ["AG101"]
verify = true
python = ".venv/bin/python"
jobs = 3
output-format = "json"
[tool.autofix.per-file-ignores]
"tests/*" = ["AG1", "AG2"]
""",
    )
    config = Resolver().at(tmp_path)
    assert settings(config) == {
        "select": ("AG1",),
        "extend-select": ("AG201",),
        "ignore": ("AG102",),
        "per-file-ignores": (("tests/*", ("AG1", "AG2")),),
        "exclude": ("old",),
        "extend-exclude": ("gen",),
        "force-exclude": True,
        "unsafe-fixes": True,
        "extend-safe-fixes": ("AG301",),
        "extend-unsafe-fixes": ("AG101",),
        "verify": True,
        "python": ".venv/bin/python",
        "jobs": 3,
        "output-format": "json",
    }
    assert config.root == str(tmp_path)
    assert config.origin("select") == str(file)


def test_the_nearest_file_speaks_and_others_are_passed_over(tmp_path: Path) -> None:
    project(tmp_path, '[tool.autofix]\nselect = ["AG1"]\n')
    project(
        tmp_path / "inner", '[tool.black]\nline-length = 100\n[project]\nname = "autofix-user"\n'
    )
    project(tmp_path / "inner" / "deep", '[tool.autofix]\nselect = ["AG2"]\n')
    resolver = Resolver()
    assert resolver.at(tmp_path / "inner").select == ("AG1",)
    assert resolver.at(tmp_path / "inner" / "deep" / "x").select == ("AG2",)
    assert resolver.at(tmp_path / "inner" / "deep").extend_select == ()


def test_isolated_reads_nothing(tmp_path: Path) -> None:
    project(tmp_path, "[tool.autofix]\nselect = 3\n")
    assert Resolver(isolated=True).at(tmp_path).select == ("ALL",)


def test_folders_with_the_same_settings_share_them(tmp_path: Path) -> None:
    project(tmp_path / "a", "[tool.autofix]\njobs = 2\n")
    for isolated in (False, True):
        resolver = Resolver((("jobs", 3),), isolated)
        assert resolver.at(tmp_path / "b" / "c") is resolver.at(tmp_path / "d")
        assert resolver.at(tmp_path / "a" / "c") is resolver.at(tmp_path / "a")


def test_the_command_line_wins(tmp_path: Path) -> None:
    file = project(tmp_path, '[tool.autofix]\nselect = ["AG1"]\nignore = ["AG101"]\njobs = 4\n')
    config = Resolver(command_line({"select": ("AG101",), "jobs": None}, ())).at(tmp_path)
    assert config.select == ("AG101",)
    assert config.ignore == ()
    assert config.jobs == 4
    assert config.origin("select") == COMMAND_LINE
    assert config.origin("jobs") == str(file)


def test_flags_win_over_config_pairs() -> None:
    overrides = dict(command_line({"jobs": 2}, ["jobs=5", "unsafe-fixes=true"]))
    assert overrides == {"jobs": 2, "unsafe_fixes": True}


def test_selections_add_up_without_a_new_select() -> None:
    base = merge(Config(), {"select": ("AG1",), "ignore": ("AG101", "AG102")}, "file")
    config = merge(base, {"extend_select": ("AG101",), "ignore": ("AG103",)}, COMMAND_LINE)
    assert config.select == ("AG1",)
    assert config.extend_select == ("AG101",)
    assert config.ignore == ("AG102", "AG103")


def test_extended_excludes_add_up() -> None:
    base = merge(Config(), {"extend_exclude": ("a",)}, "file")
    assert merge(base, {"extend_exclude": ("b",)}, COMMAND_LINE).extend_exclude == ("a", "b")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("selct = []", "unknown setting `selct`; did you mean `select`?"),
        ("per_file_ignores = {}", "did you mean `per-file-ignores`?"),
        ("zzz = 1", "unknown setting `zzz`; known: select"),
        ('select = "AG1"', "`select` must be a list of strings, not `'AG1'`"),
        ("select = [1]", "`select` must be a list of strings"),
        ("unsafe-fixes = 1", "`unsafe-fixes` must be true or false"),
        ("verify = 'yes'", "`verify` must be true or false"),
        ("python = 3", "`python` must be a string"),
        ("jobs = 0", "`jobs` must be a whole number above 0"),
        ("jobs = true", "`jobs` must be a whole number above 0"),
        ('output-format = "xml"', "`output-format` must be one of"),
        ("output-format = []", "`output-format` must be one of"),
        ("per-file-ignores = []", "`per-file-ignores` must be a table"),
        ('per-file-ignores = { a = "b" }', "`per-file-ignores` must be a table of lists"),
        ("select = [", "pyproject.toml: "),
    ],
)
def test_a_bad_setting_names_key_and_file(tmp_path: Path, body: str, said: str) -> None:
    file = project(tmp_path, f"[tool.autofix]\n{body}\n")
    with pytest.raises(ConfigError) as caught:
        Resolver().at(tmp_path)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_section_that_is_no_table(tmp_path: Path) -> None:
    project(tmp_path, "[tool]\nautofix = 3\n")
    with pytest.raises(ConfigError, match=r"`tool\.autofix` must be a table"):
        Resolver().at(tmp_path)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.autofix]\n# \xff\n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        Resolver().at(tmp_path)


@pytest.mark.parametrize(
    ("pair", "values"),
    [
        ('select=["AG1", "AG2"]', {"select": ("AG1", "AG2")}),
        ("output-format=json", {"output_format": "json"}),
        ('output-format = "concise"', {"output_format": "concise"}),
        ("unsafe-fixes=true", {"unsafe_fixes": True}),
        ("jobs=2", {"jobs": 2}),
    ],
)
def test_override(pair: str, values: dict[str, object]) -> None:
    assert parse_override(pair) == values


@pytest.mark.parametrize("pair", ["select", "=3", "select=AG1", "nope=1", "jobs=many"])
def test_bad_override(pair: str) -> None:
    with pytest.raises(ConfigError, match="--config"):
        parse_override(pair)


def test_an_override_cannot_smuggle_a_second_key() -> None:
    with pytest.raises(ConfigError):
        parse_override("jobs=2\nselect=[]")


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"select": "x" * 500}, "f")
    assert len(str(caught.value)) < 200
