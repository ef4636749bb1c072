"""A response that a function streams, on its way to whoever invoked it."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from cloudlet.runtime.api_connection import Connection
from cloudlet.runtime.function import ResponseSink

_log = logging.getLogger(__name__)

# AWS's limit of a streamed response.
LARGEST_STREAM = 200 * 1024 * 1024
# What waits in memory for a slow reader before the function has to wait as well.
_MOST_HELD = 1 << 18


class ResponseStream:
    """Passes chunks on in order; the function's connection is not read while too much waits.

    `lost` is called if the function breaks off. A reader that goes away changes nothing for the function.
    """

    def __init__(self, sink: ResponseSink, content_type: str, connection: Connection, lost: Callable[[], None]) -> None:
        self._sink: ResponseSink | None = sink
        self._connection = connection
        self._lost = lost
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._size = 0
        self._work: asyncio.Task[None] | None = None
        self._end: Callable[[], None] | None = None
        sink.begin(content_type)

    def feed(self, chunk: bytes) -> None:
        """Raises ValueError if the response gets larger than any may be."""
        self._size += len(chunk)
        if self._size > LARGEST_STREAM:
            raise ValueError("too large")
        if self._sink is None:
            return
        self._chunks.append(chunk)
        self._held += len(chunk)
        if self._held > _MOST_HELD:
            self._connection.pause()
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._deliver(self._sink))

    def lose(self) -> None:
        self._lost()

    def end(self, then: Callable[[], None]) -> None:
        """Calls `then` once everything has been passed on."""
        if self._work is None:
            then()
        else:
            self._end = then

    def abandon(self) -> None:
        """Nothing more is passed on: the invocation is over."""
        self._sink = self._end = None
        self._forget()
        if self._work is not None:
            self._work.cancel()

    async def _deliver(self, sink: ResponseSink) -> None:
        try:
            while self._chunks:
                chunk = self._chunks.popleft()
                await sink.write(chunk)
                self._held -= len(chunk)
                if self._held <= _MOST_HELD:
                    self._connection.resume()
        except ConnectionError:
            self._sink = None
            self._forget()
        finally:
            self._work = None
            if self._end is not None:
                self._end()

    def _forget(self) -> None:
        self._chunks.clear()
        self._held = 0
        self._connection.resume()
