"""Makes forks of the server cheap: what a fork costs is the copying of its table of pages."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_COLLAPSE = 25
_HUGE = 2 << 20


def fold() -> None:
    """Put the memory of this process on huge pages, of which there are far fewer to copy.

    It halves the time of a fork and of the end of the job. Kernels before 6.1 refuse, which is
    no loss but that of time.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        advise = ctypes.CDLL(None).madvise
        areas = Path("/proc/self/maps").read_text().splitlines()
    except (OSError, AttributeError):
        return
    advise.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_int]
    for area in areas:
        addresses, rights, _offset, _device, _inode, *name = area.split(maxsplit=5)
        if not rights.startswith("rw-p") or name not in ([], ["[heap]"]):
            continue
        first, last = (int(address, 16) for address in addresses.split("-"))
        start, end = -(-first // _HUGE) * _HUGE, last // _HUGE * _HUGE
        if start < end:
            advise(start, end - start, _COLLAPSE)
