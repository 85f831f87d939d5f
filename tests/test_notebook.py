"""Notebooks: cells as one module, magics hidden, edits spliced into the JSON text."""

from __future__ import annotations

import ast
import json
import pickle
from collections.abc import Sequence
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.document import Document, DocumentError, load
from autofix.model import Edit, Position

BOM = b"\xef\xbb\xbf"


def code(source: object, **more: object) -> dict[str, Any]:
    cell = {"cell_type": "code", "execution_count": 3, "id": "c0ffee", "metadata": {}}
    return {**cell, "outputs": [], "source": source, **more}


def markdown(source: object) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "ab", "metadata": {}, "source": source}


def notebook(*cells: object, **more: object) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


def read(*cells: object) -> Document:
    return load(json.dumps(notebook(*cells), indent=1).encode(), "a.ipynb")


def sources(data: bytes) -> list[str]:
    cells = json.loads(data.decode("utf-8-sig"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def replaced(data: bytes, old: str, new: str) -> bytes:
    document = load(data, "a.ipynb")
    start = document.source.text.index(old)
    edit = Edit(start, start + len(old), new)
    assert document.allows([edit])
    return document.apply([edit])


# --- cells become one module ---


def test_later_cells_see_earlier_ones_but_markdown_is_no_code() -> None:
    document = read(markdown("# x = 1"), code("import torch as T"), code(["T.ones(\n", "  2)"]))
    tree = document.source.parse()
    assert [type(node) for node in tree.body] == [ast.Import, ast.Expr]
    call = document.source.text.index("T.ones")
    assert document.position(call) == Position(1, 1, 3)
    assert document.position(document.source.text.index("2)")) == Position(2, 3, 3)
    assert document.position(document.source.text.index("import")) == Position(1, 1, 2)


def test_the_end_of_a_cell_and_the_start_of_the_next_are_two_places() -> None:
    document = read(code("a\n"), code(""), code("b"))
    places = [document.position(offset) for offset in range(len(document.source.text))]
    assert [(place.cell, place.line, place.column) for place in places] == [
        (1, 1, 1),
        (1, 1, 2),
        (1, 2, 1),
        (2, 1, 1),
        (3, 1, 1),
        (3, 1, 2),
    ]


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ("%matplotlib inline", "pass              "),
        ("!ls", "0  "),
        ("?", "0"),
        ("torch.ones?", "pass       "),
        ("?torch", "pass  "),
        ("x = !ls\ny=1", "x = ___\ny=1"),
        ("d['k'], y = %who", "d['k'], y = ____"),
        ("if a:\n    !pip install b\n    c", "if a:\n    pass          \n    c"),
        ("for i in a:\n\t%time f(i)", "for i in a:\n\tpass      "),
        ("!echo a \\\n  b\nx", "pass     \n   \nx"),
        ("pip install torch\nimport torch", "pass             \nimport torch"),
        ("%%time\nx = 1", "pass  \nx = 1"),
        ("\n%%capture out\n%%time\nx", "\npass         \npass  \nx"),
        ("x\n%%time\ny", "x\npass  \ny"),
        ("%%bash\nls", "      \n  "),
        ("%%writefile a.py\nimport torch", "                \n            "),
        ("%a\rx\r", "0 \rx\r"),
        ("%a\r\nx\r\n", "0 \r\nx\r\n"),
    ],
)
def test_magics_are_hidden_in_place(cell: str, seen: str) -> None:
    document = read(code(cell))
    assert document.source.text[: len(cell)] == seen
    assert document.unread == ()
    assert document.syntax_error() is None


@pytest.mark.parametrize(
    "cell",
    [
        "s = '''\n%d\n!x\n'''",
        "s = ('a'\n  % b)",
        "s = ('a'\n% b)\n",
        "x = 1  # why?",
        "await f()\nasync with a:\n    pass",
        "get_ipython().run_line_magic('time', '')\nget_ipython().system('ls')",
        "s = 'a\u2028\x0c%b'\n\x0cx",
        "a != b",
        "time\nls -la",
        "# %%time\nx",
    ],
)
def test_python_that_looks_like_magic_is_left_alone(cell: str) -> None:
    document = read(code(cell))
    assert document.source.text.startswith(cell)
    with_magic = read(code(cell + "\n%hidden"))
    assert with_magic.source.text.startswith(cell + "\npass")


def test_a_cell_that_is_not_python_is_blank_and_named() -> None:
    document = read(code("import torch"), code("x = 1 +\n%time y"), code("torch.ones(1)"))
    assert document.source.text == "import torch\n       \n       \ntorch.ones(1)\n"
    assert document.unread == ((Position(1, 8, 2), "invalid syntax"),)
    assert document.syntax_error() is None


def test_a_decorator_at_the_end_of_a_cell_does_not_take_the_next_one() -> None:
    document = read(code("@torch.no_grad()"), code("def f():\n    return 1"))
    (function,) = document.source.parse().body
    assert isinstance(function, ast.FunctionDef) and not function.decorator_list
    assert document.unread[0][0] == Position(1, 1, 1)


@pytest.mark.parametrize("cell", ["x = 1 \\", "'''", "def f():", "(", "else:\n    x", "\ud800"])
def test_no_cell_can_spoil_its_neighbours(cell: str) -> None:
    document = read(code("a = 1"), code(cell), code("b = 2"))
    assert [type(node) for node in document.source.parse().body] == [ast.Assign, ast.Assign]
    assert len(document.unread) == 1


def test_a_cell_that_is_indented_as_a_whole_is_read() -> None:
    document = read(code("a"), code("\n  x = 1\n  !ls\n  y = 2"))
    assert document.unread == () and document.syntax_error() is None
    start = document.source.text.index("x = 1")
    assert document.position(start) == Position(2, 3, 2)
    assert sources(document.apply([Edit(start, start + 1, "z")]))[1] == "\n  z = 1\n  !ls\n  y = 2"
    assert not document.allows([Edit(start - 4, start - 4, "z")])


@pytest.mark.parametrize(
    "metadata",
    [
        {"language_info": {"name": "R"}},
        {"kernelspec": {"name": "julia-1.9", "language": "julia"}},
    ],
)
def test_other_languages_are_not_read(metadata: dict[str, Any]) -> None:
    data = json.dumps(notebook(code("x <- 1"), metadata=metadata)).encode()
    document = load(data, "a.ipynb")
    assert document.source.text == "" and document.unread == ()
    cell = code("x <- 1", metadata={"vscode": {"languageId": "r"}})
    assert read(code("a"), cell, code("b")).source.text == "a\nb\n"


@pytest.mark.parametrize("cells", [[], [markdown("x")], [code("")], [code([])], [code("\n")]])
def test_notebooks_without_code(cells: list[object]) -> None:
    document = read(*cells)
    assert document.source.text.strip() == ""
    assert document.syntax_error() is None and document.unread == ()
    assert document.apply([]) == document.data
    assert document.position(0).line == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "broken notebook: expecting value at line 1 column 1"),
        (b'{"cells": [\n1,\n}', "broken notebook: expecting value at line 3 column 1"),
        (b'{"cells": []} x', "broken notebook: extra data at line 1 column 15"),
        (b"[" * 100_000, "broken notebook: too deeply nested"),
        (b"[]", "not a notebook: it has no list of cells"),
        (b'{"cells": {}}', "not a notebook: it has no list of cells"),
        (
            b'{"worksheets": []}',
            "not a notebook: it has no list of cells; convert it with"
            " `jupyter nbconvert --to notebook`",
        ),
        (b'{"cells": [{"cell_type": "code"}]}', "cell 1: `source` is not text"),
        (b'{"cells": [0, {"cell_type": "code", "source": [1]}]}', "cell 2: `source` is not text"),
        (b'{"cells": ["\xe9"]}', "not utf-8: byte 0xe9 at offset 12 cannot be decoded"),
        (BOM + b'"\xe9"', "not utf-8: byte 0xe9 at offset 4 cannot be decoded"),
    ],
)
def test_says_in_one_line_why_a_notebook_cannot_be_read(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load(data, "a.ipynb")
    assert str(caught.value) == message


# --- what may be edited ---


def test_edits_keep_to_one_cell_and_off_the_magics() -> None:
    document = read(code("a = 1\n%magic\nb = 2"), code("c = 3"))
    text = document.source.text
    magic, c = text.index("pass"), text.index("c = 3")
    assert document.allows([Edit(0, 5, "x"), Edit(c, c + 1, "x")])
    assert document.allows([Edit(magic, magic, "import x\n")])
    assert not document.allows([Edit(magic, magic, "x")])
    assert not document.allows([Edit(magic, magic + 4, "x")])
    assert not document.allows([Edit(magic + 6, magic + 6, "x")])
    assert not document.allows([Edit(0, len(text), "x")])
    assert not document.allows([Edit(c - 2, c, "x")])
    assert not document.allows([Edit(c + 5, c + 6, "x")])
    assert not document.allows([Edit(0, 1, "x"), Edit(magic, magic + 1, "x")])
    with pytest.raises(DocumentError):
        document.apply([Edit(0, len(text), "x")])


def test_nothing_goes_above_a_cell_magic() -> None:
    document = read(code("\n%%time\nx = 1"))
    start = document.source.text.index("x = 1")
    assert not document.allows([Edit(0, 0, "import torch\n")])
    assert not document.allows([Edit(1, 1, "import torch\n")])
    assert document.allows([Edit(start, start, "import torch\n")])
    done = document.apply([Edit(start, start, "import torch\n")])
    assert sources(done) == ["\n%%time\nimport torch\nx = 1"]


def test_blank_cells_are_closed() -> None:
    document = read(code("%%bash\nls"), code("x"))
    for offset in range(10):
        assert not document.allows([Edit(offset, offset, "x\n")])
    empty = load(json.dumps(notebook()).encode(), "a.ipynb")
    assert not empty.allows([Edit(0, 0, "x\n")])


# --- splicing ---

OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["é\u2028</b>\n", "\x1b[0m"]}
CANONICAL = notebook(
    markdown(["# Tîtle\n", "a/b"]),
    code(["import torch\n", "x = 'é'\n", "y = x.data\n", "z"], outputs=[OUTPUT]),
    code("one = y.data\nline"),
    code(["y.data"]),
)


def dump(value: object = CANONICAL, **style: Any) -> str:
    return json.dumps(value, **style)


STYLES = {
    "jupyter": dump(indent=1, ensure_ascii=False) + "\n",
    "sorted": dump(indent=1, sort_keys=True),
    "ascii": dump(indent=1, ensure_ascii=True),
    "indent 4": dump(indent=4, ensure_ascii=False),
    "tabs": dump(indent="\t"),
    "one line": dump(ensure_ascii=False),
    "no spaces": dump(separators=(",", ":")),
    "crlf": dump(indent=2, ensure_ascii=False).replace("\n", "\r\n"),
    "mark": "\ufeff" + dump(indent=1, ensure_ascii=False),
    "big hex": dump(indent=1).replace("\\u00e9", "\\u00E9"),
    "html escapes": dump(indent=1).replace("'", "\\u0027").replace("/", "\\/"),
    "nan": dump({**CANONICAL, "a": float("nan"), "b": -float("inf")}, indent=1),
    "no ids": dump(indent=1).replace('"id": "c0ffee",', ""),
    "spaced": dump(indent=1).replace(":", "  :\n ").replace(",", " ,\t"),
}


@pytest.mark.parametrize("text", STYLES.values(), ids=STYLES.keys())
def test_only_the_edited_characters_change(text: str) -> None:
    data = text.encode()
    assert load(data, "a.ipynb").apply([]) == data
    assert replaced(data, "x.data", "x.detach()") == data.replace(b"x.data", b"x.detach()")
    assert replaced(data, "one = y.data", "one = y") == data.replace(b"one = y.data", b"one = y")


@pytest.mark.parametrize("text", STYLES.values(), ids=STYLES.keys())
def test_lines_come_and_go_in_the_style_of_the_file(text: str) -> None:
    data = text.encode()
    added = replaced(data, "y = x.data\n", "y = 'é'\nw = 1\n")
    assert sources(added)[0] == "import torch\nx = 'é'\ny = 'é'\nw = 1\nz"
    assert json.loads(added.decode("utf-8-sig"))["cells"][1]["source"][3] == "w = 1\n"
    assert replaced(added, "y = 'é'\nw = 1\n", "y = x.data\n") == data
    dropped = replaced(data, "y = x.data\n", "")
    assert sources(dropped)[0] == "import torch\nx = 'é'\nz"
    assert replaced(dropped, "z", "y = x.data\nz") == data
    assert added.count(b"\r\n") - data.count(b"\r\n") == (b"\r\n" in data)


def test_how_a_character_is_written_follows_the_file() -> None:
    assert b"'\\u00E9'" in replaced(STYLES["big hex"].encode(), "y = x.data", "y = 'é'")
    assert b"'\\u00e9'" in replaced(STYLES["ascii"].encode(), "y = x.data", "y = 'é'")
    assert "y = 'é😀'".encode() in replaced(STYLES["jupyter"].encode(), "y = x.data", "y = 'é😀'")
    assert b"y = \\u0027" in replaced(STYLES["html escapes"].encode(), "y = x.data", "y = 'a'")
    pair = dump(notebook(code("s = '\U0001f600'; x.data"))).encode()
    assert replaced(pair, "x.data", "x") == pair.replace(b"x.data", b"x")


def test_the_first_and_the_last_line_of_a_list() -> None:
    data = STYLES["jupyter"].encode()
    top = replaced(data, "import torch\n", "")
    assert sources(top)[0] == "x = 'é'\ny = x.data\nz"
    assert b'"source": [\n    "x =' in top
    end = replaced(data, "\nz", "")
    assert sources(end)[0] == "import torch\nx = 'é'\ny = x.data"
    longer = replaced(data, "\nz", "\nz\nlast\n")
    assert json.loads(longer)["cells"][1]["source"][-2:] == ["z\n", "last\n"]
    assert replaced(longer, "\nz\nlast\n", "\nz") == data
    joined = replaced(data, "'é'\ny", "'é'; y")
    assert json.loads(joined)["cells"][1]["source"][1:] == ["x = 'é'; y = x.data\n", "z"]


def test_cells_of_one_line_and_of_none() -> None:
    data = dump(notebook(code(["x.data"]), code([]), code("")), indent=1).encode()
    assert json.loads(replaced(data, "x.data", ""))["cells"][0]["source"] == []
    two = replaced(data, "x.data", "y\nx")
    assert b'"source": [\n    "y\\n",\n    "x"\n   ]' in two
    document = load(data, "a.ipynb")
    edits = [Edit(7, 7, "a\nb"), Edit(8, 8, "c\n")]
    cells = json.loads(document.apply(edits))["cells"]
    assert [cell["source"] for cell in cells] == [["x.data"], ["a\n", "b"], "c\n"]


def test_items_that_are_not_lines_stay_as_they_are() -> None:
    data = dump(notebook(code(["a\nb", ".data\nc", "\n", "", "d"])), indent=1).encode()
    done = replaced(data, "b.data", "b")
    assert sources(done) == ["a\nb\nc\nd"]
    assert replaced(data, "d", "e").count(b"\n") == data.count(b"\n")
    assert json.loads(replaced(data, "a\n", "e\n"))["cells"][0]["source"][0] == "e\nb"


def test_several_edits_at_once() -> None:
    document = load(STYLES["jupyter"].encode(), "a.ipynb")
    text = document.source.text
    data = [at for at in range(len(text)) if text.startswith(".data", at)]
    edits = [Edit(at, at + 5, "") for at in data]
    edits += [Edit(0, 0, "import math\n"), Edit(data[0] - 1, data[0], "q\n")]
    done = document.apply(edits)
    assert sources(done) == [
        "import math\nimport torch\nx = 'é'\ny = q\n\nz",
        "one = y\nline",
        "y",
    ]


def test_nbformat_accepts_what_is_written() -> None:
    before = nbformat.v4.new_notebook()
    before.cells = [
        nbformat.v4.new_markdown_cell("# a"),
        nbformat.v4.new_code_cell("import torch\nx.data\n%time y", execution_count=4),
    ]
    data = nbformat.writes(before).encode()
    done = replaced(data, "x.data", "x\nw = 'é'")
    after = nbformat.reads(done.decode(), as_version=4)
    nbformat.validate(after)
    assert after.cells[1].source == "import torch\nx\nw = 'é'\n%time y"
    assert nbformat.writes(after).encode() == done


def test_one_long_line_of_json() -> None:
    cells = [code(f"x_{n} = torch.tensor([{n}])\n" * 20) for n in range(500)]
    data = dump(notebook(*cells)).encode()
    done = replaced(data, "x_499 = torch.tensor([499])\nx_499", "y")
    assert len(done) == len(data) - len("x_499 = torch.tensor([499])\\nx_499") + 1


def test_many_cells_and_edits_are_quick() -> None:
    cell = code(["x.data\n", "%time y\n"], outputs=[{**OUTPUT, "text": ["line\n"] * 100}])
    data = dump(notebook(*[cell] * 2_000), indent=1).encode()
    document = load(data, "a.ipynb")
    assert document.notebook
    edits = [Edit(cell.start + 1, cell.start + 6, "") for cell in document.notebook.cells]
    assert document.allows(edits)
    assert document.apply(edits) == data.replace(b"x.data", b"x")


def test_notebooks_can_go_to_another_process() -> None:
    document = load(STYLES["mark"].encode(), "a.ipynb")
    assert document.position(3) == Position(1, 4, 2)
    assert pickle.loads(pickle.dumps(document)) == document


# --- properties ---

LINE = st.text(st.sampled_from("ab =1'é/\\\t\u2028\x0c😀#\""), max_size=6)
SOURCE = st.lists(LINE, max_size=5).map("\n".join)
JSON_STYLE = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 1, 4, "\t"]), "ensure_ascii": st.booleans()}
)


def as_json(source: str, kind: int) -> object:
    parts: Sequence[str] = source.splitlines(keepends=True) if kind == 1 else source.split("\n")
    if kind == 0:
        return source
    if kind == 1:
        return source.replace("\n", "\n\0").split("\0") if source else []
    return [part + "\n" * (at < len(parts) - 1) for at, part in enumerate(parts)]


@given(st.lists(st.tuples(SOURCE, st.integers(0, 2)), max_size=4), JSON_STYLE, st.data())
def test_an_edit_changes_its_cell_and_nothing_else(
    cells: list[tuple[str, int]], style: dict[str, Any], draw: st.DataObject
) -> None:
    values = [code(as_json(source, kind)) for source, kind in cells]
    data = json.dumps(notebook(markdown("é"), *values), **style).encode()
    document = load(data, "a.ipynb")
    size = len(document.source.text)
    start = draw.draw(st.integers(0, size))
    end = draw.draw(st.integers(start, min(size, start + 8)))
    edit = Edit(start, end, draw.draw(SOURCE))
    if not document.allows([edit]):
        return
    assert document.notebook
    cell = document.notebook.cell_at(start)
    assert cell
    done = document.apply([edit])
    old, new = json.loads(data), json.loads(done)
    was = "".join(old["cells"][cell.number - 1]["source"])
    expected = was[: start - cell.start] + edit.text + was[end - cell.start :]
    assert "".join(new["cells"][cell.number - 1]["source"]) == expected
    old["cells"][cell.number - 1]["source"] = new["cells"][cell.number - 1]["source"]
    assert old == new
    raw = data.decode()
    assert done.decode().startswith(raw[: cell.value[0]])
    assert done.decode().endswith(raw[cell.value[1] :])
