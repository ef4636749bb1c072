"""A function that prints without end fills no memory."""

from typing import Any

from cloudlet.runtime import LogEvent
from cloudlet.services.lambda_.function_logs import FunctionLogs
from cloudlet.services.lambda_.names import FunctionKey

KEY = FunctionKey("000000000000", "us-east-1", "f")


async def test_what_cannot_be_written_in_time_is_lost() -> None:
    nobody: Any = None
    logs = FunctionLogs(nobody, nobody)
    events = [LogEvent(0, "x" * (1 << 20))]
    for _ in range(100):
        logs.write(KEY, "role", "group", "stream", events)
    assert sum(map(len, logs._waiting.values())) == 64
    await logs.stop()
    logs.write(KEY, "role", "group", "stream", events)
    assert sum(map(len, logs._waiting.values())) == 1
    await logs.stop()
