"""Write docs/rules/ from the docstrings of the rules, and the generated parts of README.md.

With --check nothing is written; the exit status is 1 if something is out of step.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from autofix.explain import Page, page
from autofix.registry import load

ROOT = Path(__file__).parent.parent
RULES = ROOT / "docs" / "rules"
README = ROOT / "README.md"

_TABLE = re.compile(r"(?s)(<!-- rules -->\n).*?(<!-- end -->)")
_OUTPUT = re.compile(r"(?s)(<!-- output of: (.+?) -->\n).*?(<!-- end -->)")
_TIERS = {"safe": "safe", "unsafe": "unsafe", "display": "shown"}


def documents() -> dict[Path, str]:
    """Every generated file and what should be in it."""
    pages = [page(rule) for rule in load() if rule.module.startswith("autofix.")]
    files = {RULES / f"{p.code}.md": rule_page(p) for p in pages}
    files[RULES / "README.md"] = index(pages)
    files[README] = readme(README.read_text(encoding="utf-8"), pages)
    return files


def rule_page(rule: Page) -> str:
    folder = "fixtures/" + rule.name.replace("-", "_")
    if not (ROOT / folder).is_dir():
        return rule.markdown
    return (
        f"{rule.markdown}\n---\n\n"
        "The section on verification is about the tests of this project, which run the programs\n"
        f"in [{folder}](../../{folder})\n"
        "before and after the fix. `autofix` itself runs no code.\n"
    )


def index(pages: list[Page]) -> str:
    return (
        "# Rules\n\n"
        f"{table(pages, '')}\n"
        "These pages are the docstrings of the rules, which `autofix explain RULE` prints too.\n"
    )


def table(pages: list[Page], folder: str) -> str:
    lines = ["| code | name | finds | fixes |", "|---|---|---|---|"]
    for rule in pages:
        tiers = ", ".join(_TIERS[tier] for tier in rule.tiers)
        link = f"[{rule.code}]({folder}{rule.code}.md)"
        lines.append(f"| {link} | `{rule.name}` | {rule.summary} | {tiers} |")
    return "\n".join(lines) + "\n"


def readme(text: str, pages: list[Page]) -> str:
    """The text with the table of rules, and with what its commands print now."""
    rules = table(pages, "docs/rules/")
    text = _TABLE.sub(lambda match: f"{match[1]}{rules}{match[2]}", text)
    return _OUTPUT.sub(lambda match: f"{match[1]}{session(match[2])}{match[3]}", text)


def session(command: str) -> str:
    """A command and its output, as in a terminal."""
    program, *arguments = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments, "--color", "never"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    kind = "diff" if "--diff" in arguments else "text"
    lines = [line.rstrip() for line in f"$ {command}\n{done.stdout}".rstrip().split("\n")]
    return "\n".join([f"```{kind}", *lines, "```", ""])


def stale(files: dict[Path, str]) -> list[Path]:
    """Generated files that are not what they should be, or should not be at all."""
    old = set(RULES.glob("*.md")) - files.keys()
    wrong = {
        path
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    return sorted(old | wrong)


def main() -> int:
    files = documents()
    changed = stale(files)
    for path in changed:
        print(path.relative_to(ROOT))
    if "--check" in sys.argv[1:]:
        return 1 if changed else 0
    RULES.mkdir(parents=True, exist_ok=True)
    for path in changed:
        if path in files:
            path.write_text(files[path], encoding="utf-8", newline="\n")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
