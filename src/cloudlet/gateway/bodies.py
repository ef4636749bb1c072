"""Bodies of requests while they arrive."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest

# Bodies up to here are read before anything else; larger ones are streamed to operations that can take a stream.
IN_MEMORY = 128 * 1024
# What may wait here for the operation before the client has to.
_HIGH_WATER = 64 * 1024


class ClientGone(Exception):
    """The client closed the connection before its request, or its answer, was complete."""


class IncomingBody:
    """What has arrived of a body and was not read yet. `invite` is called before the first wait for more,
    `pause` with whether the client is to wait."""

    def __init__(self, invite: Callable[[], None], pause: Callable[[bool], None]) -> None:
        self._invite = invite
        self._pause = pause
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._complete = False
        self._gone = False
        self._unwanted = False
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, chunk: bytes) -> None:
        if self._unwanted:
            return
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > _HIGH_WATER:
            self._pause(True)
        self._wake()

    def end(self) -> None:
        self._complete = True
        self._wake()

    def lose(self) -> None:
        """The client is gone."""
        self._gone = True
        self._wake()

    def discard(self) -> None:
        """The request has been answered: what still comes is read from the connection and thrown away."""
        self._unwanted = True
        self._chunks.clear()
        self._size = 0
        self._pause(False)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for the client to send more."""
        return self._waiter is not None and not self._waiter.done()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises ClientGone if the rest does not come."""
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._size -= len(chunk)
                yield chunk
            if self._complete:
                return
            if self._gone:
                raise ClientGone
            self._pause(False)
            self._invite()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def read_all(request: HttpRequest, limit: int) -> bytes:
    """The whole body, for operations that need it whole. Raises RequestEntityTooLarge (413) beyond `limit` bytes."""
    if request.body.content is None:
        if request.body.length is not None and request.body.length > limit:
            raise _too_large(limit)
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.body:
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
        request.body = Body.of(b"".join(chunks))
    return await request.body.read()


def _too_large(limit: int) -> AwsError:
    return AwsError("RequestEntityTooLarge", f"The request body is larger than {limit} bytes.", status=413)
