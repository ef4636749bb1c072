"""A response on its way from a function to a client, chunk by chunk, no faster than the client reads."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from cloudlet.runtime import Outcome

# Bytes that wait for the client before the function has to.
_WINDOW = 256 * 1024


class ResponseStream:
    """The sink of one invocation. `content_type` is known once the function answers."""

    def __init__(self) -> None:
        self.content_type: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._abandoned = False

    def begin(self, content_type: str) -> None:
        if not self.content_type.done():
            self.content_type.set_result(content_type)

    async def write(self, chunk: bytes) -> None:
        """Returns when there is room for more. Where nobody reads any more, the function goes on for itself."""
        if self._abandoned:
            return
        self.put(chunk)
        if self._size > _WINDOW:
            self._room.clear()
            await self._room.wait()

    def put(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._news.set()

    def end(self) -> None:
        """Nothing more will be written."""
        self._ended = True
        self._news.set()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """To be closed by a reader who stops before the end."""
        try:
            while True:
                while self._chunks:
                    chunk = self._chunks.popleft()
                    self._size -= len(chunk)
                    if self._size <= _WINDOW:
                        self._room.set()
                    yield chunk
                if self._ended:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            self._abandoned = True
            self._chunks.clear()
            self._room.set()


class StreamedInvocation:
    """An invocation whose response is read while the function runs. It runs to its end whether it is read or not."""

    _running: set[asyncio.Task[Outcome]] = set()  # noqa: RUF012 - the event loop alone does not keep tasks

    def __init__(self, stream: ResponseStream, work: Coroutine[Any, Any, Outcome]) -> None:
        self._stream = stream
        self._task = asyncio.create_task(work)
        self._running.add(self._task)
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Outcome]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # it may be that nobody reads any more
        self._stream.end()

    async def begun(self) -> str | None:
        """The content type, once the function answers; None if it fails before that. Raises AwsError."""
        content_type = self._stream.content_type
        await asyncio.wait((self._task, content_type), return_when=asyncio.FIRST_COMPLETED)
        if content_type.done():
            return content_type.result()
        return None if self._task.result().failed else "application/json"

    def chunks(self) -> AsyncGenerator[bytes]:
        return self._stream.chunks()

    async def outcome(self) -> Outcome:
        return await asyncio.shield(self._task)
