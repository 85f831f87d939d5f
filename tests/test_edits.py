"""Edits: applied, made small, selected, and repeated until nothing is left."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.document import Document, load
from autofix.model import Applicability, Edit, Finding, Fix
from autofix.rewrite.edits import apply_edits, merged, minimal, select
from autofix.rewrite.fixpoint import Repaired, RepairError, repair
from autofix.rewrite.lines import changes


def finding(*edits: Edit, rule: str = "AG101", start: int | None = None, end: int = 0) -> Finding:
    first = min((edit.start for edit in edits), default=0) if start is None else start
    fix = Fix(Applicability.SAFE, edits) if edits else None
    return Finding(rule, "name", "message", first, max(end, first), fix)


def always(_: Finding) -> bool:
    return True


# --- apply ---


def test_edits_are_made_in_place_order() -> None:
    assert apply_edits("abc", [Edit(2, 3, "C"), Edit(0, 1, "A"), Edit(3, 3, "!")]) == "AbC!"
    assert apply_edits("abc", [Edit(1, 1, "x"), Edit(1, 1, "y"), Edit(1, 2, "")]) == "axyc"
    assert apply_edits("", []) == ""


@pytest.mark.parametrize("edits", [[Edit(0, 2, ""), Edit(1, 3, "")], [Edit(0, 9, "")]])
def test_edits_that_overlap_are_an_error(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlaps another or leaves the text"):
        apply_edits("abc", edits)


# --- minimal ---


@pytest.mark.parametrize(
    ("old", "new", "edits"),
    [
        ("a.data", "a.data", ()),
        ("a.data", "a", (Edit(1, 6, ""),)),
        ("a.data", "a.detach()", (Edit(2, 6, "detach()"),)),
        ("torch.tensor([a])", "torch.stack([a])", (Edit(6, 12, "stack"),)),
        ("f(a)", "f(f(a))", (Edit(2, 3, "f(a)"),)),
        ("", "x", (Edit(0, 0, "x"),)),
        ("x", "", (Edit(0, 1, ""),)),
        ("a\n# c\nb\n", "a2\n# c\nb2\n", (Edit(0, 1, "a2"), Edit(6, 7, "b2"))),
        ("a\nb\n", "a\nnew\nb\n", (Edit(2, 2, "new\n"),)),
        ("a\r\nb\r\n", "a\nb2\n", (Edit(3, 4, "b2"),)),
        ("a\r\nb\r\n", "a\r\n", (Edit(3, 6, ""),)),
        ("aa\rb", "ab\rb", (Edit(0, 2, "ab"),)),
    ],
)
def test_what_stays_is_left_out(old: str, new: str, edits: tuple[Edit, ...]) -> None:
    found = minimal(old, 0, len(old), new)
    assert found == edits
    assert plain(apply_edits(old, found)) == plain(new)


def test_minimal_counts_from_the_start_of_the_text() -> None:
    assert minimal("x = a.data + 1", 4, 10, "a") == (Edit(5, 10, ""),)
    assert minimal("x\r\ny = 1\r\nz", 3, 8, "y = 1\nw = 2") == (Edit(8, 8, "\r\nw = 2"),)


def test_minimal_of_much_text_is_quick() -> None:
    old = "".join(f"{n}\n" for n in range(5_000))
    new = "".join(f"{n} \n" for n in range(5_000))
    assert apply_edits(old, minimal(old, 0, len(old), new)) == new


TEXT = st.text(st.sampled_from("ab .é\n\r"), max_size=20)


def plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(TEXT, TEXT, TEXT, TEXT)
def test_minimal_edits_give_the_new_text(head: str, old: str, tail: str, new: str) -> None:
    text = head + old + tail
    found = minimal(text, len(head), len(head) + len(old), new)
    done = apply_edits(text, found)
    assert done.startswith(head) and done.endswith(tail)
    middle = done[len(head) : len(done) - len(tail)]
    assert plain(middle) == plain(new)
    assert all(len(head) <= edit.start <= edit.end <= len(head) + len(old) for edit in found)


# --- changed lines ---

LINES = st.lists(st.sampled_from("abcdefgh"), max_size=14)


@given(LINES, LINES)
def test_changed_lines_lead_from_one_text_to_the_other(old: list[str], new: list[str]) -> None:
    at_old = at_new = 0
    for a, b, c, d in [*changes(old, new), (len(old), len(old), len(new), len(new))]:
        assert old[at_old:a] == new[at_new:c]
        assert a < b or c < d or a == len(old)
        at_old, at_new = b, d


@pytest.mark.parametrize(
    ("old", "new", "blocks"),
    [
        ("", "", []),
        ("abc", "abc", []),
        ("abc", "axc", [(1, 2, 1, 2)]),
        ("abc", "ac", [(1, 2, 1, 1)]),
        ("ac", "abc", [(1, 1, 1, 2)]),
        ("aaaa", "aaba", [(2, 3, 2, 3)]),
        ("xaxbx", "xaxyx", [(3, 4, 3, 4)]),
    ],
)
def test_changed_lines(old: str, new: str, blocks: list[object]) -> None:
    assert list(changes(list(old), list(new))) == blocks


@pytest.mark.parametrize("line", ["    return a.data\n", "{0} = a.data\n\n    pass\n"])
def test_changed_lines_of_a_large_file_are_few(line: str) -> None:
    old = "".join(line.format(n) for n in range(17_000)).splitlines(keepends=True)
    new = [text.replace(".data", "") if at % 30 == 0 else text for at, text in enumerate(old)]
    found = list(changes(old, new))
    assert len(found) == sum(a != b for a, b in zip(old, new, strict=True))
    assert all(b - a == d - c == 1 for a, b, c, d in found)


# --- select ---

IMPORT = Edit(0, 0, "import torch\n")
OTHER_IMPORT = Edit(0, 0, "import math\n")


@pytest.mark.parametrize(
    ("a", "b", "together"),
    [
        ([Edit(0, 2, "x")], [Edit(2, 4, "y")], True),
        ([Edit(0, 3, "x")], [Edit(2, 4, "y")], False),
        ([Edit(0, 9, "x")], [Edit(2, 4, "y")], False),
        ([Edit(2, 4, "x")], [Edit(2, 4, "y")], False),
        ([Edit(2, 4, "x")], [Edit(2, 4, "x")], True),
        ([IMPORT, Edit(5, 6, "x")], [IMPORT, Edit(8, 9, "x")], True),
        ([IMPORT, Edit(5, 6, "x")], [OTHER_IMPORT, Edit(8, 9, "x")], True),
        ([IMPORT], [Edit(0, 3, "x")], True),
        ([IMPORT, Edit(5, 6, "x")], [IMPORT, Edit(5, 7, "x")], False),
        ([Edit(3, 3, "(")], [Edit(3, 3, "[")], False),
        ([Edit(3, 3, ")")], [Edit(3, 3, ")")], False),
        ([Edit(3, 3, "(")], [Edit(3, 5, "x")], False),
        ([Edit(5, 5, ")")], [Edit(3, 5, "x")], False),
        ([Edit(4, 4, "\nx\n")], [Edit(3, 5, "x")], False),
        ([Edit(5, 5, "x\n")], [Edit(3, 5, "")], False),
    ],
)
def test_fixes_get_along_or_wait(a: list[Edit], b: list[Edit], together: bool) -> None:
    both = [finding(*a, start=1), finding(*b, start=2, rule="AG202")]
    assert select(both, always) == (both if together else both[:1])
    assert select(both[::-1], always) == (both if together else both[:1])


def test_a_fix_is_made_whole_or_not_at_all() -> None:
    a = finding(Edit(0, 2, "x"))
    b = finding(Edit(1, 2, "y"), Edit(8, 9, "y"), start=1)
    c = finding(Edit(8, 9, "z"), start=8)
    assert select([a, b, c], always) == [a, c]


def test_only_allowed_fixes_take_a_place() -> None:
    a, b = finding(Edit(0, 5, "x")), finding(Edit(2, 3, "y"), rule="AG202")
    assert select([a, b], lambda found: found.rule == "AG202") == [b]
    assert select([finding()], always) == []
    assert select([finding(Edit(0, 5, "x"), Edit(2, 3, "y"))], always) == []


def test_the_same_import_is_inserted_once() -> None:
    both = [finding(IMPORT, Edit(5, 6, "x")), finding(IMPORT, OTHER_IMPORT, Edit(8, 9, "x"))]
    assert merged(both) == (IMPORT, OTHER_IMPORT, Edit(5, 6, "x"), Edit(8, 9, "x"))


# --- fixpoint ---

Find = Callable[[Document], list[Finding]]


def replacing(pattern: str, new: str, rule: str = "AG101") -> Find:
    """Find matches of a regular expression, each with the fix to write `new`."""

    def find(document: Document) -> list[Finding]:
        return [
            finding(Edit(*match.span(), match.expand(new)), rule=rule, end=match.end())
            for match in re.finditer(pattern, document.source.text)
        ]

    return find


def fixed(text: str, *finds: Find, path: str = "a.py", rounds: int = 10) -> Repaired:
    def find(document: Document) -> list[Finding]:
        return [found for one in finds for found in one(document)]

    return repair(load(text.encode(), path), find, always, rounds)


def test_nothing_to_do() -> None:
    done = fixed("x = 1\n")
    assert done.before == done.after == b"x = 1\n"
    assert done.applied == () and done.remaining == ()


def test_nested_fixes_take_several_rounds() -> None:
    done = fixed("a.data.data\r\nb.data", replacing(r"(\w+)\.data", r"\1"))
    assert (done.before, done.after) == (b"a.data.data\r\nb.data", b"a\r\nb")
    assert [document.data for _, document in done.applied] == [done.before] * 2 + [b"a.data\r\nb"]
    for found, document in done.applied:
        assert document.source.text[found.start : found.end].endswith(".data")


def test_fixes_in_each_others_way_are_all_made() -> None:
    done = fixed("f(g(x))", replacing(r"f\((.*)\)", r"\1"), replacing(r"g\((.*?)\)", r"\1", "AG2"))
    assert done.after == b"x"
    assert [found.rule for found, _ in done.applied] == ["AG101", "AG2"]


def test_what_is_not_allowed_remains() -> None:
    document = load(b"a.data\nb.item\n", "a.py")

    def find(state: Document) -> list[Finding]:
        item = replacing(r"\.item", "", "AG105")(state)
        return [*replacing(r"\.data", "")(state), *item]

    done = repair(document, find, lambda found: found.rule == "AG101")
    assert done.after == b"a\nb.item\n"
    (left,) = done.remaining
    assert done.document.source.text[left.start : left.end] == ".item"


def test_a_fix_that_changes_nothing_is_not_made() -> None:
    done = fixed("x = 1\n", replacing("1", "1"))
    assert done.applied == () and len(done.remaining) == 1


def test_a_result_that_does_not_parse_names_the_rule() -> None:
    good, bad = replacing(r"\.data", ""), replacing(r"item", "(", "AG105")
    with pytest.raises(RepairError, match=r"^AG105: the fixed file does not parse: .* \(line 2\)$"):
        fixed("a.data\nb.item\n", good, bad)


def test_a_result_with_a_name_that_nothing_binds_names_the_rule() -> None:
    text, item = "from torch import Tensor\n{}\n", replacing("item", "torch.sum", "AG105")
    with pytest.raises(RepairError, match=r"^AG105: the fixed file uses `torch`, which nothing"):
        fixed(text.format("a = item"), item)
    for bound in ("torch = item", "import torch\nitem", "from a import *\nitem", "item, torch"):
        assert "torch.sum" in fixed(text.format(bound), item).after.decode()


def test_fixes_without_end_name_the_rule() -> None:
    with pytest.raises(RepairError, match=r"^AG101: still something to fix after 10 rounds$"):
        fixed("x", replacing("x$", "x.x"))
    with pytest.raises(RepairError, match=r"^AG2: the fixes undo each other$"):
        fixed("a.x", replacing("x", "y"), replacing("y", "x", "AG2"))


def test_the_last_round_may_be_the_one_that_ends_it() -> None:
    assert fixed("a" + ".data" * 10, replacing(r"^(\w+)\.data", r"\1")).after == b"a"
    with pytest.raises(RepairError):
        fixed("a" + ".data" * 11, replacing(r"^(\w+)\.data", r"\1"))


def test_a_notebook_cell_that_breaks_is_an_error() -> None:
    cells = '{"cells": [{"cell_type": "code", "source": ["a.item\\n"]}]}'
    done = fixed(cells, replacing(r"\.item", ""), path="a.ipynb")
    assert done.after.decode() == cells.replace(".item", "")
    with pytest.raises(RepairError, match=r"^AG101: .* \(cell 1 line 1\)$"):
        fixed(cells, replacing("item", "("), path="a.ipynb")


def test_what_a_document_does_not_allow_remains() -> None:
    done = fixed("# coding: latin-1\nx = 1\n", replacing("1$", "'\u03b1'"))
    assert done.applied == () and len(done.remaining) == 1


def test_errors_of_the_finder_get_through() -> None:
    def find(document: Document) -> list[Finding]:
        document.source.parse()
        return []

    with pytest.raises(SyntaxError):
        repair(load(b"x = (", "a.py"), find, always)


def test_many_fixes_are_made_quickly() -> None:
    lines = "".join(f"x_{n} = f(a.data.data, 1)\n" for n in range(5_000))
    done = fixed(lines, replacing(r"(\w+)\.data", r"\1"))
    assert done.after.decode() == lines.replace(".data", "")
    assert len(done.applied) == 10_000


EDIT = st.builds(
    lambda start, size, text: Edit(start, start + size, text),
    st.integers(0, 12),
    st.sampled_from([0, 0, 1, 3]),
    st.sampled_from(["", "a", "b\n", "c\n"]),
)


@given(st.lists(st.lists(EDIT, min_size=1, max_size=3), max_size=6))
def test_selected_fixes_never_overlap(fixes: list[list[Edit]]) -> None:
    text = "0123456789abcdef"
    chosen = select([finding(*edits, start=at) for at, edits in enumerate(fixes)], always)
    edits = merged(chosen)
    done = apply_edits(text, edits)
    assert len(done) == len(text) + sum(e.start - e.end + len(e.text) for e in edits)
    if fixes and apply_alone(text, fixes[0]) is not None:
        assert chosen and chosen[0].fix and list(chosen[0].fix.edits) == fixes[0]


def apply_alone(text: str, edits: list[Edit]) -> str | None:
    try:
        return apply_edits(text, edits)
    except ValueError:
        return None
