"""What Linux lets a process deny itself, with the standard library alone: no rights needed.

Each function returns whether the layer is in force, so that the verdict can name it. None of
them raises where the system does not offer the layer: a weaker run is better than none, as
long as it is not called a stronger one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path
from typing import Any

from .syscalls import MACHINES, Machine

_LINUX = sys.platform.startswith("linux")
_KNOWN = platform.machine() if _LINUX and struct.calcsize("P") == 8 else ""

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP, _FILTER_MODE = 22, 2
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SIGKILL = 9

# `landlock_*` have these numbers on every machine.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_WRITE_FILE, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 1, 1 << 13, 1 << 14, 1 << 15
_CHANGE_FOLDERS = sum(1 << bit for bit in range(4, 13))
_TCP_BIND_AND_CONNECT = 3
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3

_CAP_DAC_READ_SEARCH = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522

_LOAD, _EQUAL, _AT_LEAST, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x25, 0x45, 0x06
_ALLOW, _ERROR, _NOTIFY = 0x7FFF0000, 0x00050000, 0x7FC00000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_NEW_NAMESPACES, _CLONE_THREAD = 0x7E020000, 0x00010000
_NEW_LISTENER = 1 << 3


def _library() -> Any:
    try:
        library = ctypes.CDLL(None)
        library.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
        library.syscall.restype = ctypes.c_long
        return library
    except (OSError, AttributeError):
        return None


_LIBC: Any = _library() if _LINUX else None


def adopt_orphans() -> bool:
    """Make the orphans among our descendants our children, so that none gets lost."""
    return _LIBC is not None and _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def gain_no_rights() -> bool:
    """No setuid program gives rights from here on. Landlock and seccomp ask for this."""
    return _LIBC is not None and _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0


def drop_capabilities() -> bool:
    """Drop what root may do beyond others, save reading files. False: there was nothing to drop."""
    if _LIBC is None:
        return False
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    if _LIBC.capget(header, data) != 0:
        return False
    words = struct.unpack("=6I", data.raw)
    held = words[1] | words[4] << 32
    if held & ~_CAP_DAC_READ_SEARCH == 0:
        return False
    kept = held & _CAP_DAC_READ_SEARCH
    data = ctypes.create_string_buffer(struct.pack("=6I", kept, kept, 0, 0, 0, 0), 24)
    return bool(_LIBC.capset(header, data) == 0)


def landlock_version() -> int:
    """The version of Landlock that the kernel offers, 0 for none."""
    if _LIBC is None:
        return 0
    size, ask_version = ctypes.c_size_t(0), ctypes.c_uint(1)
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, size, ask_version)))


def guards_signals(version: int) -> bool:
    """Whether that Landlock keeps signals from leaving the confined processes."""
    return version >= 6


def landlock(version: int, folders: tuple[str, ...], files: tuple[str, ...]) -> bool:
    """Deny all writing but in these folders and to these files, and the network as far as it can.

    Reading stays free: torch, its data and the user's packages may lie anywhere.
    """
    if version < 1:
        return False
    in_file = _WRITE_FILE | (_TRUNCATE if version >= 3 else 0) | (_IOCTL_DEV if version >= 5 else 0)
    in_folder = in_file | _CHANGE_FOLDERS | (_REFER if version >= 2 else 0)
    words = [in_folder]
    if version >= 4:
        words.append(_TCP_BIND_AND_CONNECT)
    if version >= 6:
        words.append(_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(words)}Q", *words)
    size = ctypes.c_size_t(len(attributes))
    ruleset = _LIBC.syscall(_CREATE_RULESET, attributes, size, ctypes.c_uint(0))
    if ruleset < 0:
        return False
    try:
        for path, access in [(f, in_folder) for f in folders] + [(f, in_file) for f in files]:
            if Path(path).exists() and not _add_rule(ruleset, path, access):
                return False
        return bool(_LIBC.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint(0)) == 0)
    finally:
        os.close(ruleset)


def _add_rule(ruleset: int, path: str, access: int) -> bool:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]
    try:
        rule = struct.pack("=Qi", access, place)
        kind, flags = ctypes.c_int(_RULE_PATH_BENEATH), ctypes.c_uint(0)
        return bool(_LIBC.syscall(_ADD_RULE, ruleset, kind, rule, flags) == 0)
    finally:
        os.close(place)


def seccomp() -> bool:
    """Deny the network and the system calls that `syscalls.py` lists."""
    machine = MACHINES.get(_KNOWN)
    return machine is not None and _install(_program(machine))


def guard_signals(lowest: int) -> bool:
    """Deny signals to processes with a number below `lowest`, and to all processes at once.

    For kernels whose Landlock cannot do it exactly. The processes of a job are younger than the
    job and mostly have higher numbers; those that watch over it are older and have lower ones.
    """
    machine = MACHINES.get(_KNOWN)
    if machine is None:
        return False
    # As unsigned numbers: 0 is the own group, then `lowest` up to the negated `lowest`.
    judge = [
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_EQUAL, 0, 2, 0),
        _step(_AT_LEAST, lowest, 0, 2),
        _step(_ABOVE, 2**32 - lowest, 1, 0),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _ERROR | errno.EPERM),
    ]
    program = _prologue(machine)
    for left, number in zip(range(len(machine.signals), 0, -1), machine.signals):
        program.append(_step(_EQUAL, number, left, 0))
    return _install([*program, _step(_RETURN, _ALLOW), *judge])


def ask_for_forks() -> int:
    """Have each new process wait for leave. The file where the requests arrive, or -1.

    Threads are no processes. A kernel before 5.5, or one that has such a file already for what
    we run in, does without.
    """
    machine = MACHINES.get(_KNOWN)
    if machine is None:
        return -1
    asked = _step(_RETURN, _NOTIFY)
    program = _prologue(machine)
    for number in machine.forks:
        program += [_step(_EQUAL, number, 0, 1), asked]
    thread = _step(_ANY_BIT, _CLONE_THREAD, 0, 1)
    program += _by_argument(machine.clone, thread, _ALLOW, _NOTIFY)
    description, _steps = _described([*program, _step(_RETURN, _ALLOW)])
    install, flags = ctypes.c_uint(1), ctypes.c_uint(_NEW_LISTENER)
    where = ctypes.byref(description)
    return int(_LIBC.syscall(ctypes.c_long(machine.seccomp), install, flags, where))


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _answer(numbers: tuple[int, ...], error: int) -> list[bytes]:
    steps = []
    for number in numbers:
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ERROR | error)]
    return steps


def _prologue(machine: Machine) -> list[bytes]:
    """Refuse calls of other processor families, whose numbers mean something else."""
    absent = _step(_RETURN, _ERROR | errno.ENOSYS)
    steps = [_step(_LOAD, _ARCHITECTURE), _step(_EQUAL, machine.audit, 1, 0), absent]
    steps.append(_step(_LOAD, _NUMBER))
    if machine.foreign:
        steps += [_step(_AT_LEAST, machine.foreign, 0, 1), absent]
    return steps


def _by_argument(number: int, test: bytes, when: int, otherwise: int) -> list[bytes]:
    """Judge one call by its first argument. `test` skips one step when it does not hold."""
    return [
        _step(_EQUAL, number, 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        test,
        _step(_RETURN, when),
        _step(_RETURN, otherwise),
    ]


def _program(machine: Machine) -> list[bytes]:
    no_network, forbidden = _ERROR | errno.EACCES, _ERROR | errno.EPERM
    unix = _step(_EQUAL, 1, 0, 1)
    # Limits of other processes are theirs.
    itself = _step(_EQUAL, 0, 0, 1)
    namespaces = _step(_ANY_BIT, _NEW_NAMESPACES, 0, 1)
    return [
        *_prologue(machine),
        *_answer(machine.denied, errno.EPERM),
        *_answer(machine.absent, errno.ENOSYS),
        *_answer(machine.pretended, 0),
        *_by_argument(machine.socket, unix, _ALLOW, no_network),
        *_by_argument(machine.clone, namespaces, forbidden, _ALLOW),
        *_by_argument(machine.prlimit, itself, _ALLOW, forbidden),
        _step(_RETURN, _ALLOW),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def _described(program: list[bytes]) -> tuple[_Program, object]:
    """The program as the kernel takes it, and the memory that has to outlive the call."""
    steps = ctypes.create_string_buffer(b"".join(program))
    return _Program(len(program), ctypes.addressof(steps)), steps


def _install(program: list[bytes]) -> bool:
    if _LIBC is None:
        return False
    description, _steps = _described(program)
    where = ctypes.addressof(description)
    return bool(_LIBC.prctl(_PR_SET_SECCOMP, _FILTER_MODE, where, 0, 0) == 0)
