"""The Telemetry API of one execution environment: what happens in it, in batches, to the extensions that asked for it.

They listen on a port of the loopback interface, which all environments of this machine share.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from cloudlet.core.clock import Clock
from cloudlet.core.timestamps import to_iso8601

_log = logging.getLogger(__name__)

_TYPES = frozenset({"platform", "function", "extension"})
_HOSTS = ("sandbox.localdomain", "sandbox")
# AWS's defaults and bounds of a subscription's buffer.
_ITEMS = (1000, 10_000, 10_000)
_BYTES = (262_144, 1_048_576, 262_144)
_MILLISECONDS = (25, 30_000, 1000)
# What happens before anybody has subscribed is kept for who does.
_MOST_EARLY = 100
# What waits for a slow listener; the oldest is lost.
_MOST_WAITING = 10_000
_POST_SECONDS = 5.0


class InvalidSubscription(Exception):
    """What was asked for cannot be had. The message says why."""


class Telemetry:
    """Nothing is kept where no extension can come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._early: deque[dict[str, Any]] | None = None
        self._subscriptions: dict[str, _Subscription] = {}

    def open(self) -> None:
        """Processes start that may subscribe; those before them are no more."""
        self.close()
        self._early = deque(maxlen=_MOST_EARLY)

    def close_subscriptions(self) -> None:
        self._early = None

    def close(self) -> None:
        for subscription in self._subscriptions.values():
            subscription.close()
        self._subscriptions = {}
        self._early = None

    def subscribe(self, name: str, wanted: Any) -> None:
        """Raises InvalidSubscription."""
        subscription = _Subscription(_checked(wanted))
        known = self._subscriptions.get(name)
        if known is not None:
            known.close()
        self._subscriptions[name] = subscription
        for event in self._early or ():
            subscription.take(event)
        self.platform(
            "telemetrySubscription", {"name": name, "state": "Subscribed", "types": sorted(subscription.types)}
        )

    def platform(self, kind: str, record: Mapping[str, Any]) -> None:
        self._emit(f"platform.{kind}", record)

    def printed(self, messages: list[str]) -> None:
        """What the function wrote."""
        if self._subscriptions or self._early is not None:
            for message in messages:
                self._emit("function", message)

    async def flush(self) -> None:
        """Delivers what waits now, before the environment ends."""
        for subscription in self._subscriptions.values():
            await subscription.flush()

    def _emit(self, kind: str, record: Any) -> None:
        if not self._subscriptions and self._early is None:
            return
        event = {"time": to_iso8601(self._clock.now(), always_milliseconds=True), "type": kind, "record": record}
        if self._early is not None:
            self._early.append(event)
        for subscription in self._subscriptions.values():
            subscription.take(event)


@dataclass(frozen=True, slots=True)
class _Wanted:
    types: frozenset[str]
    port: int
    path: str
    items: int
    size: int
    seconds: float


class _Subscription:
    def __init__(self, wanted: _Wanted) -> None:
        self.types = wanted.types
        self._wanted = wanted
        self._loop = asyncio.get_running_loop()
        self._events: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._posting: asyncio.Task[None] | None = None

    def take(self, event: dict[str, Any]) -> None:
        if event["type"].partition(".")[0] not in self.types:
            return
        line = orjson.dumps(event)
        self._events.append(line)
        self._size += len(line)
        if len(self._events) >= self._wanted.items or self._size >= self._wanted.size:
            self._post()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._wanted.seconds, self._post)

    async def flush(self) -> None:
        self._post()
        while self._posting is not None:
            await self._posting

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._posting is not None:
            self._posting.cancel()

    def _post(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._posting is None and self._events:
            self._posting = self._loop.create_task(self._post_all())

    async def _post_all(self) -> None:
        try:
            while self._events:
                batch = [self._events.popleft() for _ in range(min(len(self._events), self._wanted.items))]
                self._size = sum(map(len, self._events))
                await self._post_batch(b"[" + b",".join(batch) + b"]")
        finally:
            self._posting = None

    async def _post_batch(self, body: bytes) -> None:
        head = (
            f"POST {self._wanted.path} HTTP/1.1\r\nHost: {_HOSTS[0]}:{self._wanted.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            async with asyncio.timeout(_POST_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._wanted.port)
                with contextlib.closing(writer):
                    writer.write(head.encode() + body)
                    await reader.readline()
        except (OSError, TimeoutError, ValueError) as error:
            _log.info("telemetry was not taken", extra={"port": self._wanted.port, "reason": str(error)})


def _checked(wanted: Any) -> _Wanted:
    try:
        types = frozenset(wanted["types"])
        destination = wanted["destination"]
        protocol, address = destination["protocol"], urlsplit(destination["URI"])
        buffering = wanted.get("buffering", {})
        items = _bounded(buffering, "maxItems", _ITEMS)
        size = _bounded(buffering, "maxBytes", _BYTES)
        milliseconds = _bounded(buffering, "timeoutMs", _MILLISECONDS)
        port = address.port
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidSubscription(f"The subscription is not complete: {error}") from None
    if not types or not types <= _TYPES:
        raise InvalidSubscription(f"types are {', '.join(sorted(_TYPES))}")
    if protocol != "HTTP" or address.scheme != "http" or address.hostname not in _HOSTS or port is None:
        raise InvalidSubscription(f"The destination is HTTP on a port of {_HOSTS[0]}")
    path = address.path or "/"
    if not path.isascii() or any(character <= " " for character in path):
        raise InvalidSubscription("The destination has no path")
    return _Wanted(types, port, path, items, size, milliseconds / 1000)


def _bounded(buffering: Mapping[str, Any], name: str, bounds: tuple[int, int, int]) -> int:
    least, most, default = bounds
    value = buffering.get(name, default)
    if not isinstance(value, int) or not least <= value <= most:
        raise InvalidSubscription(f"{name} is between {least} and {most}")
    return value
