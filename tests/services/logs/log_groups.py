"""What the tests of CloudWatch Logs have in common: log groups of their own, events in them, patience."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def now() -> int:
    return int(time.time() * 1000)


def make_group(logs: Any, name: str, *streams: str) -> str:
    logs.create_log_group(logGroupName=name)
    for stream in streams or ("s",):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
    return name


def put(logs: Any, group: str, *messages: str, stream: str = "s", at: int | None = None) -> None:
    """The events are a millisecond apart."""
    start = at if at is not None else now()
    events = [{"timestamp": start + number, "message": message} for number, message in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def eventually(look: Callable[[], T | None], what: str) -> T:
    """What `look` finds in the end; it looks again until there is something."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"there never was {what}")
