"""Python files: bytes to text, text to places, edited text to bytes."""

from __future__ import annotations

import ast
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.document import DocumentError, load
from autofix.model import Edit, Position
from autofix.source import Source, lines, with_newline

BOM = b"\xef\xbb\xbf"


def edit_first(data: bytes, old: str, new: str) -> bytes:
    document = load(data, "a.py")
    start = document.source.text.index(old)
    return document.apply([Edit(start, start + len(old), new)])


# Each of these parses, and none may lose a byte.
KEPT = {
    "empty": b"",
    "only a mark": BOM,
    "no final newline": b"x = 1",
    "crlf": b"x = 1\r\ny = 2\r\n",
    "mixed newlines": b"x = 1\r\ny = 2\nz = 3\rw = 4\r\n",
    "lone cr": b"x = 1\ry = 2\r",
    "form feed": b"\x0cx = 1\n\x0c\ndef f(): pass\n\x0c",
    "form feed in a string": b"s = 'a\x0cb'\n",
    "u2028 in a string": "s = 'a\u2028b\x85c\x1cd'\nt = 1\n".encode(),
    "cr in a string": b"s = '''a\rb\r\nc\n'''\n",
    "mark and crlf": BOM + "s = 'é'\r\n".encode(),
    "latin-1": b"# -*- coding: latin-1 -*-\ns = '\xe9'\n",
    "latin-1 beside its cookie": b"# \xe9 coding: latin-1\ns = '\xe9'\n",
    "cookie in line two": b"#!/usr/bin/env python\r# vim: set fileencoding=cp1252 :\rs = '\x80'\r",
    "cookie after a form feed": b"\x0c\n# coding: koi8-r\ns = '\xc1'\n",
    "emacs suffix": "# coding: utf-8-unix\ns = 'é'\n".encode(),
    "shift-jis": "# coding: shift_jis\ns = 'あいう'\n".encode("shift_jis"),
    "stateful encoding": "# coding: iso-2022-jp\ns = 'あ' 'い'\n".encode("iso-2022-jp"),
    "tabs": b"if x:\n\ty = 1\n",
    "backslash newline": b"x = 1 + \\\r\n    2\r\n",
    "control z": b"x = 1  # \x1a\n",
    "beyond the first plane": "s = '😀' + 'é'\n".encode(),
}


@pytest.mark.parametrize("data", KEPT.values(), ids=KEPT.keys())
def test_nothing_changes_without_edits(data: bytes) -> None:
    document = load(data, "a.py")
    assert document.apply([]) == data
    assert document.syntax_error() is None


@pytest.mark.parametrize("data", KEPT.values(), ids=KEPT.keys())
def test_places_of_every_name_agree_with_ast(data: bytes) -> None:
    source = load(data, "a.py").source
    for node in ast.walk(source.parse()):
        if isinstance(node, ast.Name):
            assert source.segment(node) == node.id


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x = '\xe9'", "not utf-8: byte 0xe9 at offset 5 cannot be decoded"),
        (BOM + b"x = '\xe9'", "not utf-8: byte 0xe9 at offset 8 cannot be decoded"),
        (b"x\0", "binary file (NUL byte at offset 1)"),
        (b"\x7fELF\x02\x01\x01\0\0", "binary file (NUL byte at offset 7)"),
        ("x = 1".encode("utf-16"), "encoded in UTF-16, which Python cannot read"),
        (b"# coding: foo\n", "unknown encoding `foo`"),
        (b"# coding: rot13\n", "`rot-13` is not an encoding of text"),
        (b"# coding: utf-7\n+AGE-", "does not survive decoding and encoding as utf-7"),
        (
            BOM + b"# coding: cp1252\n",
            "declares the encoding `cp1252` but starts with a UTF-8 mark",
        ),
        (b"# coding: ascii\n\xff", "not ascii: byte 0xff at offset 16 cannot be decoded"),
    ],
)
def test_says_in_one_line_why_a_file_cannot_be_read(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load(data, "a.py")
    assert str(caught.value) == message


def test_a_cookie_in_a_string_or_in_line_three_declares_nothing() -> None:
    assert load(b"x = 1\n# coding: latin-1\n", "a.py").encoding == "utf-8"
    assert load(b"#\n#\n# coding: latin-1\n", "a.py").encoding == "utf-8"
    assert load(b"s = '# coding: latin-1'\n", "a.py").encoding == "utf-8"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a = 1\r\nb = 2\r\n", b"a = 1\r\nnew\r\nb = 2\r\n"),
        (b"a = 1\nb = 2", b"a = 1\nnew\nb = 2"),
        (b"a = 1\rb = 2\r", b"a = 1\rnew\rb = 2\r"),
        (b"a = 1\nb = 2\r\n", b"a = 1\nnew\r\nb = 2\r\n"),
        (b"a = 1\r\nb = 2", b"a = 1\r\nnew\r\nb = 2"),
    ],
)
def test_inserted_lines_end_as_their_neighbours_do(data: bytes, expected: bytes) -> None:
    document = load(data, "a.py")
    start = document.source.text.index("b = 2")
    assert document.apply([Edit(start, start, "new\n")]) == expected


def test_newlines_that_were_copied_are_left_alone() -> None:
    assert with_newline("a\r\nb\nc\r", "\r\n") == "a\r\nb\r\nc\r"
    assert load(b"x\r\ny", "a.py").apply([Edit(0, 1, "p\r\nq\n")]) == b"p\r\nq\r\n\r\ny"


def test_a_file_of_one_line_gets_plain_newlines() -> None:
    assert load(b"x", "a.py").apply([Edit(1, 1, "\ny")]) == b"x\ny"
    assert load(b"", "a.py").apply([Edit(0, 0, "y\n")]) == b"y\n"


def test_a_character_that_the_encoding_lacks() -> None:
    document = load(b"# coding: latin-1\nx = 1\n", "a.py")
    edit = Edit(22, 23, "'\N{GREEK SMALL LETTER ALPHA}'")
    assert not document.allows([edit])
    with pytest.raises(DocumentError, match=r"'\\u03b1' cannot be written in latin-1"):
        document.apply([edit])
    assert document.apply([Edit(22, 23, "'é'")]) == b"# coding: latin-1\nx = '\xe9'\n"


def test_an_edit_may_not_move_the_cookie_out_of_sight() -> None:
    document = load(b"#!python\n# coding: latin-1\ns = '\xe9'\n", "a.py")
    with pytest.raises(DocumentError):
        document.apply([Edit(0, 0, "#\n")])


def test_edits_outside_the_text_are_refused() -> None:
    document = load(b"x", "a.py")
    assert document.allows([Edit(0, 1, "y"), Edit(1, 1, "z")])
    assert not document.allows([Edit(0, 2, "y")])
    assert not document.allows([Edit(1, 0, "y")])


def test_positions_count_characters() -> None:
    document = load("é = '\U0001f600'\r\n\tb\x0c\u2028\r".encode(), "a.py")
    text = document.source.text
    assert document.position(0) == Position(1, 1)
    assert document.position(text.index("'")) == Position(1, 5)
    assert document.position(text.index("b")) == Position(2, 2)
    assert document.position(text.index("\u2028")) == Position(2, 4)
    assert document.position(len(text)) == Position(3, 1)
    assert load(b"", "a.py").position(0) == Position(1, 1)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("é = = 1", Position(1, 5), "invalid syntax"),
        ("x\ry = = 1", Position(2, 5), "invalid syntax"),
        ("\x0cx = = 1", Position(1, 6), "invalid syntax"),
        ("a\n'''b\n", Position(2, 1), "unterminated triple-quoted string literal"),
        ("-" * 100_000 + "1", Position(1, 1), "too deeply nested"),
        ("if x:\ny", Position(2, 1), "expected an indented block"),
    ],
)
def test_syntax_errors_stand_where_cpython_puts_them(
    text: str, position: Position, message: str
) -> None:
    error = load(text.encode(), "a.py").syntax_error()
    assert error and error[0] == position and error[1].startswith(message)


def test_parsing_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    assert load(b"x = '\\d' is 1\n", "a.py").syntax_error() is None
    assert not recwarn.list


def test_documents_can_go_to_another_process() -> None:
    document = load(BOM + b"x = 1\r\n", "a.py")
    assert document.position(3)
    assert pickle.loads(pickle.dumps(document)) == document


def test_large_files_are_read_quickly() -> None:
    data = "".join(f"x_{n} = torch.tensor([{n}])  # é\r\n" for n in range(50_000)).encode()
    document = load(data, "a.py")
    offset = document.source.text.index("x_49999")
    assert document.position(offset) == Position(50_000, 1)
    assert document.apply([Edit(offset, offset + 7, "y")]) == data.replace(b"x_49999", b"y")


TEXT = st.text(st.sampled_from("ab 'é\u2028\x0c\x85😀#\n\r\t"), max_size=40)


@given(TEXT)
def test_lines_are_those_of_the_offsets(text: str) -> None:
    source = Source(text)
    parts = lines(text)
    assert "".join(parts) == text
    starts = [sum(map(len, parts[:at])) for at in range(len(parts))]
    assert source.line_starts[: len(parts)] == (starts or source.line_starts[:0])


@given(TEXT, st.data(), st.sampled_from([b"", BOM]))
def test_bytes_outside_an_edit_stay(text: str, data: st.DataObject, mark: bytes) -> None:
    document = load(mark + text.encode(), "a.py")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    new = data.draw(TEXT)
    done = document.apply([Edit(start, end, new)])
    head, tail = mark + text[:start].encode(), text[end:].encode()
    assert done.startswith(head) and done.endswith(tail)
    middle = done[len(head) : len(done) - len(tail)].decode()
    plain = str.maketrans({"\r": "\n"})
    assert middle.replace("\r\n", "\n").translate(plain) == new.replace("\r\n", "\n").translate(
        plain
    )
