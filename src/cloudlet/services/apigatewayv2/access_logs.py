"""Access logs on their way to CloudWatch Logs: in batches, behind the answers."""

import asyncio
import hashlib
import logging
from collections import defaultdict
from typing import Any, NamedTuple

from cloudlet.core.arn import Arn
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.services.apigatewayv2.log_deliveries import DELIVERER

_log = logging.getLogger(__name__)
# The limits of one PutLogEvents: events, and bytes with 26 for each event.
_MOST_EVENTS = 10_000
_MOST_BYTES = 1_048_576
_OVERHEAD = 26
# Lines that come so soon (in seconds) after one another are written together: each write waits for the disk.
_GATHERING = 0.05
# What may wait in memory, in the same bytes.
_MOST_WAITING = 32 * 1024 * 1024


class _Stream(NamedTuple):
    """A log stream in the log group of this ARN."""

    group: str
    name: str


class _Line(NamedTuple):
    """`time` is in milliseconds since the epoch."""

    time: int
    text: str


class AccessLogs:
    """Lines are written soon after they come; a log group that is not there any more loses them, as on AWS."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._waiting: defaultdict[_Stream, list[_Line]] = defaultdict(list)
        self._size = 0
        self._writer: asyncio.Task[None] | None = None
        self._refused: set[str] = set()

    def write(self, group: str, source: str, time: float, text: str) -> None:
        """`group` is a log group's ARN, `source` the stage that logs, which has a stream of its own there."""
        if self._size > _MOST_WAITING:
            return
        stream = _Stream(group.removesuffix(":*"), hashlib.md5(source.encode(), usedforsecurity=False).hexdigest())
        self._waiting[stream].append(_Line(int(time * 1000), text))
        self._size += _length(text)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="access-logs")

    async def stop(self) -> None:
        """Writes what is left."""
        if self._writer is not None:
            await self._writer

    async def _write_all(self) -> None:
        try:
            await asyncio.sleep(_GATHERING)
            while self._waiting:
                stream, lines = self._waiting.popitem()
                self._size -= sum(_length(line.text) for line in lines)
                await self._write_stream(stream, sorted(lines))
        finally:
            self._writer = None

    async def _write_stream(self, stream: _Stream, lines: list[_Line]) -> None:
        try:
            for batch in _batches(lines):
                await self._put(stream, batch)
            self._refused.discard(stream.group)
        except AwsError as error:
            if stream.group not in self._refused and len(self._refused) < _MOST_EVENTS:
                self._refused.add(stream.group)
                _log.warning(
                    "an access log is not written",
                    extra={"log_group": stream.group, "code": error.code, "reason": error.message},
                )
        except Exception:  # noqa: BLE001 - the boundary of a background task: one log's trouble is not the others'
            _log.exception("an access log could not be written", extra={"log_group": stream.group})

    async def _put(self, stream: _Stream, batch: list[_Line]) -> None:
        events = [{"timestamp": line.time, "message": line.text} for line in batch]
        try:
            await self._call("PutLogEvents", stream, {"logEvents": events})
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            await self._call("CreateLogStream", stream, {})
            await self._call("PutLogEvents", stream, {"logEvents": events})

    async def _call(self, operation: str, stream: _Stream, params: dict[str, Any]) -> None:
        arn = Arn.parse(stream.group)
        names = {"logGroupName": arn.resource.removeprefix("log-group:"), "logStreamName": stream.name}
        deliverer = Principal.service(DELIVERER, arn.account)
        await self._cloud.call("logs", operation, names | params, as_=deliverer, region=arn.region)


def _batches(lines: list[_Line]) -> list[list[_Line]]:
    batches: list[list[_Line]] = [[]]
    size = 0
    for line in lines:
        length = _length(line.text)
        if len(batches[-1]) == _MOST_EVENTS or (batches[-1] and size + length > _MOST_BYTES):
            batches.append([])
            size = 0
        batches[-1].append(line)
        size += length
    return batches


def _length(text: str) -> int:
    return len(text.encode()) + _OVERHEAD
