"""What the clock makes of schedules that are due: one invocation each, in its window, however late it is."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.clock import ManualClock
from cloudlet.core.signals import Signals
from cloudlet.services import scheduler
from cloudlet.services.scheduler.firing import CHANGED, Firing
from cloudlet.services.scheduler.schedules import insert_schedule, next_due
from cloudlet.store import Outbox, Store

START = 1_700_000_000.0


class Clockwork:
    """Schedules, the clock that fires them, and the invocations that come of it."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START)
        self.signals = Signals()
        self.store = Store(folder / "scheduler.db", Path(scheduler.__path__[0]) / "schema.sql")
        self.outbox = Outbox(self.store, self.clock, deliver=_nothing)
        self.firing = Firing(self.store, self.outbox, self.clock, self.signals)

    async def add(self, name: str, expression: str, **settings: Any) -> None:
        complete = {
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": "arn", "RoleArn": "role"},
            **settings,
        }
        place = ("000000000000", "us-east-1", "default", name)
        await self.store.write(lambda tx: insert_schedule(tx, place, "ENABLED", complete, None, self.clock.now()))

    async def fired_after(self, seconds: float, count: int) -> list[tuple[float, dict[str, Any]]]:
        """When each is to be delivered, and what; once there are so many, and nothing is due any more."""
        self.clock.advance(seconds)
        self.signals.notify(CHANGED)
        while True:
            rows = self.store.reader.all("SELECT due, payload FROM outbox ORDER BY due")
            due = next_due(self.store.reader)
            if len(rows) >= count and (due is None or due > self.clock.now()):
                return [(row[0], json.loads(row[1])) for row in rows]
            await asyncio.sleep(0.001)


async def _nothing(_: Any) -> None:
    raise AssertionError("nothing is delivered here")


@pytest.fixture
async def clockwork(tmp_path: Path) -> AsyncIterator[Clockwork]:
    made = Clockwork(tmp_path)
    made.firing.start()
    yield made
    await made.firing.stop()
    made.store.close()


async def test_what_is_due_is_fired_once_and_moves_on(clockwork: Clockwork) -> None:
    await clockwork.add("hourly", "rate(1 hour)")
    assert [found["scheduled"] for _, found in await clockwork.fired_after(0, 1)] == [START]
    assert next_due(clockwork.store.reader) == START + 3600
    assert len(await clockwork.fired_after(3599, 1)) == 1
    assert [found["scheduled"] for _, found in await clockwork.fired_after(1, 2)] == [START, START + 3600]


async def test_a_flexible_window_puts_the_delivery_off_at_random(clockwork: Clockwork) -> None:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10}
    for number in range(30):
        await clockwork.add(f"job-{number}", "rate(1 hour)", FlexibleTimeWindow=window)
    found = await clockwork.fired_after(0, 30)
    delays = [due - START for due, _ in found]
    assert all(0 <= delay < 600 for delay in delays)
    assert max(delays) - min(delays) > 60
    assert {payload["scheduled"] for _, payload in found} == {START}


async def test_many_times_that_were_missed_make_one_invocation(clockwork: Clockwork) -> None:
    await clockwork.add("minutely", "rate(1 minute)", StartDate=START + 60)
    ((due, found),) = await clockwork.fired_after(3 * 86400 + 30, 1)
    assert (due, found["scheduled"]) == (START + 3 * 86400 + 30, START + 3 * 86400)


async def test_the_last_invocation_is_known_to_be_the_last(clockwork: Clockwork) -> None:
    await clockwork.add("ending", "rate(1 hour)", EndDate=START + 3600)
    await clockwork.fired_after(0, 1)
    first, last = await clockwork.fired_after(3600, 2)
    assert (first[1]["modified"], last[1]["modified"]) == (None, START)
    assert next_due(clockwork.store.reader) is None
