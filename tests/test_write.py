"""Writing: the file holds the old bytes or the new ones, and keeps all else it had."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from autofix.write import WriteError, write

OLD, NEW = b"x = 1\r\n", b"x = 2\r\ny = 3\r\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.py"
    path.write_bytes(OLD)
    return path


def only(path: Path) -> None:
    """Nothing is left behind in the folder."""
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_new_bytes_are_written(file: Path) -> None:
    write(file, OLD, NEW)
    assert file.read_bytes() == NEW
    only(file)
    write(file, NEW, b"")
    assert file.read_bytes() == b""


def test_a_file_that_need_not_change_is_not_touched(file: Path) -> None:
    file.chmod(0o444)
    before = file.stat().st_mtime_ns
    write(file, OLD, OLD)
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("mode", [0o755, 0o600, 0o664, 0o640])
def test_the_mode_is_kept(file: Path, mode: int) -> None:
    file.chmod(mode)
    write(file, OLD, NEW)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_another_group_is_kept(file: Path) -> None:
    groups = [group for group in (1, *os.getgroups()) if group != file.stat().st_gid]
    try:
        os.chown(file, -1, groups[0])
    except (IndexError, PermissionError):
        pytest.skip("no other group")
    write(file, OLD, NEW)
    assert file.stat().st_gid == groups[0] and file.read_bytes() == NEW


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "deep" / "link.py"
    link.parent.mkdir()
    link.symlink_to("../a.py")
    write(link, OLD, NEW)
    assert link.is_symlink() and file.read_bytes() == NEW
    assert [entry.name for entry in link.parent.iterdir()] == ["link.py"]


def test_other_names_of_the_file_stay_its_names(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.py"
    os.link(file, other)
    write(file, OLD, NEW)
    assert other.read_bytes() == NEW and file.samefile(other)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.py", "b.py"]
    write(other, NEW, b"")
    assert file.read_bytes() == b""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_another_owner_is_kept(file: Path) -> None:
    os.chown(file, 1, 1)
    write(file, OLD, NEW)
    assert (file.stat().st_uid, file.stat().st_gid) == (1, 1) and file.read_bytes() == NEW
    only(file)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes")
def test_extended_attributes_are_kept(file: Path) -> None:
    try:
        os.setxattr(file, "user.note", b"mine")
    except OSError:
        pytest.skip("not on this file system")
    write(file, OLD, NEW)
    assert os.getxattr(file, "user.note") == b"mine" and file.read_bytes() == NEW


def refused(path: Path, message: str, before: bytes = OLD) -> None:
    with pytest.raises(WriteError) as caught:
        write(path, before, NEW)
    assert str(caught.value) == message


def test_a_read_only_file_is_left_alone_even_by_root(file: Path) -> None:
    file.chmod(0o444)
    refused(file, "read-only, not written")
    assert file.read_bytes() == OLD
    only(file)


def test_what_someone_else_wrote_meanwhile_is_not_lost(file: Path) -> None:
    refused(file, "changed on disk meanwhile, not written", b"x = 0\n")
    assert file.read_bytes() == OLD
    only(file)


def test_a_change_while_the_new_file_is_prepared(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copymode = os.chmod

    def save_meanwhile(*args: Any, **kwargs: Any) -> None:
        file.write_bytes(b"mine")
        copymode(*args, **kwargs)

    monkeypatch.setattr(os, "chmod", save_meanwhile)
    refused(file, "changed on disk meanwhile, not written")
    assert file.read_bytes() == b"mine"
    only(file)


def test_what_cannot_be_written(file: Path, tmp_path: Path) -> None:
    refused(tmp_path / "b.py", "vanished meanwhile, not written")
    refused(tmp_path, "not a regular file, not written")
    refused(file / "c.py", "cannot be written: not a directory")
    dangling = tmp_path / "dangling.py"
    dangling.symlink_to("nowhere.py")
    refused(dangling, "vanished meanwhile, not written")
    assert not (tmp_path / "nowhere.py").exists()
    loop = tmp_path / "loop.py"
    loop.symlink_to("loop.py")
    with pytest.raises(WriteError, match="cannot be written: "):
        write(loop, OLD, NEW)


def failing(number: int) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_mount_point_is_written_in_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inode = file.stat().st_ino
    monkeypatch.setattr(Path, "replace", failing(errno.EBUSY))
    write(file, OLD, NEW)
    assert file.read_bytes() == NEW and file.stat().st_ino == inode
    only(file)


def test_a_full_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", failing(errno.ENOSPC))
    refused(file, "cannot be written: no space left on device")
    assert file.read_bytes() == OLD
    only(file)


def test_a_disk_that_fills_up_in_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.link(file, file.parent / "b.py")
    real, calls = os.write, []

    def half(handle: int, data: memoryview) -> int:
        calls.append(bytes(data))
        if calls[-1] == NEW:
            return real(handle, data[:4])
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data)

    monkeypatch.setattr(os, "write", half)
    refused(file, "cannot be written: no space left on device")
    assert file.read_bytes() == OLD
    assert sorted(entry.name for entry in file.parent.iterdir()) == ["a.py", "b.py"]


def test_when_not_even_the_old_bytes_can_be_put_back(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(file, file.parent / "b.py")
    real, calls = os.write, []

    def broken(handle: int, data: memoryview) -> int:
        calls.append(handle)
        if len(calls) == 1:
            return real(handle, data)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "write", broken)
    monkeypatch.setattr(os, "lseek", lambda handle, *_: os.ftruncate(handle, 0))
    with pytest.raises(WriteError, match="the old contents are in ") as caught:
        write(file, OLD, NEW)
    assert Path(str(caught.value).rpartition(" ")[2]).read_bytes() == OLD


def test_an_interrupt_in_place_puts_the_old_bytes_back(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(file, file.parent / "b.py")
    real = os.write

    def interrupted(handle: int, data: memoryview) -> int:
        if bytes(data) == NEW:
            real(handle, data[:2])
            raise KeyboardInterrupt
        return real(handle, data)

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(file, OLD, NEW)
    assert file.read_bytes() == OLD
    assert len(list(file.parent.iterdir())) == 2
