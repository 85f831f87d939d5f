"""Probes at changed statements: they report, and they change nothing else."""

from __future__ import annotations

import ast
import sys
import traceback
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

pytest.importorskip("torch")

from autofix.verify.child.program import PROBE, Program

Seen = list[tuple[int, Any]]


class Noted:
    """A probe that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: Seen = []
        self.returned: list[tuple[str, Any]] = []

    def __call__(self, number: int, value: Any = None, key: Any = None) -> Any:
        self.seen.append((number, value))
        return value

    def handed(self, name: str, value: Any) -> Any:
        self.returned.append((name, value))
        return value


def ran(text: str, *changes: tuple[int, int], load: bool = False) -> tuple[dict[str, Any], Seen]:
    """The namespace of a program, and what its probes reported; each line is a change unless
    told otherwise."""
    namespace, noted = probed(text, *changes, load=load)
    return namespace, noted.seen


def probed(
    text: str, *changes: tuple[int, int], load: bool = False
) -> tuple[dict[str, Any], Noted]:
    text = dedent(text).lstrip("\n")
    lines = changes or tuple((line + 1, line + 1) for line in range(text.count("\n")))
    noted = Noted()
    program = Program(text, "/nowhere/program.py", "_probed_program", changes=lines)
    try:
        return (program.load if load else program.run)(noted), noted
    finally:
        sys.modules.pop("_probed_program", None)


PROGRAMS = {
    "docstrings": '''
        """Of the module."""
        def f():
            """Of a function."""
            return 1
        class C:
            """Of a class."""
            x = 2
        result = __doc__, f.__doc__, C.__doc__, f(), C.x
        ''',
    "future": """
        '''A docstring.'''
        from __future__ import annotations
        def f(x: not_bound) -> nor_this:
            return x
        result = f(1), f.__annotations__
        """,
    "decorators": """
        import functools
        def twice(g):
            @functools.wraps(g)
            def inner(*a):
                return g(*a) * 2
            return inner
        @twice
        @functools.lru_cache(maxsize=None)
        def f(x):
            return x + 1
        result = f(2), f.__name__
        """,
    "async": """
        import asyncio
        async def one():
            await asyncio.sleep(0)
            return 1
        async def steps():
            for i in range(3):
                yield i
        async def main():
            total = await one()
            async for i in steps():
                total += i
            return total
        result = asyncio.run(main())
        """,
    "generators": """
        def f():
            got = yield 1
            yield got
            yield from [3, 4]
            return 5
        g = f()
        result = [next(g), g.send(2), next(g), next(g)]
        """,
    "one-line bodies": """
        x, found = 3, []
        if x: found.append(1)
        else: found.append(2)
        for i in range(2): found.append(i); x += i
        while x > 3: x -= 1
        def f(): return x
        class C: y = 5
        result = found, x, f(), C.y
        """,
    "several on a line": """
        a = 1; b = a + 1; c = [a]; c.append(b)
        result = a, b, c
        """,
    "lambdas": """
        fs = [lambda x, k=k: x + k for k in range(3)]
        apply = lambda f: f(10)
        result = [apply(f) for f in fs]
        """,
    "class bodies": """
        class A:
            count: int = 0
            names: list
            __private = 4
            def __init__(self):
                self.__hidden = 1
                super().__init__()
            def get(self):
                return self.__hidden, self.__private
        result = A().get(), A.count, sorted(A.__annotations__), sorted(vars(A))
        """,
    "annotations without values": """
        def f():
            x: int
            x = 2
            return x
        y: int
        result = f(), "y" in globals()
        """,
    "targets": """
        a, *b = 1, 2, 3
        c = d = [0, 0]
        c[0], c[1] = 5, 6
        c[a] += 1
        class O: pass
        o = O(); o.x = 3; o.x += 1
        del a
        result = b, c, d is c, o.x
        """,
    "globals": """
        n = 0
        def f():
            global n
            n += 1
            def g():
                nonlocal_value = 1
                def h():
                    nonlocal nonlocal_value
                    nonlocal_value += 1
                    return nonlocal_value
                return h()
            return g()
        result = f(), n
        """,
    "exceptions": """
        found = []
        def f(x):
            try:
                found.append(1 / x)
            except ZeroDivisionError as error:
                found.append(str(error))
                return "bad"
            else:
                found.append("good")
            finally:
                found.append("end")
            return "fine"
        with open(__import__("os").devnull) as a, open(a.name) as b:
            assert a.name == b.name, "same"
        result = f(0), f(1), found
        """,
    "match": """
        def f(x):
            match x:
                case [a, b] if a:
                    return a + b
                case {"k": v}:
                    return v
                case _:
                    pass
            return None
        result = f([1, 2]), f({"k": 3}), f(4)
        """,
    "stars": """
        def f(*a, **k):
            return *a, *k
        result = f(1, *[2], z=3)
        """,
    "loops with else": """
        found = []
        for i in range(3):
            if i == 1:
                continue
            elif i == 5:
                break
            found.append(i)
        else:
            found.append("else")
        result = found
        """,
}


def plainly(text: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "_probed_program"}
    exec(compile(dedent(text).lstrip("\n"), "plain", "exec", dont_inherit=True), namespace)
    return namespace["result"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_probes_keep_the_meaning(name: str) -> None:
    namespace, seen = ran(PROGRAMS[name])
    assert namespace["result"] == plainly(PROGRAMS[name])
    assert len(seen) >= 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_probes_keep_the_line_numbers(name: str) -> None:
    text = "\n\n" + dedent(PROGRAMS[name]).lstrip("\n")
    lines = tuple((line + 1, line + 1) for line in range(text.count("\n")))
    probed = Program(text, "program.py", changes=lines).tree()

    def places(tree: ast.Module) -> set[tuple[str, int]]:
        return {
            (type(node).__name__, node.lineno)
            for node in ast.walk(tree)
            if isinstance(node, (ast.stmt, ast.expr))
            and not (isinstance(node, ast.Name) and node.id == PROBE)
        }

    without = places(ast.parse(text))
    assert without <= places(probed)
    assert {line for _, line in places(probed)} == {line for _, line in without}


def test_a_statement_is_reported_with_its_value() -> None:
    _, seen = ran("x = [1]\nx[0] += 2\ny, z = 4, 5\nlen(x)\n")
    assert seen == [(0, [3]), (1, [3]), (2, None), (3, 1)]


def test_a_return_is_reported_with_its_value() -> None:
    _, seen = ran("def f(x):\n    return x + 1\nf(1)\nf(2)\n", (2, 2))
    assert seen == [(0, 2), (0, 3)]


def test_only_changes_are_reported_each_by_its_number() -> None:
    _, seen = ran("a = 1\nb = 2\nc = 3\nd = 4\n", (2, 2), (4, 4))
    assert seen == [(0, 2), (1, 4)]


def test_an_empty_side_reports_nothing() -> None:
    assert ran("a = 1\nb = 2\n", (2, 1))[1] == []


@pytest.mark.parametrize(
    ("header", "count"),
    [("for _ in range(3):", 3), ("if True:", 1), ("if False:", 0), ("while not done:", 1)],
)
def test_a_header_is_reported_when_its_block_runs(header: str, count: int) -> None:
    _, seen = ran(f"done = []\n{header}\n    done.append(1)\n", (2, 2))
    assert len(seen) == count


def test_a_function_is_reported_when_it_runs_not_when_it_is_defined() -> None:
    text = "def f():\n    return 1\n"
    assert ran(text, (1, 1))[1] == []
    assert len(ran(text + "f()\n", (1, 1))[1]) == 1


def test_the_branch_of_a_match_that_does_not_run_is_not_reported() -> None:
    text = "x = 1\nmatch x:\n    case 1:\n        y = 1\n    case _:\n        y = 2\n"
    assert ran(text, (6, 6))[1] == []
    assert ran(text, (4, 4))[1] == [(0, 1)]


def test_a_traceback_names_the_lines_of_the_file() -> None:
    text = "def f():\n    x = 1\n    return x / 0\nx = 2\nf()\n"
    with pytest.raises(ZeroDivisionError) as raised:
        ran(text)
    frames = traceback.extract_tb(raised.value.__traceback__)
    lines = [one.lineno for one in frames if one.filename == "/nowhere/program.py"]
    assert lines == [5, 3]


def test_load_defines_and_does_not_train() -> None:
    namespace, _ = ran(
        """
        rate = 0.5
        def f():
            return rate
        class C:
            pass
        for step in range(3):
            trained = True
        print(undefined)
        f().nothing
        if __name__ == "__main__":
            main = True
        late = rate * 2
        """,
        load=True,
    )
    assert namespace["late"] == 1.0
    assert namespace["f"]() == 0.5
    assert not {"trained", "main"} & namespace.keys()


def test_load_goes_on_after_what_fails() -> None:
    program = Program("a = 1\nb = a.nothing\nc = 3\n", "/nowhere/p.py", "_probed_program")
    namespace = program.load(lambda number, value=None: value)
    assert (namespace["a"], namespace["c"]) == (1, 3)
    assert program.skipped == ["line 2: AttributeError: 'int' object has no attribute 'nothing'"]


def test_other_files_import_the_version_on_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "on_trial_module.py"
    path.write_text("value = 'on the disk'\n")
    (tmp_path / "its_user.py").write_text("import on_trial_module\nseen = on_trial_module.value\n")
    text = (
        "value = 'on trial'\nif __name__ == '__on_trial__':\n"
        "    import its_user\n    result = its_user.seen\n"
    )
    program = Program(text, str(path), "__on_trial__", roots=[str(tmp_path)], changes=[(1, 1)])
    seen: Seen = []
    namespace = program.run(lambda number, value=None: seen.append((number, value)))
    assert namespace["result"] == "on trial"
    assert seen == [(0, "on trial")] * 2


def test_what_functions_with_a_change_return_is_handed_over() -> None:
    _, noted = probed(
        """
        class C:
            def f(self, x):
                def inner():
                    return 1
                if x:
                    return x + inner()
                return (lambda: 2)()

        def g():
            return 3

        C().f(4), C().f(0), g()
        """,
        (5, 5),
    )
    assert noted.returned == [("C.f", 5), ("C.f", 2)]
