"""Discovery: the same files whether git answers or not, and whatever was asked for by name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from autofix import gitignore
from autofix.files import Discovery, discover


def make(top: Path, *names: str) -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def git(top: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=top, check=True, capture_output=True)


@pytest.fixture(params=["git", "walk", "git fails"])
def tree(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Make a tree, and a repository of it: read by git, without one, or by a git that fails."""
    top = tmp_path / "top"
    top.mkdir()
    monkeypatch.chdir(top)

    def build(*names: str, ignore: str = "") -> Path:
        make(top, *names)
        if ignore:
            (top / ".gitignore").write_text(ignore)
        if request.param != "walk":
            git(top, "init", "-q", ".")
        if request.param == "git fails":
            # What a repository of another user does: "dubious ownership".
            monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        return top

    return build


def names(found: Discovery, top: Path) -> list[str]:
    assert found.errors == ()
    here = Path.cwd()
    return [os.path.relpath(here / path, top).replace(os.sep, "/") for path in found.files]


def in_tree(*paths: str, **options: object) -> list[str]:
    top = Path.cwd()
    found = discover([Path(path) for path in paths or (".",)], **options)  # type: ignore[arg-type]
    return names(found, top)


def test_python_and_notebooks_in_order(tree: Callable[..., Path]) -> None:
    tree("b.py", "a/z.py", "a/n.ipynb", "c.pyi", "d.txt", "e", "a/é f.py", "x.py.bak", "A.py")
    assert in_tree() == ["A.py", "a/n.ipynb", "a/z.py", "a/é f.py", "b.py"]
    assert discover([Path()]).files[0] == Path("A.py")
    assert discover([Path("a")]).files[0] == Path("a/n.ipynb")
    assert discover([Path("a").resolve()]).files[0].is_absolute()


def test_ignore_files_of_every_level(tree: Callable[..., Path]) -> None:
    top = tree(
        "gen/a.py",
        "src/a_pb2.py",
        "src/a.py",
        "src/keep_pb2.py",
        "src/deep/b.py",
        "src/deep/c.py",
        "other/deep/b.py",
        "only/x.py",
        "odd [x].py",
        ignore="# generated\ngen/\n*_pb2.py\n!keep_pb2.py\n/only/x.py\n\n\\#a\n",
    )
    (top / "src" / "deep" / ".gitignore").write_text("b.py\r\n")
    assert in_tree() == ["odd [x].py", "other/deep/b.py", "src/a.py", "src/deep/c.py",
                         "src/keep_pb2.py"]  # fmt: skip
    assert in_tree("src/deep") == ["src/deep/c.py"]
    assert in_tree("src") == ["src/a.py", "src/deep/c.py", "src/keep_pb2.py"]


def test_what_nobody_wrote_here_is_left_out(tree: Callable[..., Path]) -> None:
    tree(
        ".venv/lib/a.py",
        "venv/a.py",
        "build/a.py",
        "dist/a.py",
        "a/node_modules/b/c.py",
        "a/__pycache__/d.py",
        "x/site-packages/y.py",
        ".ipynb_checkpoints/a.ipynb",
        "build.py",
        "builds/a.py",
    )
    assert in_tree() == ["build.py", "builds/a.py"]


def test_what_is_asked_for_is_looked_at(tree: Callable[..., Path]) -> None:
    tree(
        ".venv/lib/site-packages/torch/a.py",
        ".venv/lib/site-packages/torch/build/b.py",
        ".venv/lib/site-packages/torch/nn/c.py",
        "build/lib/d.py",
        "gen/e.py",
        "gen/f/g.py",
        ignore="gen\n.venv\n",
    )
    torch = ".venv/lib/site-packages/torch"
    assert in_tree(torch) == [f"{torch}/a.py", f"{torch}/nn/c.py"]
    assert in_tree(".venv/lib/site-packages") == [f"{torch}/a.py", f"{torch}/nn/c.py"]
    assert in_tree("build") == ["build/lib/d.py"]
    assert in_tree("gen") == ["gen/e.py", "gen/f/g.py"]
    assert in_tree("gen/f") == ["gen/f/g.py"]
    assert in_tree("gen/e.py") == ["gen/e.py"]
    assert in_tree() == []


def test_a_folder_that_ignores_itself(tree: Callable[..., Path]) -> None:
    top = tree("env/lib/a.py", "env/sub/b.py", "env/sub/c.py")
    (top / "env" / ".gitignore").write_text("*\n")
    (top / "env" / "sub" / ".gitignore").write_text("b.py\n")
    assert in_tree() == []
    assert in_tree("env") == ["env/lib/a.py", "env/sub/c.py"]
    assert in_tree("env/lib") == ["env/lib/a.py"]


def test_files_given_by_name_are_taken_whatever_they_are(tree: Callable[..., Path]) -> None:
    tree("a.txt", "b.pyi", "build/c.py", "d.py", "script", ignore="d.py\n")
    given = ["script", "d.py", "build/c.py", "a.txt", "b.pyi", "d.py"]
    assert in_tree(*given) == ["a.txt", "b.pyi", "build/c.py", "d.py", "script"]
    assert in_tree(*given, exclude=["*"]) == ["a.txt", "b.pyi", "build/c.py", "d.py", "script"]
    assert in_tree(*given, force_exclude=True) == ["a.txt", "b.pyi", "script"]
    assert in_tree(*given, force_exclude=True, exclude=["*.txt"]) == ["b.pyi", "build/c.py",
                                                                      "script"]  # fmt: skip


def test_forced_excludes_hold_for_folders(tree: Callable[..., Path]) -> None:
    tree("build/a.py", "gen/deep/b.py", "src/c.py", "third/d.py", ignore="gen/\n")
    given = ["build", "gen/deep", "gen", "src", "third"]
    assert in_tree(*given, force_exclude=True, extend_exclude=["/third"]) == ["src/c.py"]


def test_tracked_files_count_though_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "gen/a.py", "gen/b.py")
    git(tmp_path, "init", "-q", ".")
    git(tmp_path, "add", "gen/a.py")
    (tmp_path / ".gitignore").write_text("gen/\n")
    monkeypatch.chdir(tmp_path)
    assert in_tree() == ["gen/a.py"]
    assert in_tree("gen/a.py", "gen/b.py", force_exclude=True) == ["gen/a.py"]
    (tmp_path / "gen" / "a.py").unlink()
    assert in_tree() == []


@pytest.mark.parametrize(
    ("exclude", "extend", "expected"),
    [
        ([], [], ["a.py", "lib/a.py", "lib/gen/b.py", "src/gen/b.py"]),
        (["gen"], [], ["a.py", "build/c.py", "lib/a.py"]),
        ([], ["gen/"], ["a.py", "lib/a.py"]),
        ([], ["/a.py"], ["lib/a.py", "lib/gen/b.py", "src/gen/b.py"]),
        ([], ["./lib"], ["a.py", "src/gen/b.py"]),
        ([], ["lib/*", "!lib/a.py"], ["a.py", "lib/a.py", "src/gen/b.py"]),
        ([], ["**/gen/*.py"], ["a.py", "lib/a.py"]),
        ([], ["*.py"], []),
    ],
)
def test_excludes_are_patterns_from_the_root(
    tree: Callable[..., Path], exclude: list[str], extend: list[str], expected: list[str]
) -> None:
    top = tree("a.py", "build/c.py", "lib/a.py", "lib/gen/b.py", "src/gen/b.py")
    assert in_tree(exclude=exclude, extend_exclude=extend) == expected
    absolute = [f"{top}/{name[2:]}" if name.startswith("./") else name for name in extend]
    assert in_tree(exclude=exclude, extend_exclude=absolute) == expected


def test_excludes_from_a_root_that_is_not_here(
    tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tree("src/gen/a.py", "src/b.py", "gen/c.py")
    monkeypatch.chdir(top / "src")
    found = discover([Path()], extend_exclude=["/src/gen"], root=top)
    assert found.files == (Path("b.py"),)
    # The folder itself was asked for.
    found = discover([Path("gen")], extend_exclude=["/src/gen"], root=top)
    assert found.files == (Path("gen/a.py"),)
    found = discover([Path("gen")], extend_exclude=["/src/gen", "a.py"], root=top)
    assert found.files == ()


def test_what_is_wrong_with_a_path_is_said(tree: Callable[..., Path]) -> None:
    top = tree("a.py")
    (top / "gone.py").symlink_to("nowhere.py")
    (top / "loop.py").symlink_to("loop.py")
    os.mkfifo(top / "pipe.py")
    paths = ["nope.py", "a.py/b", "gone.py", "pipe.py", "a.py", "nope"]
    found = discover([Path(path) for path in paths])
    assert found.files == (Path("a.py"),)
    assert found.errors == (
        ("nope.py", "no such file or directory"),
        ("a.py/b", "not a directory"),
        ("gone.py", "broken link"),
        ("pipe.py", "neither a file nor a folder"),
        ("nope", "no such file or directory"),
    )
    ((path, message),) = discover([Path("loop.py")]).errors
    assert path == "loop.py" and "symbolic link" in message.lower()
    ((path, message),) = discover([Path("a\0b")]).errors
    assert "null" in message
    assert in_tree() == ["a.py"]
    assert discover([]) == Discovery(())


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root lists anything")
def test_a_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    make(tmp_path, "a/b.py", "c.py")
    (tmp_path / "a").chmod(0)
    found = discover([tmp_path])
    (tmp_path / "a").chmod(0o755)
    assert found.files == (tmp_path / "c.py",)
    assert found.errors == ((str(tmp_path / "a"), "cannot be listed: permission denied"),)


def test_a_folder_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a/b.py", "c.py")
    scandir = os.scandir

    def fail(path: str) -> object:
        if str(path).endswith("a/"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(gitignore.os, "scandir", fail)
    found = discover([tmp_path])
    assert found.files == (tmp_path / "c.py",)
    assert found.errors == ((str(tmp_path / "a"), "cannot be listed: permission denied"),)


def test_links(tree: Callable[..., Path], tmp_path: Path) -> None:
    top = tree("real/a.py", "sub/b.py")
    make(tmp_path, "outside/o.py", "outside/p.py")
    (top / "aaa.py").symlink_to("real/a.py")
    (top / "sub" / "inside.py").symlink_to("../real/a.py")
    (top / "sub" / "out.py").symlink_to("../../outside/o.py")
    (top / "sub" / "gone.py").symlink_to("nowhere.py")
    (top / "sub" / "folder.py").symlink_to("../real")
    (top / "linked").symlink_to("../outside")
    (top / "loop").symlink_to(".")
    found = discover([Path()])
    assert found.files == (Path("real/a.py"), Path("sub/b.py"))
    ((path, message),) = found.notes
    assert path == "sub/out.py"
    assert message == f"links to `{tmp_path.resolve()}/outside/o.py`, which is outside: skipped"
    assert discover([Path("sub")]).files == (Path("sub/b.py"), Path("sub/inside.py"))
    assert discover([Path("linked")]).files == (Path("linked/o.py"), Path("linked/p.py"))
    assert discover([Path("sub/out.py")]).files == (Path("sub/out.py"),)
    assert discover([Path("aaa.py"), Path("real/a.py")]).files == (Path("real/a.py"),)
    assert discover([Path(), Path("real"), top, Path("sub/../real/a.py")]).files == found.files


def test_repositories_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.py", "nested/b.py", "nested/c.py", "nested/build/d.py", "empty/x.txt")
    for folder in (tmp_path, tmp_path / "nested", tmp_path / "empty"):
        git(folder, "init", "-q", ".")
    (tmp_path / "nested" / ".gitignore").write_text("c.py\n")
    monkeypatch.chdir(tmp_path)
    assert in_tree() == ["a.py", "nested/b.py"]
    assert in_tree(extend_exclude=["nested"]) == ["a.py"]
    assert in_tree(extend_exclude=["nested/b.py"]) == ["a.py"]


def test_a_hook_of_another_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.py", "other/b.py")
    git(tmp_path, "init", "-q", ".")
    git(tmp_path / "other", "init", "-q", ".")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path / "other")
    assert in_tree() == ["b.py"]


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.py", "b.py")
    (tmp_path / ".gitignore").write_text("b.py\n")
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    assert in_tree() == ["a.py"]


def test_odd_ignore_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.py", "b.py", "c.py")
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe\n!\na.py  \n/**/\n[\n\nb.py\r\n")
    monkeypatch.chdir(tmp_path)
    assert in_tree() == ["c.py"]
    (tmp_path / ".gitignore").unlink()
    (tmp_path / ".gitignore").mkdir()
    assert in_tree() == ["a.py", "b.py", "c.py"]


def test_git_and_the_walk_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = ["", "a/", "a/b/", "c/", "c/a/", "gen/", "gen/x/"]
    make(tmp_path, *(f"{folder}{name}.py" for folder in folders for name in ("x", "y", "z1", "é")))
    rules: Iterable[tuple[str, str]] = [
        ("", "z?.py\n/gen/*\n!/gen/x\nc/**/y.py\n"),
        ("a/", "!z1.py\n/x.py\n"),
        ("a/b/", "*\n!y.py\n"),
        ("c/", "a/x.py\n\\é.py\n"),
        ("gen/x/", "[xy].py\n"),
    ]
    for folder, text in rules:
        (tmp_path / folder / ".gitignore").write_text(text)
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q", ".")
    asked = [".", "a", "a/b", "c", "c/a", "gen", "gen/x"]
    by_git = [in_tree(path) for path in asked]
    monkeypatch.setattr(gitignore, "_git", lambda *_, **__: None)
    assert [in_tree(path) for path in asked] == by_git
