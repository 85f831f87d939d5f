"""Comments that hide findings, and the ones that hide nothing."""

from __future__ import annotations

import json

import pytest

from autofix.document import load
from autofix.ignores import apply_ignores
from autofix.model import Finding
from autofix.rewrite.edits import apply_edits
from autofix.source import Source

ACTIVE = {"AG101", "tensor-from-values", "AG102", "tensor-copy"}
KNOWN = {*ACTIVE, "AG201", "AG901", "unused-ignore"}
NAMES = {"AG101": "tensor-from-values", "AG102": "tensor-copy"}


def findings(source: Source) -> list[Finding]:
    """AG101 at every `bad(...)`, AG102 at every `worse`."""
    found = []
    for rule, opening, closing in (("AG101", "bad(", ")"), ("AG102", "worse", "e")):
        start = source.text.find(opening)
        while start >= 0:
            end = source.text.index(closing, start + len(opening) - 1) + 1
            found.append(Finding(rule, NAMES[rule], "message", start, end))
            start = source.text.find(opening, end)
    return found


def hidden(text: str) -> list[str]:
    source = Source(text)
    kept, hidden, _ = apply_ignores(source, findings(source), ACTIVE, KNOWN)
    assert len(kept) + len(hidden) == len(findings(source))
    return [found.rule for found in hidden]


def unused(text: str) -> list[Finding]:
    source = Source(text)
    return list(apply_ignores(source, findings(source), ACTIVE, KNOWN)[2])


@pytest.mark.parametrize(
    "text",
    [
        "bad()  # autofix: ignore[AG101]",
        "bad()  # autofix: ignore[AG101]  the targets are constants",
        "bad()  # autofix: ignore[tensor-from-values]",
        "bad()  # autofix: ignore[AG102, AG101]",
        "bad()  # autofix:ignore[AG102,AG101]",
        "bad()  #autofix : ignore [ag101]",
        "bad()  # type: ignore  # autofix: ignore[AG101]",
        "bad()  # autofix: ignore[AG101]  # type: ignore",
        "bad()  # noqa: AG101",
        "bad()  # noqa:E501,AG101",
        "bad()  # noqa: E501 AG101",
        "bad(  # autofix: ignore[AG101]\n)",
        "bad(\n)  # autofix: ignore[AG101]",
        "x = (\n    bad()  # autofix: ignore[AG101]\n)",
        "x = (\n    # autofix: ignore[AG101]\n    bad()\n)",
        "# autofix: ignore[AG101]\nbad()",
        "# autofix: ignore[AG101]\n# more to say\nbad()",
        "# autofix: ignore[AG101]\nx = (\n    1,\n    bad(\n))",
        "if a:\n    # autofix: ignore[AG101]\n    bad()",
        "# autofix: ignore[AG101]\nfor x in bad():\n    pass",
        "# autofix: file-ignore[AG101]\nx\n\nbad()",
        "bad()\n\n\n    # autofix: file-ignore[tensor-from-values] generated\n",
        "s = '''\n'''; bad()  # autofix: ignore[AG101]",
        "s = 'é\u2028'; bad()  # autofix: ignore[AG101]",
        "\x0cbad()  # autofix: ignore[AG101]",
        "async def f():\n    await bad()  # autofix: ignore[AG101]",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_comments_that_hide(text: str, newline: str) -> None:
    assert hidden(text.replace("\n", newline)) == ["AG101"]


@pytest.mark.parametrize(
    "text",
    [
        "bad()",
        "bad()  # autofix: ignore",
        "bad()  # autofix: ignore[]",
        "bad()  # autofix: ignore AG101",
        "bad()  # autofix: ignore[AG102]",
        "bad()  # autofix: ignore[AG10]",
        "bad()  # noqa",
        "bad()  # noqa: E501",
        "# noqa: AG101\nbad()",
        "bad()  # ignore[AG101]",
        "s = '# autofix: ignore[AG101]'; bad()",
        "s = '''\n# autofix: ignore[AG101]\n'''; bad()",
        "# autofix: ignore[AG101]\n\nbad()",
        "# autofix: ignore[AG101]\nx\nbad()",
        "x  # autofix: ignore[AG101]\nbad()",
        "bad()\n# autofix: ignore[AG101]",
        "# autofix: ignore[AG101]\nif a:\n    bad()",
        "x = (\n    # autofix: ignore[AG101]\n    1,\n    bad()\n)",
    ],
)
def test_comments_that_do_not_hide(text: str) -> None:
    assert hidden(text) == []


def test_each_finding_needs_its_own_label() -> None:
    assert hidden("bad(worse)  # autofix: ignore[AG101]") == ["AG101"]
    assert hidden("bad(worse)  # autofix: ignore[AG101, tensor-copy]") == ["AG101", "AG102"]


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("x  # autofix: ignore[AG101]", "x"),
        ("x\t# autofix: ignore[AG101]  reason, see #12\ny", "x\ny"),
        ("x\n# autofix: ignore[AG101]\ny", "x\ny"),
        ("x\r\n    # autofix: ignore[AG101]\r\ny", "x\r\ny"),
        ("x\n# autofix: ignore[AG101]", "x"),
        ("# autofix: ignore[AG101]", ""),
        ("x  # a  # autofix: ignore[AG101]", "x  # a"),
        ("x  # autofix: ignore[AG101] why  # type: ignore", "x  # type: ignore"),
        ("# autofix: ignore[AG101]  # a\nx", "# a\nx"),
        ("bad()  # autofix: ignore[AG101, AG102] why", "bad()  # autofix: ignore[AG101] why"),
        ("worse  # autofix: ignore[AG101,tensor-copy]", "worse  # autofix: ignore[tensor-copy]"),
        ("x  # autofix: file-ignore[tensor-copy]\n", "x\n"),
        ("x  # autofix: ignore[AG101, AG201]", "x  # autofix: ignore[AG201]"),
    ],
)
def test_what_hides_nothing_is_reported_and_taken_away(text: str, fixed: str) -> None:
    (found,) = unused(text)
    assert (found.rule, found.name) == ("AG901", "unused-ignore")
    assert found.fix and apply_edits(text, found.fix.edits) == fixed
    assert text[found.start : found.end].startswith("# autofix")
    assert not found.message[0].isupper() and not found.message.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "bad()  # autofix: ignore[AG101]",
        "bad()  # autofix: ignore[AG101, tensor-from-values]",
        "x  # autofix: ignore[AG201]",
        "x  # noqa: AG101",
        "x  # noqa",
        "s = '# autofix: ignore[AG101]'",
        "bad()  # autofix: ignore[AG101]\n# autofix: file-ignore[AG101]",
    ],
)
def test_what_is_not_unused(text: str) -> None:
    assert unused(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x  # autofix: ignore",
            "`autofix: ignore` hides nothing unless it names rules: `ignore[AG101]`",
        ),
        (
            "# autofix: file-ignore[ ]",
            "`autofix: file-ignore` hides nothing unless it names rules: `file-ignore[AG101]`",
        ),
        (
            "x  # autofix: ignore[AG999]",
            "`autofix: ignore` of an unknown rule `AG999`",
        ),
        (
            "x  # autofix: ignore[tensor-copi]",
            "`autofix: ignore` of an unknown rule `tensor-copi`; did you mean `tensor-copy`?",
        ),
    ],
)
def test_what_can_never_hide_anything_is_reported(text: str, message: str) -> None:
    (found,) = unused(text)
    assert found.message.startswith(message)
    assert found.fix is None


def test_without_a_list_of_all_rules_none_is_unknown() -> None:
    source = Source("x  # autofix: ignore[AG999]")
    assert apply_ignores(source, [], ACTIVE) == ([], [], ())


def test_a_file_without_comments_is_not_even_read() -> None:
    # Not Python at all: the tokenizer would fail on it.
    source = Source("'''(")
    found = [Finding("AG101", "name", "message", 0, 1)]
    assert apply_ignores(source, found, ACTIVE, KNOWN) == (found, [], ())
    assert apply_ignores(Source("'''( # noqa: AG101"), found, ACTIVE, KNOWN)[0] == found


def test_the_last_line_of_a_notebook_cell() -> None:
    cells = ["x\n# autofix: ignore[AG101]", "# autofix: ignore[AG101]", "%a\ny"]
    data = json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]})
    document = load(data.encode(), "a.ipynb")
    _, _, found = apply_ignores(document.source, [], ACTIVE, KNOWN)
    edits = [edit for one in found if one.fix for edit in one.fix.edits]
    assert len(edits) == 2 and document.allows(edits)
    done = json.loads(document.apply(edits))
    assert [cell["source"] for cell in done["cells"]] == ["x", "", "%a\ny"]


def test_many_comments_are_read_quickly() -> None:
    text = "bad()  # autofix: ignore[AG101]\n" * 3_000
    source = Source(text)
    kept, gone, idle = apply_ignores(source, findings(source), ACTIVE, KNOWN)
    assert (len(kept), len(gone), len(idle)) == (0, 3_000, 0)
