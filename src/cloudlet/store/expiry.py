"""Deletes what has outlived its time: at start, then whenever the next is due.

That nobody sees expired rows any more is for queries to see to; here their space is freed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

_log = logging.getLogger(__name__)
# What is written or changed meanwhile is not waited for: it keeps its space an hour longer at most.
_SHORTEST_SECONDS = 60.0
_LONGEST_SECONDS = 3600.0


class Expiry:
    """`expire` deletes what has expired by now and says how many rows; `until_next` is asked for the seconds until the
    next will have, None where there is none."""

    def __init__(self, name: str, expire: Callable[[], Awaitable[int]], until_next: Callable[[], float | None]) -> None:
        self._name = name
        self._expire = expire
        self._until_next = until_next
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"expiry of {self._name}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            pause = _SHORTEST_SECONDS
            try:
                deleted = await self._expire()
                if deleted:
                    _log.info("what had expired is deleted", extra={"of": self._name, "count": deleted})
                due = self._until_next()
                pause = _LONGEST_SECONDS if due is None else min(max(due, _SHORTEST_SECONDS), _LONGEST_SECONDS)
            except Exception:  # noqa: BLE001 - a boundary: logged, and tried again
                _log.exception("what has expired could not be deleted", extra={"of": self._name})
            await asyncio.sleep(pause)
