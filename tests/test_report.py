from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from autofix.document import load
from autofix.locate import locate
from autofix.model import Applicability, Edit, Finding, Fix, Position
from autofix.report import render
from autofix.report.as_json import render_statistics as json_statistics
from autofix.report.style import Style, clean, place, plural, width
from autofix.report.summary import (
    apply_summary,
    check_summary,
    render_fixes,
    render_statistics,
)
from autofix.results import Located, Problem, Report

PLAIN = Style(False)
SAFE, UNSAFE, DISPLAY = Applicability.SAFE, Applicability.UNSAFE, Applicability.DISPLAY

SOURCE = """\
import torch

def loss(net, x, y):
    logits = net(x)
    return F.cross_entropy(logits.data, y)
"""


def finding(text: str, part: str, *edits: Edit, tier: Applicability = SAFE, **more: Any) -> Finding:
    start = text.index(part)
    fix = Fix(tier, edits) if edits else None
    said = more.pop("message", "`.data` cuts the graph")
    return Finding("AG105", "value-round-trip", said, start, start + len(part), fix, **more)


def replacing(text: str, part: str, new: str) -> Edit:
    start = text.index(part)
    return Edit(start, start + len(part), new)


def located(text: str, found: Finding, **more: Any) -> Located:
    return locate(load(text.encode(), "a.py"), found, "src/a.py", **more)


def full(*found: Located) -> str:
    return "".join(render(Report(1, found), "full", PLAIN))


def test_full_with_a_safe_fix() -> None:
    found = finding(
        SOURCE,
        "logits.data",
        replacing(SOURCE, "logits.data", "logits"),
        why=("`logits` is the result of `net`, a module (line 4)", "`.data` cuts it (line 5)"),
    )
    assert full(located(SOURCE, found, fixable=True)) == (
        "AG105 [*] `.data` cuts the graph   (value-round-trip)\n"
        " --> src/a.py:5:28\n"
        "  |\n"
        "4 |     logits = net(x)\n"
        "5 |     return F.cross_entropy(logits.data, y)\n"
        "  |                            ^^^^^^^^^^^\n"
        "  |\n"
        "  = `logits` is the result of `net`, a module (line 4)\n"
        "  = `.data` cuts it (line 5)\n"
        "help: rewrite it as\n"
        "  |\n"
        "  -     return F.cross_entropy(logits.data, y)\n"
        "  +     return F.cross_entropy(logits, y)\n"
        "  |\n"
        "\n"
    )


def test_full_with_an_unsafe_fix_says_so_until_it_is_allowed() -> None:
    found = finding(SOURCE, "net", replacing(SOURCE, "net", "model"), tier=UNSAFE, note="look out")
    text = full(located(SOURCE, found))
    assert "AG105 `.data`" in text
    assert "note: look out\nnote: this fix is unsafe" in text
    assert "--unsafe-fixes" in text
    allowed = full(located(SOURCE, found, fixable=True))
    assert "[*]" in allowed
    assert "this fix is unsafe" not in allowed


def test_full_with_a_choice_and_a_decline() -> None:
    choice = finding(SOURCE, "net", replacing(SOURCE, "net", "model"), tier=DISPLAY)
    assert "help: one way to write it" in full(located(SOURCE, choice))
    assert "note: never written by autofix" in full(located(SOURCE, choice))
    decline = finding(SOURCE, "net", declined="`net` may be anything")
    text = full(located(SOURCE, decline))
    assert text.endswith("note: not fixed: `net` may be anything\n\n")
    assert "help" not in text


def test_full_without_a_place_in_the_source() -> None:
    broken = Finding("syntax-error", "syntax-error", "invalid syntax", 0, 0)
    found = Located("a.py", broken, Position(3, 7), Position(3, 7))
    assert full(found) == "syntax-error invalid syntax\n --> a.py:3:7\n\n"


def test_several_lines_are_marked_without_their_indent() -> None:
    text = "x = 1\n    \ny = f(\n    a,\n    b\n)\n"
    lines = full(located(text, finding(text, "f(\n    a,\n    b\n)"))).splitlines()[2:-1]
    assert lines == [
        "  |",
        "3 | y = f(",
        "  |     ^^",
        "4 |     a,",
        "  |     ^^",
        "5 |     b",
        "  |     ^",
        "6 | )",
        "  | ^",
        "  |",
    ]


def test_a_long_span_is_cut() -> None:
    text = "f(\n" + "    a,\n" * 50 + ")\n"
    assert len(located(text, finding(text, text.rstrip())).snippet) == 6


def test_a_long_line_shows_what_is_meant() -> None:
    text = "x = [" + "0, " * 5_000 + "bad(), " + "1, " * 5_000 + "]\n"
    shown = full(located(text, finding(text, "bad()", replacing(text, "bad()", "good()"))))
    row, marks = shown.splitlines()[3:5]
    at = marks.index("^")
    assert row[at : at + 5] == "bad()"
    assert marks.count("^") == 5
    assert row.startswith("1 | ...")
    assert row.endswith("...")
    assert max(map(len, shown.splitlines())) < 200


def test_wide_letters_and_tabs_keep_the_marks_in_place() -> None:
    text = "\tf('漢字', bad())\n"
    row, marks = full(located(text, finding(text, "bad()"))).splitlines()[3:5]
    assert row == "1 |     f('漢字', bad())"
    assert width(row[: row.index("bad")]) == marks.index("^")


def test_a_file_cannot_talk_to_the_terminal() -> None:
    text = "x = bad('\x1b[2J\u202e')\n"
    found = located(
        text, finding(text, "bad", replacing(text, "bad", "a\x07"), message="see \x1b[31m")
    )
    for output_format in ("full", "concise"):
        shown = "".join(render(Report(1, (found,)), output_format, PLAIN))
        assert all(c.isprintable() or c == "\n" for c in shown)
    assert clean("a\x1bb\tc\udc80") == "a\\x1bb    c\\udc80"


def test_markup_is_left_alone() -> None:
    text = "x = bad()\n"
    said = "`[tensor]` [/foo] :warning: {x} %s"
    assert said in full(located(text, finding(text, "bad()", message=said)))


def test_the_diff_of_edits_far_apart_and_close_together() -> None:
    text = "import a\n\n\n\nx = f(1)\ny = f(2)\nz = 3\n"
    edits = (
        Edit(0, 0, "import b\n"),
        replacing(text, "f(1)", "g(1)"),
        replacing(text, "f(2)", "g(\n    2\n)"),
    )
    found = located(text, finding(text, "f(1)", *edits))
    assert found.diff == (
        "+ import b",
        "- x = f(1)",
        "- y = f(2)",
        "+ x = g(1)",
        "+ y = g(",
        "+     2",
        "+ )",
    )


@pytest.mark.parametrize("text", ["x = f(1)", "x = f(1)\r\n", "# é\rx = f(1)\r", "\x0cx = f(1)\n"])
def test_the_diff_of_odd_line_ends(text: str) -> None:
    diff = located(text, finding(text, "f(1)", replacing(text, "f(1)", "g"))).diff
    assert [line.replace("\x0c", "") for line in diff] == ["- x = f(1)", "+ x = g"]


def test_the_diff_of_a_removed_line() -> None:
    text = "a\nb\nc\n"
    assert located(text, finding(text, "b", replacing(text, "b\n", ""))).diff == ("- b",)


def test_a_long_diff_is_cut() -> None:
    text = "x = f(1)\n"
    found = located(text, finding(text, "f(1)", replacing(text, "f(1)", "(\n" + "1,\n" * 90 + ")")))
    assert "... 53 more lines" in full(found)


def test_concise() -> None:
    found = located(
        SOURCE, finding(SOURCE, "logits.data", replacing(SOURCE, "x", "y")), fixable=True
    )
    cell = Located("n.ipynb", found.finding, Position(2, 6, 3), Position(2, 7, 3))
    assert "".join(render(Report(2, (found, cell)), "concise", PLAIN)) == (
        "src/a.py:5:28: AG105 [*] `.data` cuts the graph\n"
        "n.ipynb:cell 3:2:6: AG105 `.data` cuts the graph\n"
    )


def test_what_was_fixed_is_only_in_json_and_in_the_list_of_fixes() -> None:
    found = finding(SOURCE, "net", replacing(SOURCE, "net", "model"))
    report = Report(1, (located(SOURCE, found, applied=True),), written=1)
    assert "".join(render(report, "full", PLAIN)) == ""
    assert "".join(render(report, "concise", PLAIN)) == ""
    assert len(as_json(report)["findings"]) == 1
    assert "".join(render_fixes(report, PLAIN)) == "src/a.py:\n    1 x AG105 (value-round-trip)\n"


def as_json(report: Report) -> dict[str, Any]:
    text = "".join(render(report, "json", PLAIN))
    assert text.isascii()
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, SCHEMA)
    return document


PLACE = {
    key: {"type": "integer", "minimum": 1} for key in ("line", "column", "end_line", "end_column")
}
TEXT = {"type": "string"}
MAYBE = {"type": ["string", "null"]}


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMA = closed(
    version={"const": 1},
    findings={
        "type": "array",
        "items": closed(
            rule=TEXT,
            name=TEXT,
            path=TEXT,
            cell={"type": ["integer", "null"], "minimum": 1},
            **PLACE,
            message=TEXT,
            applicability={"enum": ["safe", "unsafe", "display", None]},
            declined=MAYBE,
            edits={"type": "array", "items": closed(**PLACE, text=TEXT)},
            applied={"type": "boolean"},
            verification={"type": "null"},
        ),
    },
    errors={"type": "array", "items": closed(path=TEXT, message=TEXT)},
    summary=closed(
        files={"type": "integer"}, findings={"type": "integer"}, fixed={"type": "integer"}
    ),
)


def test_json() -> None:
    text = "é = '漢'; bad()\n"
    fixed = located(text, finding(text, "bad()", replacing(text, "bad", "good")), applied=True)
    declined = located(text, finding(text, "é", declined="why"))
    assert as_json(Report(3, (fixed, declined), (Problem("b.py", "no such file"),), written=1)) == {
        "version": 1,
        "findings": [
            {
                "rule": "AG105",
                "name": "value-round-trip",
                "path": "src/a.py",
                "cell": None,
                "line": 1,
                "column": 10,
                "end_line": 1,
                "end_column": 15,
                "message": "`.data` cuts the graph",
                "applicability": "safe",
                "declined": None,
                "edits": [
                    {"line": 1, "column": 10, "end_line": 1, "end_column": 13, "text": "good"}
                ],
                "applied": True,
                "verification": None,
            },
            {
                "rule": "AG105",
                "name": "value-round-trip",
                "path": "src/a.py",
                "cell": None,
                "line": 1,
                "column": 1,
                "end_line": 1,
                "end_column": 2,
                "message": "`.data` cuts the graph",
                "applicability": None,
                "declined": "why",
                "edits": [],
                "applied": False,
                "verification": None,
            },
        ],
        "errors": [{"path": "b.py", "message": "no such file"}],
        "summary": {"files": 3, "findings": 2, "fixed": 1},
    }


def test_json_of_a_name_that_is_not_utf8() -> None:
    report = Report(0, problems=(Problem("b\udcff.py", "no such file"),))
    assert as_json(report)["errors"][0]["path"] == "b\udcff.py"


def test_colour_is_asked_for() -> None:
    found = located(SOURCE, finding(SOURCE, "net", replacing(SOURCE, "net", "model")))
    for output_format in ("full", "concise"):
        coloured = "".join(render(Report(1, (found,)), output_format, Style(True)))
        plain = "".join(render(Report(1, (found,)), output_format, PLAIN))
        assert "\x1b[31;1mAG105\x1b[0m" in coloured
        assert "\x1b" not in plain
        assert len(plain) < len(coloured)
    assert "\x1b" not in "".join(render(Report(1, (found,)), "json", Style(True)))


def several() -> Report:
    safe = located(SOURCE, finding(SOURCE, "net", replacing(SOURCE, "net", "m")), fixable=True)
    unsafe = located(SOURCE, finding(SOURCE, "x", replacing(SOURCE, "x", "m"), tier=UNSAFE))
    declined = located(SOURCE, finding(SOURCE, "y", declined="no"))
    return Report(1_400, (safe, unsafe, declined))


def test_check_summary() -> None:
    problem = (Problem("x", "y"),)
    assert check_summary(Report(1)) == "all clean: 1 file looked at"
    assert check_summary(Report(2, problems=problem)) == (
        "nothing found in 2 files, but not everything could be looked at (1 error)"
    )
    assert check_summary(several(), "autofix apply src/ b.py") == (
        "3 findings in 1,400 files (1 fixable, 1 with `--unsafe-fixes`, 1 shown only). "
        "`autofix apply src/ b.py` fixes 1; `autofix explain AG105` tells more"
    )
    assert "apply" not in check_summary(several())
    with_problem = Report(1, several().findings[1:2], problem)
    assert check_summary(with_problem) == (
        "1 finding in 1 file (1 with `--unsafe-fixes`), and not everything could be looked at "
        "(1 error). `autofix explain AG105` tells more"
    )


def test_apply_summary_never_calls_a_rewrite_verified() -> None:
    done = located(SOURCE, finding(SOURCE, "net", replacing(SOURCE, "net", "m")), applied=True)
    left = several().findings
    assert apply_summary(Report(1)) == "all clean: 1 file looked at"
    assert apply_summary(Report(1, (done,), written=1)) == (
        "wrote 1 fix in 1 file (not verified), nothing left"
    )
    assert apply_summary(Report(1, (done, done, *left), written=2)) == (
        "wrote 2 fixes in 2 files (not verified), "
        "3 findings left (1 fixable, 1 with `--unsafe-fixes`, 1 shown only)"
    )
    assert apply_summary(Report(1, (done,), written=1), dry=True) == "would write 1 fix in 1 file"
    assert apply_summary(Report(1, left[1:2], (Problem("x", "y"),))) == (
        "wrote nothing, 1 finding left (1 with `--unsafe-fixes`), "
        "not everything could be looked at (1 error)"
    )


def test_statistics() -> None:
    broken = Finding("syntax-error", "syntax-error", "invalid", 0, 0)
    report = Report(
        2, (*several().findings, Located("b.py", broken, Position(1, 1), Position(1, 1)))
    )
    assert "".join(render_statistics(report, PLAIN)) == (
        "3  AG105         [-] value-round-trip\n1  syntax-error  [ ]\n"
    )
    assert json.loads("".join(json_statistics(report))) == {
        "version": 1,
        "statistics": [
            {"rule": "AG105", "name": "value-round-trip", "count": 3, "fixable": 1},
            {"rule": "syntax-error", "name": "syntax-error", "count": 1, "fixable": 0},
        ],
        "errors": [],
        "summary": {"files": 2, "findings": 4, "fixed": 0},
    }
    assert "".join(render_statistics(Report(1), PLAIN)) == ""


def test_small_words() -> None:
    assert place("a b.py", Position(1, 2)) == "a b.py:1:2"
    assert place("a.ipynb", Position(1, 2, 3)) == "a.ipynb:cell 3:1:2"
    assert [plural(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_no_renderer_hides_a_module_of_the_standard_library() -> None:
    import sys

    home = Path(__file__).parent.parent / "autofix" / "report"
    assert not {path.stem for path in home.glob("*.py")} & sys.stdlib_module_names
