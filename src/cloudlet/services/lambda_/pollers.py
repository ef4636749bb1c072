"""Owns the pollers: one per enabled event source mapping, replaced when the mapping changes."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import orjson

from cloudlet.services.lambda_.poller import Poller, Surroundings
from cloudlet.services.lambda_.queue_poller import QueuePoller
from cloudlet.services.lambda_.stream_poller import StreamPoller

_log = logging.getLogger(__name__)


class Pollers:
    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._pollers: dict[str, Poller] = {}
        self._replacing: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        rows = self._around.store.reader.all("SELECT uuid, configuration FROM event_source_mapping")
        for uuid, configuration in rows:
            self._start(uuid, orjson.loads(configuration))

    async def stop(self) -> None:
        """Returns when every batch under way is done with."""
        while self._replacing:
            await asyncio.wait(self._replacing.values())
        await asyncio.gather(*(poller.stop() for poller in self._pollers.values()))
        self._pollers.clear()

    def replace(self, uuid: str, mapping: Mapping[str, Any] | None) -> None:
        """The mapping has changed, or is no more (None): its poller ends what it does, then the new one starts."""
        before = self._replacing.get(uuid)
        task = self._replacing[uuid] = asyncio.create_task(self._replace(before, uuid, mapping))
        task.add_done_callback(lambda done: self._replaced(uuid, done))

    def result(self, uuid: str) -> str:
        """What came of the last batch, for people."""
        poller = self._pollers.get(uuid)
        return poller.result if poller is not None else "No records processed"

    async def _replace(self, before: asyncio.Task[None] | None, uuid: str, mapping: Mapping[str, Any] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        old = self._pollers.pop(uuid, None)
        if old is not None:
            await old.stop()
        if mapping is not None:
            self._start(uuid, mapping)

    def _replaced(self, uuid: str, task: asyncio.Task[None]) -> None:
        if self._replacing.get(uuid) is task:
            del self._replacing[uuid]

    def _start(self, uuid: str, mapping: Mapping[str, Any]) -> None:
        try:
            if mapping["State"] != "Enabled":
                return
            kind = QueuePoller if mapping["EventSourceArn"].split(":")[2] == "sqs" else StreamPoller
            poller = kind(self._around, uuid, mapping)
        except Exception:  # noqa: BLE001 - a boundary: one mapping's trouble is not the others'
            _log.exception("an event source mapping has no poller", extra={"mapping": uuid})
            return
        self._pollers[uuid] = poller
        poller.start()
