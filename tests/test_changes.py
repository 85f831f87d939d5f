from __future__ import annotations

import textwrap

import pytest

from autofix.verify.changes import Change, changes
from autofix.verify.names import unbound
from autofix.verify.pair import Version, pair


def between(before: str, after: str) -> list[Change]:
    return list(changes(textwrap.dedent(before), textwrap.dedent(after)))


def spans(before: str, after: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    return [(change.before, change.after) for change in between(before, after)]


BASE = """\
import torch

def f(x):
    y = torch.tensor([x])
    for i in range(3):
        y = y + 1
        y = y * 2
    return y

class Net(Base):
    size = 3

    @torch.no_grad()
    def forward(self, x):
        h = self.a(x)
        return h
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("y = y + 1\n", "y = (y + 1)  # one more\n"),
        ("y = torch.tensor([x])", "y = torch.tensor(\n        [\n            x\n        ]\n    )"),
        ("def f(x):\n", 'def f(x):\n    """What it does."""\n'),
        ("import torch\n", '"""A module."""\n\nimport torch\n'),
        ("    size = 3\n", '    """A net."""\n    size = 3\n'),
        ("        y = y + 1\n        y = y * 2\n", "        y = y + 1; y = y * 2\n"),
        ("    return y\n", "    pass\n    return y\n"),
        ("import torch\n", "import torch\r\n"),
        ("import torch\n", "import torch\n\x0c\n"),
    ],
)
def test_layout_comments_and_docstrings_do_not_count(old: str, new: str) -> None:
    assert old in BASE
    assert changes(BASE, BASE.replace(old, new)) == ()
    assert changes(BASE.replace(old, new), BASE) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = u'a'\n", "x = 'a'\n"),
        ("x = 'a' 'b'\n", "x = 'ab'\n"),
        ("x = 0xFF\n", "x = 255\n"),
        ("del (a, b)\n", "del a, b\n"),
        ("for i in (1, 2):\n  f()\n", "for i in 1, 2: f()\n"),
        ("if a:\n  f()\nelse:\n  if b:\n    g()\n", "if a:\n  f()\nelif b:\n  g()\n"),
        ("x = not(a)\n", "x = not a\n"),
        ("def f(): 'a'\n", "def f(): pass\n"),
    ],
)
def test_two_ways_to_write_the_same(before: str, after: str) -> None:
    assert changes(before, after) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "x = 1.0\n"),
        ("x = 1\n", "x = True\n"),
        ("x = 'a'\n", "x = b'a'\n"),
        ("x = y\n", "x = z\n"),
        ("x = y\n", "z = y\n"),
        ("x: int = 1\n", "x = 1\n"),
        ("x += 1\n", "x = x + 1\n"),
        ("f(a, b)\n", "f(b, a)\n"),
        ("x = a.b\n", "x = a.c\n"),
        ("f(*a)\n", "f(**a)\n"),
        ("x = a - (b - c)\n", "x = a - b - c\n"),
        ("def f(x): return x\n", "def f(x=1): return x\n"),
        ("def f(x): return x\n", "async def f(x): return x\n"),
        ("f()\ng()\n", "g()\nf()\n"),
        ("def f(): 'a'; 'b'\n", "def f(): return 'b'\n"),
    ],
)
def test_what_is_not_the_same_is_a_change(before: str, after: str) -> None:
    assert len(changes(before, after)) >= 1


def test_a_changed_statement_in_a_loop_is_not_the_loop() -> None:
    after = BASE.replace("y = y * 2", "y = y * 3")
    assert changes(BASE, after) == (Change((7, 7), (7, 7), "f"),)


def test_a_changed_header_is_not_its_body() -> None:
    after = BASE.replace("range(3)", "range(4)")
    assert changes(BASE, after) == (Change((5, 5), (5, 5), "f", "header"),)


def test_a_loop_replaced_by_one_line() -> None:
    loop = "    for i in range(3):\n        y = y + 1\n        y = y * 2\n"
    after = BASE.replace(loop, "    y = y * 8 + 14\n")
    assert changes(BASE, after) == (Change((5, 7), (5, 5), "f"),)
    assert changes(after, BASE) == (Change((5, 5), (5, 7), "f"),)


def test_a_statement_of_several_lines() -> None:
    after = BASE.replace("torch.tensor([x])", "torch.stack([\n        x,\n    ])")
    assert changes(BASE, after) == (Change((4, 4), (4, 6), "f"),)


def test_wrapped_and_unwrapped_bodies_stay() -> None:
    loop = "    for i in range(3):\n        y = y + 1\n        y = y * 2\n"
    wrapped = BASE.replace(loop, "    with torch.no_grad():\n" + textwrap.indent(loop, "    "))
    assert changes(BASE, wrapped) == (Change((5, 4), (5, 5), "f", "header"),)
    assert changes(wrapped, BASE) == (Change((5, 5), (5, 4), "f", "header"),)


def test_a_block_that_loses_its_last_statement() -> None:
    after = BASE.replace("        y = y * 2\n", "    y = y * 2\n")
    assert changes(BASE, after) == (Change((7, 7), (7, 7), "f"),)
    assert spans("if a:\n  f()\n  g()\n", "if a:\n  f()\nelse:\n  g()\n") == [((3, 2), (3, 3))]


def test_an_else_that_goes() -> None:
    before = "for x in y:\n    f()\nelse:  # never broken\n    g()\nh()\n"
    assert spans(before, "for x in y:\n    f()\ng()\nh()\n") == [((3, 4), (3, 3))]
    before = "try:\n    f()\nexcept E:\n    g()\nfinally:\n    h()\n"
    assert spans(before, before.replace("except E", "except F")) == [((3, 3), (3, 3))]
    assert spans(before, before.replace("h()", "i()")) == [((6, 6), (6, 6))]
    before = "if a:\n    f()\nelif b:\n    g()\n"
    assert spans(before, before.replace("elif b", "elif c")) == [((3, 3), (3, 3))]


def test_match() -> None:
    before = "match x:\n    case [a]:\n        f()\n    case _ if a:\n        g()\n"
    assert spans(before, before.replace("[a]", "[b]")) == [((2, 2), (2, 2))]
    assert spans(before, before.replace("if a", "if b")) == [((4, 4), (4, 4))]
    assert spans(before, before.replace("match x", "match y")) == [((1, 1), (1, 1))]
    assert spans(before, before.replace("g()", "h()")) == [((5, 5), (5, 5))]


def test_moved_statements() -> None:
    before = "def f():\n    a()\n    b()\n    c()\n    d()\n"
    after = "def f():\n    b()\n    c()\n    a()\n    d()\n"
    assert spans(before, after) == [((2, 2), (2, 1)), ((5, 4), (4, 4))]


def test_changes_stay_apart_when_something_lies_between() -> None:
    before = "def f():\n    a = 1\n    b = 2\n    c = 3\n"
    after = "def f():\n    a = 2\n    b = 2\n    c = 4\n"
    assert spans(before, after) == [((2, 2), (2, 2)), ((4, 4), (4, 4))]
    assert spans(before, after.replace("b = 2", "b = 3")) == [((2, 4), (2, 4))]


def test_neighbours_in_different_functions_are_different_changes() -> None:
    before = "def f():\n    return 1\ndef g():\n    return 1\n"
    after = before.replace("return 1", "return 2")
    assert [(change.unit, change.before) for change in changes(before, after)] == [
        ("f", (2, 2)),
        ("g", (4, 4)),
    ]


def test_added_imports_are_told_apart() -> None:
    after = BASE.replace("import torch\n", "import math\nimport torch\nfrom a import b\n")
    assert changes(BASE, after) == (
        Change((1, 0), (1, 1), None, "import"),
        Change((3, 2), (3, 3), None, "import"),
    )
    assert all(change.imports for change in changes(BASE, after))
    inside = BASE.replace("    y = torch", "    import math\n    y = torch")
    assert changes(BASE, inside) == (Change((4, 3), (4, 4), "f", "import"),)
    mixed = changes("import a\n", "import b\nx = 1\n")
    assert [change.imports for change in mixed] == [False]


def test_signatures_and_decorators_belong_to_the_header() -> None:
    after = BASE.replace("    @torch.no_grad()\n", "")
    assert changes(BASE, after) == (Change((13, 14), (13, 13), "Net.forward", "header"),)
    after = BASE.replace("(self, x)", "(\n        self,\n        x,\n        y=None\n    )")
    assert changes(BASE, after) == (Change((13, 14), (13, 17), "Net.forward", "header"),)
    after = BASE.replace("def f(x)", "def f(x) -> int")
    assert changes(BASE, after) == (Change((3, 3), (3, 3), "f", "header"),)


def test_classes() -> None:
    after = BASE.replace("Net(Base)", "Net(nn.Module)")
    assert changes(BASE, after) == (Change((10, 10), (10, 10), None, "header"),)
    after = BASE.replace("size = 3", "size = 4")
    assert changes(BASE, after) == (Change((11, 11), (11, 11), None),)
    nested = "class A:\n    class B:\n        def f(self):\n            return 1\n"
    assert changes(nested, nested.replace("1", "2")) == (Change((4, 4), (4, 4), "A.B.f"),)


def test_what_is_nested_belongs_to_the_function_around_it() -> None:
    before = """\
        def f():
            def inner(x):
                return x + 1
            class Local:
                def method(self):
                    return 1
            return inner
        """
    assert between(before, before.replace("x + 1", "x + 2")) == [Change((3, 3), (3, 3), "f")]
    assert between(before, before.replace("return 1", "return 2")) == [Change((6, 6), (6, 6), "f")]
    assert between(before, before.replace("inner(x)", "inner(x, y)")) == [
        Change((2, 2), (2, 2), "f", "header")
    ]
    assert between("g = lambda x: x\n", "g = lambda x: -x\n") == [Change((1, 1), (1, 1))]
    guarded = "if a:\n    def f():\n        return 1\n"
    assert between(guarded, guarded.replace("1", "2")) == [Change((3, 3), (3, 3), "f")]


def test_functions_that_come_go_and_move() -> None:
    f, g, h = (f"def {name}():\n    return '{name}'\n" for name in "fgh")
    assert changes(f + h, f + g + h) == (Change((3, 2), (3, 4), "g", "added"),)
    assert changes(f + g + h, f + h) == (Change((3, 4), (3, 2), "g", "removed"),)
    assert changes(f, f + g) == (Change((3, 2), (3, 4), "g", "added"),)
    assert [change.kind for change in changes(f + g, g + f)] == ["moved"]
    renamed = {(change.unit, change.kind) for change in changes(f, g)}
    assert renamed == {("f", "removed"), ("g", "added")}
    between_them = changes(f + g, f + "x = 1\n" + g)
    assert between_them == (Change((3, 2), (3, 3), None),)
    around = changes("x = 1\n" + f + "y = 1\n", "x = 2\n" + f + "y = 2\n")
    assert [(change.before, change.unit) for change in around] == [((1, 1), None), ((4, 4), None)]


def test_properties_share_a_name() -> None:
    before = (
        "class A:\n    @property\n    def x(self):\n        return 1\n"
        "    @x.setter\n    def x(self, value):\n        self.y = value\n"
    )
    assert changes(before, before.replace("= value", "= -value")) == (
        Change((7, 7), (7, 7), "A.x"),
    )


def test_a_large_file_is_quick_to_compare_and_changes_are_exact() -> None:
    body = "".join(f"def f{n}(x):\n    y = x\n    return y\n" for n in range(2_000))
    after = body.replace("def f77(x):\n    y = x\n", "def f77(x):\n    y = x.clone()\n")
    assert changes(body, after) == (Change((233, 233), (233, 233), "f77"),)


def test_every_pair_of_programs_that_differ_has_a_change() -> None:
    lines = ["if a:", "    f()", "    g()", "f()", "else:", "    g()", "while b:"]
    texts = []
    for first in lines:
        for second in lines:
            for third in lines:
                text = f"{first}\n{second}\n{third}\n"
                try:
                    compile(text, "x", "exec")
                except SyntaxError:
                    continue
                texts.append(text)
    assert len(texts) > 20
    for before in texts:
        for after in texts:
            assert bool(changes(before, after)) is (before != after), (before, after)


# --- pairs


def test_a_pair() -> None:
    same = pair(Version("x = 1", "a.py"), Version("x = 1  # one\n", "a.py"))
    assert (same.same, same.changes) == (True, ())
    other = pair(Version("x = 1", "a.py"), Version("x = 2", "a.py"))
    assert (other.same, len(other.changes)) == (False, 1)


@pytest.mark.parametrize("text", ["def f(:\n", "x = '\ud800'\n", "\0", "(" * 500 + ")" * 500])
def test_a_side_that_does_not_parse_is_named(text: str) -> None:
    for sides in ((text, "x = 1"), ("x = 1", text)):
        with pytest.raises(SyntaxError) as caught:
            pair(Version(sides[0], "old.py"), Version(sides[1], "new.py"))
        assert caught.value.filename == ("old.py" if sides[0] == text else "new.py")


# --- names


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("x = 1\n", "x = torch.ones(1)\n", (("torch", 1),)),
        ("import torch\n", "import torch\nx = torch.ones(1)\n", ()),
        ("x = missing\n", "x = missing + 1\n", ()),
        ("x = missing\n", "x = missing + other\n", (("other", 1),)),
        ("def f(a): return a\n", "def f(b): return a\n", (("a", 1),)),
        ("def f(a):\n  b = a\n  return b\n", "def f(a):\n  return b\n", (("b", 2),)),
        ("def f(): pass\n", "def f(): return later\nlater = 1\n", ()),
        ("def f(): pass\n", "def f():\n  global g\n  g = 1\ndef h(): return g\n", ()),
        ("x = 1\n", "x = [i for i in range(3)]\ny = len(x)\n", ()),
        ("x = 1\n", "x = [i for i in range(3)]\ny = i\n", (("i", 2),)),
        ("x = 1\n", "class A:\n  y = 1\n  def f(self): return y\n", (("y", 3),)),
        ("x = 1\n", "class A:\n  y = 1\n  z = y\n", ()),
        ("x = 1\n", "from a import *\nx = y\n", ()),
        ("x = 1\n", "def f(a):\n  def g(): return a\n  return g\n", ()),
        ("x = 1\n", "try:\n  f = 1\nexcept E as e:\n  print(e)\n", (("E", 3),)),
        ("x = 1\n", "print(__file__, __name__)\nclass A:\n  def f(self): super().f()\n", ()),
        ("def g(): return q\n", "def g(): return q\ndef f(): return q\n", ()),
        ("def f(q): return q\n" * 2, "def f(q): return q\ndef f(): return q\n", (("q", 1),)),
    ],
)
def test_names_that_nothing_binds(
    before: str, after: str, expected: tuple[tuple[str, int], ...]
) -> None:
    assert unbound(before, after) == expected
