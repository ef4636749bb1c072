"""What an execution environment prints, line by line, on its way to the log."""

import asyncio
import os
from collections import deque
from collections.abc import Callable

from cloudlet.core.clock import Clock
from cloudlet.runtime.function import LogEvent
from cloudlet.runtime.platform_lines import InitReport, JsonLines, Report, TextLines
from cloudlet.runtime.telemetry import Telemetry

# CloudWatch Logs takes events of up to 256 KB; longer lines are cut into several.
_LONGEST_LINE = 256 * 1024 - 26
_FLUSH_SECONDS = 1.0
# Characters of messages, with 26 for each as CloudWatch Logs counts them, that are held until then.
_MOST_HELD = 1 << 20
_OVERHEAD = 26
# All that a pipe holds, and what is taken of it at a time while the function runs.
_PIPE = 1 << 16
_CHUNK = 1 << 14
_TAIL = 4096

WriteLog = Callable[[list[LogEvent]], None]


class Output:
    """Reads what is written to `writer`, the environment's standard output and error.

    `write` takes the events over, in order.
    """

    def __init__(self, clock: Clock, log_format: str, write: WriteLog, telemetry: Telemetry | None = None) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._lines = JsonLines() if log_format == "JSON" else TextLines()
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._partial = b""
        self._events: list[LogEvent] = []
        self._held = 0
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._reader, self.drain, _CHUNK)

    def drain(self, most: int = _PIPE) -> None:
        """Takes what was printed up to now, and no more: who prints on and on must not hold up everybody else."""
        try:
            chunk = os.read(self._reader, most)
        except BlockingIOError:
            return
        self._take(chunk)

    def start(self, request_id: str, version: str) -> None:
        """An invocation begins; what `tail` gives begins here."""
        self._tail, self._tail_size = deque(), 0
        self.add(self._lines.start(self._clock.now(), request_id, version))
        if self._telemetry is not None:
            self._telemetry.platform("start", {"requestId": request_id, "version": version})

    def end(self, report: Report) -> None:
        for line in self._lines.end(self._clock.now(), report):
            self.add(line)
        if self._telemetry is not None:
            self._telemetry.platform("report", report.record)

    def report_init(self, report: InitReport) -> None:
        self.add(self._lines.init(self._clock.now(), report))

    def add(self, message: str) -> None:
        if self._partial:
            self._end_line()
        self._append([message])

    def tail(self) -> str:
        """The last of what was printed since `start`: 4 KB or a little more."""
        return "".join(self._tail)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._events:
            events, self._events, self._held = self._events, [], 0
            self._write(events)

    def close(self) -> None:
        self.drain()
        if self._partial:
            self._end_line()
        self.flush()
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
        os.close(self.writer)

    def _take(self, chunk: bytes) -> None:
        lines, newline, self._partial = (self._partial + chunk).rpartition(b"\n")
        if newline:
            messages = [_message(line) for line in lines.decode(errors="replace").split("\n")]
            self._append(messages)
            if self._telemetry is not None:
                self._telemetry.printed(messages)
        while len(self._partial) > _LONGEST_LINE:
            self._append([_message(self._partial[:_LONGEST_LINE].decode(errors="replace"), end="")])
            self._partial = self._partial[_LONGEST_LINE:]

    def _end_line(self) -> None:
        line, self._partial = self._partial, b""
        self._append([_message(line.decode(errors="replace"))])

    def _append(self, messages: list[str]) -> None:
        now = int(self._clock.now() * 1000)
        self._events += [LogEvent(now, message) for message in messages]
        self._held += sum(map(len, messages)) + _OVERHEAD * len(messages)
        self._extend_tail(messages[-_TAIL:])
        if self._held > _MOST_HELD:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_FLUSH_SECONDS, self.flush)

    def _extend_tail(self, messages: list[str]) -> None:
        self._tail += messages
        self._tail_size += sum(map(len, messages))
        while self._tail_size - len(self._tail[0]) > _TAIL:
            self._tail_size -= len(self._tail.popleft())


def _message(line: str, end: str = "\n") -> str:
    """The runtime interface client ends the lines within one message by carriage returns."""
    return line.replace("\r", "\n") + end
