"""Carries message move tasks out, step by step; those that a stop cut short go on at the next start."""

import asyncio
import logging
from contextlib import suppress

from cloudlet.core.clock import Clock
from cloudlet.core.signals import Signals
from cloudlet.services.sqs.move_tasks import MoveTask, Step, running_tasks, step
from cloudlet.services.sqs.queues import Queues
from cloudlet.store import Store, Transaction

_log = logging.getLogger(__name__)
_AT_ONCE = 100
# While the database takes no writes, in seconds.
_TROUBLE_PAUSE = 10.0


class Mover:
    """One asyncio task per running move task."""

    def __init__(self, store: Store, queues: Queues, signals: Signals, clock: Clock) -> None:
        self._store = store
        self._queues = queues
        self._signals = signals
        self._clock = clock
        self._under_way: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for task in running_tasks(self._store.reader):
            self.take_up(task)

    def take_up(self, task: MoveTask) -> None:
        under_way = asyncio.create_task(self._carry_out(task), name="sqs-move-task")
        self._under_way.add(under_way)
        under_way.add_done_callback(self._under_way.discard)

    async def stop(self) -> None:
        for under_way in list(self._under_way):
            under_way.cancel()
            with suppress(asyncio.CancelledError):
                await under_way

    async def _carry_out(self, task: MoveTask) -> None:
        running = True
        while running:
            try:
                running = (await self._step(task)).running
            except Exception:  # noqa: BLE001 - a boundary: logged, and tried again
                _log.exception("messages could not be moved", extra={"task": task.handle})
                await asyncio.sleep(_TROUBLE_PAUSE)
            if task.rate is not None:
                await asyncio.sleep(1)  # the rate is a number of messages a second

    async def _step(self, task: MoveTask) -> Step:
        queues = {queue.arn: queue for queue in self._queues.all()}
        now = int(self._clock.now() * 1000)

        def move(tx: Transaction) -> Step:
            done = step(tx, task.handle, queues, task.rate or _AT_ONCE, now)
            for destination in done.destinations:
                tx.after_commit(lambda topic=destination.signal: self._signals.notify(topic))
            return done

        return await self._store.write(move)
