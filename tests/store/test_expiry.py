"""What has expired is deleted when it is due, and a failure is not the end of it."""

import asyncio

import pytest

from cloudlet.store import Expiry, expiry


@pytest.mark.parametrize("due", [0.0, None])
async def test_it_deletes_again_and_again_and_survives_failures(
    monkeypatch: pytest.MonkeyPatch, due: float | None
) -> None:
    monkeypatch.setattr(expiry, "_SHORTEST_SECONDS", 0.001)
    monkeypatch.setattr(expiry, "_LONGEST_SECONDS", 0.002)
    runs, done = 0, asyncio.Event()

    async def expire() -> int:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise OSError("the disk is away")
        if runs == 4:
            done.set()
        return 1

    sweeping = Expiry("rows", expire, lambda: due)
    sweeping.start()
    await asyncio.wait_for(done.wait(), 20)
    await sweeping.stop()
    stopped_at = runs
    await asyncio.sleep(0.05)
    assert runs == stopped_at


async def test_what_is_due_later_is_not_looked_for_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "_SHORTEST_SECONDS", 0.001)
    first = asyncio.Event()
    runs = 0

    async def expire() -> int:
        nonlocal runs
        runs += 1
        first.set()
        return 0

    sweeping = Expiry("rows", expire, lambda: 1000.0)
    sweeping.start()
    await asyncio.wait_for(first.wait(), 20)
    await asyncio.sleep(0.1)
    await sweeping.stop()
    assert runs == 1
