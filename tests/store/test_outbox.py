"""The outbox: at least once, in order within a lane, with retries that outlive the process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import apsw
import pytest

from cloudlet.core.clock import ManualClock, SystemClock
from cloudlet.store import Completion, Delivery, Outbox, Retry, Store, Transaction

Deliver = Callable[[Delivery], Awaitable[Completion | None]]


@pytest.fixture
async def store(tmp_path: Path, schema: Path) -> AsyncIterator[Store]:
    opened = Store(tmp_path / "a.db", schema)
    yield opened
    opened.close()


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until the condition holds; the test's time limit ends a wait in vain."""
    while not condition():
        await asyncio.sleep(0.001)


async def test_a_row_is_delivered_and_removed(store: Store) -> None:
    arrived: list[Delivery] = []

    async def deliver(delivery: Delivery) -> None:
        arrived.append(delivery)

    outbox = Outbox(store, SystemClock(), deliver)
    outbox.start()
    await store.write(lambda tx: outbox.put(tx, "arn:aws:sqs:::q", {"n": 1}))
    await until(lambda: outbox.statistics() == {"waiting": 0, "under_way": 0} and bool(arrived))
    assert (arrived[0].target, arrived[0].payload, arrived[0].attempts) == ("arn:aws:sqs:::q", {"n": 1}, 0)
    await outbox.stop()


async def test_rows_written_before_the_start_are_delivered(store: Store) -> None:
    arrived: list[int] = []

    async def deliver(delivery: Delivery) -> None:
        arrived.append(delivery.payload["n"])

    outbox = Outbox(store, SystemClock(), deliver)
    for n in range(200):
        await store.write(lambda tx, n=n: outbox.put(tx, "t", {"n": n}))
    outbox.start()
    await until(lambda: len(arrived) == 200)
    assert sorted(arrived) == list(range(200))
    await outbox.stop()


async def test_a_write_that_fails_sends_nothing(store: Store) -> None:
    arrived: list[Delivery] = []

    async def deliver(delivery: Delivery) -> None:
        arrived.append(delivery)

    outbox = Outbox(store, SystemClock(), deliver)

    def write(tx: object) -> None:
        outbox.put(tx, "t", {})  # type: ignore[arg-type]
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        await store.write(write)
    assert outbox.statistics()["waiting"] == 0


async def test_a_lane_keeps_its_order_through_retries(store: Store) -> None:
    arrived: list[int] = []
    failures = 3

    async def deliver(delivery: Delivery) -> None:
        nonlocal failures
        if delivery.payload["n"] == 0 and failures:
            failures -= 1
            raise Retry(0.01)
        arrived.append(delivery.payload["n"])

    outbox = Outbox(store, SystemClock(), deliver)
    outbox.start()
    for n in range(5):
        await store.write(lambda tx, n=n: outbox.put(tx, "t", {"n": n}, lane="one"))
    await until(lambda: len(arrived) == 5)
    assert arrived == [0, 1, 2, 3, 4]
    await outbox.stop()


async def test_a_blocked_lane_does_not_hold_up_others(store: Store) -> None:
    arrived: list[str] = []

    async def deliver(delivery: Delivery) -> None:
        if delivery.lane == "blocked":
            raise Retry(3600)
        arrived.append(delivery.lane or "none")

    outbox = Outbox(store, SystemClock(), deliver)
    for _ in range(300):
        await store.write(lambda tx: outbox.put(tx, "t", {}, lane="blocked"))
    await store.write(lambda tx: outbox.put(tx, "t", {}, lane="free"))
    await store.write(lambda tx: outbox.put(tx, "t", {}))
    outbox.start()
    await until(lambda: len(arrived) == 2)
    assert sorted(arrived) == ["free", "none"]
    await outbox.stop()


async def test_a_retry_counts_attempts_and_outlives_the_process(store: Store) -> None:
    clock = ManualClock()
    attempts: list[int] = []

    async def fails(delivery: Delivery) -> None:
        attempts.append(delivery.attempts)
        raise Retry(60)

    async def succeeds(delivery: Delivery) -> None:
        attempts.append(delivery.attempts)

    first = Outbox(store, clock, fails)
    first.start()
    await store.write(lambda tx: first.put(tx, "t", {}))
    await until(lambda: store.reader.one("SELECT attempts FROM outbox") == (1,))
    await first.stop()
    clock.advance(60)
    second = Outbox(store, clock, succeeds)
    second.start()
    await until(lambda: second.statistics()["waiting"] == 0)
    assert attempts == [0, 1]
    await second.stop()


async def test_a_completion_is_written_with_the_removal(store: Store) -> None:
    async def deliver(delivery: Delivery) -> Completion:
        def bury(tx: Transaction) -> None:
            tx.execute("INSERT INTO item VALUES ('dead letter', ?)", (delivery.target,))

        return bury

    outbox = Outbox(store, SystemClock(), deliver)
    outbox.start()
    await store.write(lambda tx: outbox.put(tx, "t", {}))
    await until(lambda: store.reader.one("SELECT value FROM item") == ("t",))
    assert outbox.statistics()["waiting"] == 0
    await outbox.stop()


async def test_a_delivery_that_cannot_be_recorded_is_not_repeated_at_once(store: Store) -> None:
    attempts = 0

    def fails(tx: Transaction) -> None:
        raise ValueError("a completion with a mistake")

    async def deliver(delivery: Delivery) -> Completion:
        nonlocal attempts
        attempts += 1
        return fails

    outbox = Outbox(store, SystemClock(), deliver)
    outbox.start()
    await store.write(lambda tx: outbox.put(tx, "t", {}))
    await until(lambda: attempts > 0)
    for _ in range(20):
        await store.write(lambda tx: None)
    assert attempts == 1
    assert outbox.statistics()["waiting"] == 1
    await outbox.stop()


async def test_a_database_that_cannot_be_read_does_not_end_the_deliveries(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived: list[Delivery] = []

    async def deliver(delivery: Delivery) -> None:
        arrived.append(delivery)

    def busy(*_: object) -> None:
        raise apsw.BusyError("database is locked")

    outbox = Outbox(store, SystemClock(), deliver)
    with monkeypatch.context() as trouble:
        trouble.setattr(store.reader, "all", busy)
        outbox.start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await store.write(lambda tx: outbox.put(tx, "t", {}))
    await until(lambda: bool(arrived))
    await outbox.stop()
