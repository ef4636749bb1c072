"""A function that prints without end fills no memory; groups and streams are made where they are missing."""

from types import SimpleNamespace
from typing import Any

import pytest

from cloudlet.core.errors import AwsError
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


class Logs:
    """CloudWatch Logs and the function's role at once; `denied` are operations that the role may not use."""

    def __init__(self, *denied: str) -> None:
        self.denied = denied
        self.groups: dict[str, set[str]] = {}
        self.called: list[str] = []

    async def session(self, *_: object) -> Any:
        return SimpleNamespace(principal=None)

    async def call(self, service: str, name: str, params: dict[str, Any], **_: object) -> None:
        self.called.append(name)
        group, stream = params["logGroupName"], params.get("logStreamName", "")
        if name in self.denied:
            raise AwsError("AccessDeniedException", "no")
        if name == "CreateLogGroup":
            self.groups[group] = set()
        elif group not in self.groups or (name == "PutLogEvents" and stream not in self.groups[group]):
            raise AwsError("ResourceNotFoundException", "no")
        elif name == "CreateLogStream":
            self.groups[group].add(stream)


async def written(service: Logs, *streams: str) -> list[str]:
    """What is called when one event is printed to each of the streams."""
    anything: Any = service
    logs = FunctionLogs(anything, anything)
    for stream in streams:
        logs.write(KEY, "role", "group", stream, [LogEvent(0, "x")])
        await logs.stop()
    return service.called


async def test_the_group_is_made_once() -> None:
    first, second = ["CreateLogStream", "CreateLogGroup", "CreateLogStream", "PutLogEvents"], ["CreateLogStream"]
    assert await written(Logs(), "1", "2", "2") == [*first, *second, "PutLogEvents", "PutLogEvents"]


async def test_what_somebody_deletes_is_made_again() -> None:
    service = Logs()
    anything: Any = service
    logs = FunctionLogs(anything, anything)
    for _ in range(2):
        logs.write(KEY, "role", "group", "stream", [LogEvent(0, "x")])
        await logs.stop()
        assert service.groups == {"group": {"stream"}}
        service.groups.clear()


@pytest.mark.parametrize("denied", [("CreateLogGroup",), ("CreateLogGroup", "CreateLogStream")])
async def test_a_role_may_write_to_what_it_may_not_create(denied: tuple[str, ...]) -> None:
    service = Logs(*denied)
    service.groups["group"] = {"1"}
    assert (await written(service, "1"))[-1] == "PutLogEvents"
    assert "CreateLogGroup" not in service.called
