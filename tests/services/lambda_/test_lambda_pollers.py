"""Pollers go on, however often their source cannot be read."""

import asyncio
import itertools

import pytest

from cloudlet.services.lambda_ import poller as pollers
from cloudlet.services.lambda_.poller import Poller, back_off


def test_pauses_grow_up_to_a_minute_and_stay_there() -> None:
    assert [back_off(failures, 1.0) for failures in (1, 2, 3, 7, 5000)] == [1, 2, 4, 60, 60]


async def test_a_source_that_is_away_for_days_is_read_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pollers, "_LONGEST_PAUSE", 0.0)
    poller = Poller.__new__(Poller)
    poller._stopping = asyncio.Event()
    poller._source = "arn:aws:sqs:us-east-1:000000000000:q"
    attempts = itertools.count(1)

    async def read() -> None:
        if next(attempts) < 1500:
            raise OSError("away")

    async with asyncio.timeout(20):
        await poller._retry(read)
    assert next(attempts) == 1501
