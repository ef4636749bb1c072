"""Which pollers run is what the event source mappings on disk say, whatever comes in between."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from cloudlet.core.context import Call, Principal
from cloudlet.services.lambda_ import Lambda
from cloudlet.services.lambda_.base import SCHEMA
from cloudlet.services.lambda_.pollers import Pollers
from cloudlet.services.lambda_.queue_poller import QueuePoller
from cloudlet.store import Store

ACCOUNT, REGION = "000000000000", "us-east-1"
MAPPING: dict[str, Any] = {
    "UUID": "one",
    "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
    "EventSourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
    "State": "Enabled",
    "BatchSize": 10,
    "MaximumBatchingWindowInSeconds": 0,
}


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "lambda.db", SCHEMA)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The mappings whose pollers were started; they do nothing."""
    uuids: list[str] = []
    monkeypatch.setattr(QueuePoller, "start", lambda poller: uuids.append(poller._uuid))
    return uuids


@pytest.fixture
def pollers(store: Store) -> Pollers:
    cloud = SimpleNamespace(settings=SimpleNamespace(endpoint_url=""))
    around: Any = SimpleNamespace(store=store, cloud=cloud)
    return Pollers(around)


async def save(store: Store, *mappings: dict[str, Any]) -> None:
    rows = [(mapping["UUID"], ACCOUNT, REGION, "f", orjson.dumps(mapping), b"{}") for mapping in mappings]
    await store.write(lambda tx: tx.many("INSERT INTO event_source_mapping VALUES (?, ?, ?, ?, ?, ?)", rows))


async def test_a_mapping_that_makes_no_sense_stops_no_other(store: Store, pollers: Pollers, started: list[str]) -> None:
    broken = {**MAPPING, "UUID": "broken", "FilterCriteria": {"Filters": [{"Pattern": "no JSON"}]}}
    await save(store, broken, MAPPING)
    pollers.start()
    assert started == ["one"]
    await pollers.stop()


@pytest.mark.parametrize(
    ("operation", "expected"), [("UpdateEventSourceMapping", ["one"]), ("DeleteEventSourceMapping", [])]
)
async def test_who_hangs_up_leaves_the_poller_that_was_asked_for(
    store: Store, pollers: Pollers, started: list[str], operation: str, expected: list[str]
) -> None:
    await save(store, MAPPING)
    pollers.start()
    started.clear()
    service = Lambda.__new__(Lambda)
    service.store, service.pollers = store, pollers
    call = Call("lambda", operation, ACCOUNT, REGION, Principal.root(ACCOUNT), "id", 0.0)
    handler = next(found.handler for found in service.operations() if found.name == operation)
    request = asyncio.ensure_future(handler(call, {"UUID": "one"}))
    await asyncio.sleep(0)  # the write waits to be committed
    request.cancel()
    await store.write(lambda tx: None)
    while pollers._replacing:
        await asyncio.sleep(0)
    assert (started, list(pollers._pollers)) == (expected, expected)
