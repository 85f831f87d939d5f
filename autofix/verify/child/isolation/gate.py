"""Every fork of a job waits until the server lets it pass, so that no fork bomb gets far.

The limit that the system knows (`RLIMIT_NPROC`) counts all processes of a user, and does not
bind root; and whoever only looks from time to time has lost against a bomb of small programs.
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import struct
import sys
from collections.abc import Callable

from . import confine

# From linux/seccomp.h: a request is 80 bytes, an answer 24.
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_REQUEST_SIZE = 80
_REQUEST = struct.Struct("=Q")
_ANSWER = struct.Struct("=QqiI")
_GO_ON = 1


class Gate:
    """Between the server and one job."""

    def __init__(self, limit: int, living: Callable[[int], int]) -> None:
        self._limit = limit
        self._living = living
        self._room = 0
        # Whether the job has asked for more processes than it may have.
        self.exceeded = False
        self._ours, self._theirs = socket.socketpair()
        self._listener = -1
        self._poll: select.poll | None = None

    def shut(self) -> None:
        """In the job: from here on, forks are asked for."""
        self._ours.close()
        listener = confine.ask_for_forks()
        if listener >= 0:
            socket.send_fds(self._theirs, [b"x"], [listener])
            # Who holds this could answer for the server.
            os.close(listener)
        self._theirs.close()

    def watch(self, poll: select.poll) -> None:
        """In the server, after the fork: have requests wake `poll`."""
        self._theirs.close()
        self._poll = poll
        poll.register(self._ours, select.POLLIN)

    def attend(self, ready: dict[int, int]) -> None:
        """Answer what has woken the poll, if it was this: files, with what happened to them."""
        if self._ours.fileno() in ready and self._poll is not None:
            self._poll.unregister(self._ours)
            _data, files, _flags, _address = socket.recv_fds(self._ours, 1, 1)
            if files:
                self._listener = files[0]
                self._poll.register(self._listener, select.POLLIN)
        elif ready.get(self._listener, 0) & select.POLLIN:
            self._answer()
        elif self._listener in ready and self._poll is not None:
            # Nobody is left to ask. The poll must now wait for the job to be taken down.
            self._poll.unregister(self._listener)

    def _answer(self) -> None:
        # Not there on Windows, where no gate is made.
        from fcntl import ioctl

        request = bytearray(_REQUEST_SIZE)
        try:
            ioctl(self._listener, _RECEIVE, request)
            (number,) = _REQUEST.unpack_from(request)
            if self._lets_pass():
                answer = _ANSWER.pack(number, 0, 0, _GO_ON)
            else:
                answer = _ANSWER.pack(number, 0, -errno.EAGAIN, 0)
            ioctl(self._listener, _SEND, answer)
        except OSError as error:
            if error.errno != errno.ENOENT:  # Who asked has been killed meanwhile.
                raise

    def _lets_pass(self) -> bool:
        """Count only when so many have passed that the limit might be reached."""
        if self._room <= 0:
            self._room = self._limit - self._living(self._limit + 1)
        if self._room <= 0:
            self.exceeded = True
            return False
        self._room -= 1
        return True

    def close(self) -> None:
        self._ours.close()
        if self._listener >= 0:
            os.close(self._listener)


def available() -> bool:
    """Whether the kernel can let a request pass (since 5.5) and tell of the end of a process."""
    if not sys.platform.startswith("linux"):
        return False
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if release is None or tuple(map(int, release.groups())) < (5, 5):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True
