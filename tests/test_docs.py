"""What is written for people is true: generated pages are in step, and the README names things
as they are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from autofix import config, report
from autofix.files import DEFAULT_EXCLUDES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

sys.path.insert(0, str(ROOT / "tools"))

import generate_docs  # noqa: E402


def test_the_generated_pages_are_in_step() -> None:
    out_of_step = [
        str(path.relative_to(ROOT)) for path in generate_docs.stale(generate_docs.documents())
    ]
    assert out_of_step == [], "run `make docs`"


def test_stale_pages_are_noticed() -> None:
    files = generate_docs.documents()
    page = generate_docs.RULES / "AG101.md"
    assert page in generate_docs.stale({**files, page: "something else"})
    del files[page]
    assert page in generate_docs.stale(files)


def test_the_readme_lists_the_settings_with_their_defaults() -> None:
    block = README.partition("```toml\n")[2].partition("```")[0]
    listed = re.findall(r"(?m)^(?:# )?([a-z-]+) = ", block)
    assert listed == list(config.settings(config.Config()))
    table = config._toml(block)["tool"]["autofix"]
    defaults = config.Config()
    for name, value in config.parse(table, "README.md").items():
        assert value == getattr(defaults, name)


@pytest.mark.parametrize("name", report.FORMATS)
def test_the_readme_names_the_output_formats(name: str) -> None:
    assert f'"{name}"' in README


@pytest.mark.parametrize("name", [".venv", "build", "node_modules"])
def test_the_excludes_in_the_readme_are_there(name: str) -> None:
    assert name in README
    assert name in DEFAULT_EXCLUDES


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / target).exists(), target
