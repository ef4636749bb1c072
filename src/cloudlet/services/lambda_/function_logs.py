"""What functions print, on its way to CloudWatch Logs: in batches, behind the answers."""

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.runtime import LogEvent
from cloudlet.services.lambda_.names import FunctionKey
from cloudlet.services.lambda_.roles import Roles

_log = logging.getLogger(__name__)

# The limits of one PutLogEvents: events, and bytes with 26 for each event.
_MOST_EVENTS = 10_000
_MOST_BYTES = 1_048_576
# What may wait in memory, in the same bytes.
_MOST_WAITING = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Stream:
    key: FunctionKey
    role: str
    group: str
    name: str


class FunctionLogs:
    """Written as the function's role: a role that may not write logs leaves none, as on AWS."""

    def __init__(self, cloud: Cloud, roles: Roles) -> None:
        self._cloud = cloud
        self._roles = roles
        self._waiting: defaultdict[_Stream, list[LogEvent]] = defaultdict(list)
        self._created: set[_Stream] = set()
        self._refused: set[str] = set()
        self._writer: asyncio.Task[None] | None = None
        self._size = 0
        self._full = False

    def write(self, key: FunctionKey, role: str, group: str, stream: str, events: list[LogEvent]) -> None:
        """Takes the events over; they are written soon. What prints faster than that loses some of it."""
        if self._size > _MOST_WAITING:
            if not self._full:
                _log.warning("a function prints more than can be logged", extra={"log_group": group})
            self._full = True
            return
        self._full = False
        self._size += sum(map(_length, events))
        self._waiting[_Stream(key, role, group, stream)] += events
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())

    async def stop(self) -> None:
        """Writes what is left."""
        if self._writer is not None:
            await self._writer

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                stream, events = self._waiting.popitem()
                await self._write_stream(stream, events)
                self._size -= sum(map(_length, events))
        finally:
            self._writer = None

    async def _write_stream(self, stream: _Stream, events: list[LogEvent]) -> None:
        try:
            session = await self._roles.session(stream.key, stream.role)
            await self._create(stream, session.principal)
            for batch in _batches(events):
                await self._put(stream, session.principal, batch)
        except AwsError as error:
            if stream.group not in self._refused:
                self._refused.add(stream.group)
                _log.warning(
                    "the output of a function is not logged",
                    extra={"log_group": stream.group, "code": error.code, "reason": error.message},
                )
        except Exception:  # noqa: BLE001 - the boundary of a background task: one stream's trouble is not the others'
            _log.exception("a function's output could not be logged", extra={"log_group": stream.group})

    async def _create(self, stream: _Stream, principal: Principal) -> None:
        """The stream, and before it the group where there is none."""
        if stream in self._created:
            return
        group = {"logGroupName": stream.group}
        try:
            await self._ensure(stream, principal, "CreateLogStream", {**group, "logStreamName": stream.name})
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            await self._ensure(stream, principal, "CreateLogGroup", group)
            await self._ensure(stream, principal, "CreateLogStream", {**group, "logStreamName": stream.name})
        self._created.add(stream)

    async def _ensure(self, stream: _Stream, principal: Principal, name: str, params: dict[str, Any]) -> None:
        """A role may write to what it may not create."""
        try:
            await self._call(stream, principal, name, params)
        except AwsError as error:
            if error.code not in ("ResourceAlreadyExistsException", "AccessDeniedException", "AccessDenied"):
                raise

    async def _put(self, stream: _Stream, principal: Principal, batch: list[LogEvent]) -> None:
        params = {
            "logGroupName": stream.group,
            "logStreamName": stream.name,
            "logEvents": [{"timestamp": event.timestamp, "message": event.message} for event in batch],
        }
        try:
            await self._call(stream, principal, "PutLogEvents", params)
        except AwsError as error:
            if error.code != "ResourceNotFoundException" or stream not in self._created:
                raise
            # Somebody deleted the group or the stream.
            self._created.discard(stream)
            await self._create(stream, principal)
            await self._call(stream, principal, "PutLogEvents", params)

    async def _call(self, stream: _Stream, principal: Principal, name: str, params: dict[str, Any]) -> None:
        await self._cloud.call("logs", name, params, as_=principal, region=stream.key.region)


def _batches(events: list[LogEvent]) -> list[list[LogEvent]]:
    batches: list[list[LogEvent]] = [[]]
    size = 0
    for event in events:
        length = _length(event)
        if len(batches[-1]) == _MOST_EVENTS or (batches[-1] and size + length > _MOST_BYTES):
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += length
    return batches


def _length(event: LogEvent) -> int:
    return len(event.message.encode()) + 26
