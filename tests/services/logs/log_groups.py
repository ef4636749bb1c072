"""What the tests of CloudWatch Logs have in common: log groups of their own, events in them, patience."""

import time
from typing import Any


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
