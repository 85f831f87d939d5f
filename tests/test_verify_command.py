from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from autofix.verify.command import CommandResult, Swap, run_command

BAD, GOOD = "def f():\n    return 1\n", "def f():\n    return 2\n"
PYTHON = f'"{sys.executable}"'


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("PYTEST_ADDOPTS", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def swap(name: str = "m.py", before: str = BAD, after: str = GOOD) -> Swap:
    Path(name).write_text(before)
    return Swap((str(Path(name).absolute()),), before.encode(), after.encode())


def run(command: str, *swaps: Swap, seconds: float = 300) -> CommandResult:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    result = run_command(command.replace("PYTHON", PYTHON), swaps, seconds=seconds)
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    kept = {path: text for path, text in after.items() if path in before}
    assert kept == before
    new = {path.name.partition(".")[0] for path in after.keys() - before.keys()}
    assert not new.intersection(Path(swapped.paths[0]).stem for swapped in swaps)
    return result


def test_exit_codes() -> None:
    result = run('PYTHON -c "import m; assert m.f() == 1"', swap())
    assert result.refuted
    assert "exits with 0 before and exits with 1 after" in result.reason
    assert "AssertionError" in result.evidence["output"]
    result = run('PYTHON -c "import m; assert m.f() == 2"', swap())
    assert (result.refuted, result.evidence["exit before"]) == (False, 1)
    assert result.reason.endswith("fails before, succeeds after")
    assert run('PYTHON -c "import m"', swap()).reason.endswith("succeeds on both sides")
    assert run('PYTHON -c "import m; 1 / 0"', swap()).reason.endswith("fails on both sides")


def test_what_was_not_loaded_is_said() -> None:
    result = run('PYTHON -c "1"', swap())
    assert result.reason.endswith("succeeds on both sides, but did not load `m.py`: not exercised")
    assert result.evidence["not exercised"] == ["m.py"]
    result = run('PYTHON -c "import m"', swap(), swap("n.py"))
    assert result.evidence["not exercised"] == ["n.py"]
    assert run('PYTHON -I -c "1"', swap()).evidence["not exercised"] == ["m.py"]


def test_a_command_that_breaks_by_itself_refutes_nothing() -> None:
    Path("fickle.py").write_text(
        "import os, pathlib, sys\n"
        "source = pathlib.Path(os.environ['AUTOFIX_SWAP'], '0.source').read_text()\n"
        "sys.exit('return 2' in source)\n"
    )
    result = run("PYTHON fickle.py", swap())
    assert not result.refuted
    assert result.evidence["exit after"] == 1
    assert result.reason.endswith("did not load `m.py`")


def test_a_notebook_cannot_be_imported() -> None:
    result = run('PYTHON -c "1"', swap("n.ipynb", "{}", "[]"))
    assert result.evidence["not exercised"] == ["n.ipynb"]


def test_a_stale_pyc_is_not_read() -> None:
    one = swap()
    import py_compile

    py_compile.compile("m.py")
    assert list(Path("__pycache__").iterdir())
    result = run_command(f'{PYTHON} -c "import m; assert m.f() == 2"', [one])
    assert result.reason.endswith("fails before, succeeds after")


def test_a_script_is_served_too() -> None:
    text = (
        "import sys, inspect, pickle\n"
        "class Here: pass\n"
        "assert __name__ == '__main__' and __file__ == sys.argv[0] == 'sub/s.py'\n"
        "assert sys.argv[1:] == ['a', '-b']\n"
        "assert sys.path[0].endswith('sub'), sys.path\n"
        "assert __doc__ is None and __spec__ is None and '_run' not in globals()\n"
        "assert type(pickle.loads(pickle.dumps(Here()))) is Here\n"
        "import beside\n"
        "def f():\n    return 1\n"
        "assert f() == 2\n"
        "assert 'return 2' in inspect.getsource(f)\n"
    )
    Path("sub").mkdir()
    Path("sub/beside.py").write_text("")
    result = run(
        "PYTHON -W ignore sub/s.py a -b",
        swap("sub/s.py", text, text.replace("return 1", "return 2")),
    )
    assert result.evidence["exit after"] == 0, result.evidence
    assert result.evidence["exit before"] == 1
    assert result.evidence["not exercised"] == []


@pytest.mark.parametrize(
    "command",
    [
        "PYTHON -m m",
        "PYTHON -c \"import subprocess, sys; sys.exit(subprocess.call([sys.executable, 'm.py']))\"",
        "PYTHON -c \"import runpy; runpy.run_path('m.py', run_name='__main__')\"",
        "cd . && PYTHON ./m.py",
    ],
)
def test_other_ways_to_run_a_script(command: str) -> None:
    text = "import sys\nif __name__ == '__main__':\n    sys.exit(1)\n"
    result = run(command, swap("m.py", text, text.replace("(1)", "(0)")))
    assert (result.evidence["exit before"], result.evidence["exit after"]) == (1, 0)
    assert result.evidence["not exercised"] == []


def test_processes_of_multiprocessing() -> None:
    text = (
        "import multiprocessing\n"
        "def f(_):\n    return 1\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        assert pool.map(f, [0]) == [2]\n"
    )
    result = run("PYTHON m.py", swap("m.py", text, text.replace("return 1", "return 2")))
    assert (result.evidence["exit before"], result.evidence["exit after"]) == (1, 0)


def test_an_existing_sitecustomize_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("site").mkdir()
    Path("site/sitecustomize.py").write_text("import builtins\nbuiltins.there = 7\n")
    monkeypatch.setenv("PYTHONPATH", str(Path("site").absolute()))
    command = 'PYTHON -c "import m, sitecustomize; assert there == 7; assert m.f() == 2;'
    result = run(f"{command} assert 'site/' in sitecustomize.__file__\"", swap())
    assert (result.evidence["exit before"], result.evidence["exit after"]) == (1, 0)


def test_source_is_shown_as_it_runs() -> None:
    code = "import inspect, linecache, m; linecache.checkcache(); print(inspect.getsource(m.f))"
    code += "; assert 'return 2' in inspect.getsource(m.f)"
    assert run(f'PYTHON -c "{code}"', swap()).evidence["exit after"] == 0


def test_too_long() -> None:
    slow = "import time\ntime.sleep(100)\n"
    result = run('PYTHON -c "import m"', swap("m.py", "", slow), seconds=2)
    assert result.refuted
    assert result.reason.endswith("exits with 0 before and takes too long after")


TESTS = (
    "import m\n"
    "def test_one():\n    assert m.f() == 1\n"
    "def test_two():\n    assert m.f() == 2\n"
    "def test_any():\n    assert m.f()\n"
)


def test_pytest() -> None:
    Path("test_m.py").write_text(TESTS)
    result = run("PYTHON -m pytest -q", swap())
    assert result.refuted
    assert result.reason.endswith("from pass to fail: `test_m::test_one`")
    assert result.evidence["from fail to pass"] == ["test_m::test_two"]
    assert result.evidence["from pass to fail"] == ["test_m::test_one"]
    assert result.evidence["tests"] == 3
    assert not Path(".pytest_cache").exists()
    result = run("PYTHON -m pytest -q -k 'two or any'", swap())
    assert not result.refuted
    assert result.reason.endswith("from fail to pass: `test_m::test_two`")
    result = run("PYTHON -m pytest -q -k any", swap())
    assert result.reason.endswith("no test goes from pass to fail or back (1 in all)")


def test_a_module_that_tests_cannot_import_any_more() -> None:
    Path("test_m.py").write_text(TESTS)
    result = run("PYTHON -m pytest -q", swap("m.py", BAD, "1 / 0\n"))
    assert result.refuted
    result = run("PYTHON -m pytest -q -k 'any'", swap("m.py", BAD, "1 / 0\n"))
    assert result.refuted


def test_a_file_of_tests_is_served_too() -> None:
    text = "def test_a():\n    assert 1 == 2\n"
    result = run("PYTHON -m pytest -q", swap("test_n.py", text, text.replace("2", "1")))
    assert result.evidence["from fail to pass"] == ["test_n::test_a"]
    assert result.evidence["not exercised"] == []


def test_options_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("test_m.py").write_text(TESTS)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k any")
    assert run("PYTHON -m pytest -q", swap()).evidence["tests"] == 1
    result = run("PYTHON -m pytest -q --junitxml=own.xml", swap())
    assert Path("own.xml").exists()
    assert "tests" not in result.evidence
    assert not result.refuted


def test_the_interpreter_that_is_asked_for_comes_first() -> None:
    python = Path("bin/python")
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    result = run_command("python -c 1", [swap()], str(python))
    assert result.evidence["exit after"] == 3
    assert os.environ["PATH"].split(os.pathsep)[0] != str(python.parent)
