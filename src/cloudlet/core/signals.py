"""In-process wake-ups: whoever waits for work sleeps until somebody says that there is some."""

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager


class Listener:
    """One waiter's flag. A signal that comes between two waits is kept, so none is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, timeout: float | None = None) -> bool:
        """Waits for the next signal, at most `timeout` seconds; False if none came."""
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Signals:
    """Topics by name. Only hints travel here: what happened is in the database before the signal is sent."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[Listener]] = defaultdict(set)

    def notify(self, topic: str) -> None:
        """Wakes all who listen to the topic. To be called on the event loop."""
        for listener in self._listeners.get(topic, ()):
            listener.set()

    @contextmanager
    def listen(self, *topics: str) -> Generator[Listener, None, None]:
        """Look for work inside the block, then wait: a signal since the block began is not lost."""
        listener = Listener()
        for topic in topics:
            self._listeners[topic].add(listener)
        try:
            yield listener
        finally:
            for topic in topics:
                self._listeners[topic].discard(listener)
                if not self._listeners[topic]:
                    del self._listeners[topic]
