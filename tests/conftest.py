"""Options of the test suite."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from autofix.verify.zygote import Limits, Zygote


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(sys.executable, Limits(seconds=60)) as started:
        yield started


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-fixtures",
        action="store_true",
        help="write the golden `.fixed` files of fixtures/ instead of comparing with them",
    )
