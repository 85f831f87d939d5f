"""Put the new bytes of a file in place, or leave the old ones: never anything in between."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path

_CHANGED = "changed on disk meanwhile, not written"


class WriteError(Exception):
    """Why a file was not written, in one line."""


def write(path: Path, before: bytes, after: bytes) -> None:
    """Replace the contents `before` by `after`. A link stays a link: its target is written."""
    if before == after:
        return
    try:
        real = path.resolve(strict=True)
        info = real.stat()
        _check(real, info, before)
        if _must_stay(real, info) or not _replace(real, info, before, after):
            _overwrite(real, before, after)
    except FileNotFoundError:
        raise WriteError("vanished meanwhile, not written") from None
    except RuntimeError as error:  # a loop of links, before Python 3.13
        raise WriteError(f"cannot be written: {error}") from None
    except OSError as error:
        raise WriteError(f"cannot be written: {(error.strerror or str(error)).lower()}") from None


def _check(real: Path, info: os.stat_result, before: bytes) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise WriteError("not a regular file, not written")
    # Replacing a file needs no right to write it, and root may write anything: ask the mode.
    if not os.access(real, os.W_OK) or not info.st_mode & 0o222:
        raise WriteError("read-only, not written")
    if real.read_bytes() != before:
        raise WriteError(_CHANGED)


def _must_stay(real: Path, info: os.stat_result) -> bool:
    """Whether a new file under this name would lose something: other names, the owner, ACLs."""
    if info.st_nlink > 1 or (hasattr(os, "geteuid") and info.st_uid != os.geteuid()):
        return True
    if not hasattr(os, "listxattr"):
        return False
    with contextlib.suppress(OSError):
        # Labels under `security.` are given to any new file.
        return any(not name.startswith("security.") for name in os.listxattr(real))
    return False


def _replace(real: Path, info: os.stat_result, before: bytes, after: bytes) -> bool:
    """Write beside the file and rename; False if that cannot be done here."""
    try:
        handle, name = tempfile.mkstemp(prefix=".autofix-", suffix=".tmp", dir=real.parent)
    except PermissionError:
        return False
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _store(file.fileno(), after)
        shutil.copymode(real, temporary)
        if temporary.stat().st_gid != info.st_gid:
            os.chown(temporary, -1, info.st_gid)
        if real.read_bytes() != before:
            raise WriteError(_CHANGED)
        temporary.replace(real)
    except OSError as error:
        # The group cannot be kept, or the file itself is a mount point (containers do that).
        if error.errno in (errno.EPERM, errno.EACCES, errno.EBUSY):
            return False
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(real.parent)
    return True


def _overwrite(real: Path, before: bytes, after: bytes) -> None:
    """Write into the file itself. The old bytes stand in a copy until the new ones are stored."""
    copy = _copy(real.parent, before)
    try:
        with real.open("r+b") as file:
            if file.read() != before:
                raise WriteError(_CHANGED)
            try:
                _rewrite(file.fileno(), after)
            except BaseException:
                _rewrite(file.fileno(), before)
                raise
    except WriteError:
        copy.unlink()
        raise
    except BaseException as error:
        with contextlib.suppress(OSError):
            if real.read_bytes() == before:
                copy.unlink()
        if copy.exists() and isinstance(error, OSError):
            said = (error.strerror or str(error)).lower()
            raise WriteError(f"half written ({said}); the old contents are in {copy}") from None
        raise
    copy.unlink()


def _copy(folder: Path, data: bytes) -> Path:
    try:
        handle, name = tempfile.mkstemp(prefix=".autofix-", suffix=".old", dir=folder)
    except PermissionError:
        handle, name = tempfile.mkstemp(prefix="autofix-", suffix=".old")
    try:
        with os.fdopen(handle, "wb") as file:
            _store(file.fileno(), data)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def _rewrite(handle: int, data: bytes) -> None:
    os.lseek(handle, 0, os.SEEK_SET)
    _store(handle, data)
    os.ftruncate(handle, len(data))
    os.fsync(handle)


def _store(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    os.fsync(handle)


def _sync_folder(folder: Path) -> None:
    """Make the rename last, where folders can be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
