"""What tests of CloudWatch need: a clock that is on a minute, and answers without their wrapping."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


@pytest.fixture(scope="module")
def cloudwatch(server: Any) -> Any:
    return server.client("cloudwatch")


@pytest.fixture
def minute() -> Callable[[int], datetime]:
    """A minute so many before the present one."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return lambda ago: now - timedelta(minutes=ago)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Asks until the answer is true, and returns it."""

    def ask(question: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := question()):
            if time.monotonic() > deadline:
                pytest.fail("it did not come about")
            time.sleep(0.1)
        return answer

    return ask
