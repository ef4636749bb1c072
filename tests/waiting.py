"""Waiting in tests: by looking again and again, up to a deadline that is far away on the slowest machine."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def eventually(look: Callable[[], T | None], seconds: float = 60, *, what: str = "what was awaited") -> T:
    """The first true value of `look`; `what` is for whoever reads that there was none."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come")
        time.sleep(0.05)
    return found
