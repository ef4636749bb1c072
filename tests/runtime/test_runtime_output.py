"""What is held of an environment's output is bounded, however much it prints."""

import os

import pytest

from cloudlet.core.clock import SystemClock
from cloudlet.runtime import LogEvent
from cloudlet.runtime.output import Output


class Log:
    """The events, as they were handed over."""

    def __init__(self) -> None:
        self.writes: list[list[LogEvent]] = []

    def __call__(self, events: list[LogEvent]) -> None:
        self.writes.append(events)

    @property
    def text(self) -> str:
        return "".join(event.message for events in self.writes for event in events)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def output(log: Log) -> Output:
    return Output(SystemClock(), "Text", log)


@pytest.mark.timeout(30)
async def test_one_drain_takes_what_the_pipe_holds(output: Output, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "read", lambda _, size: b"y\n" * (size // 2))
    output.drain()
    output.flush()
    assert len(log.text) == 1 << 16


async def test_much_output_is_handed_over_before_its_time(output: Output, log: Log) -> None:
    printed = (b"x" * 1023 + b"\n") * 64
    for _ in range(40):
        os.write(output.writer, printed)
        output.drain()
    handed_over = [sum(len(event.message) for event in events) for events in log.writes]
    assert handed_over
    assert max(handed_over) < 1_200_000
    output.close()
    assert log.text == printed.decode() * 40


async def test_the_tail_is_the_last_of_an_invocation(output: Output) -> None:
    output.start("id", "1")
    for number in range(2000):
        os.write(output.writer, f"{number:07}\n".encode())
    output.drain()
    assert output.tail() == "".join(f"{number:07}\n" for number in range(2000 - 513, 2000))
    output.start("id", "1")
    assert output.tail() == "START RequestId: id Version: 1\n"
    output.close()
