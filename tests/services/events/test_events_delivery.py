"""Events on their way: from PutEvents to the targets of the rules that they match."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from event_making import Queue, entry

MakeQueue = Callable[..., Queue]
MakeRule = Callable[..., str]
ACCOUNT = "000000000000"
REGION = "us-east-1"


def test_an_event_reaches_a_queue_in_its_whole_shape(server: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    queue = make_queue(server, "shape")
    make_rule(server, "shape", "shop.shape", {"Arn": queue.arn})
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    answer = server.client("events").put_events(
        Entries=[entry("shop.shape", {"a": [1, {"b": None}]}, Resources=["arn:x"], Time=moment)]
    )
    assert answer["FailedEntryCount"] == 0
    (message,) = queue.messages(1)
    assert json.loads(message["Body"]) == {
        "version": "0",
        "id": answer["Entries"][0]["EventId"],
        "detail-type": "Test",
        "source": "shop.shape",
        "account": ACCOUNT,
        "time": "2026-03-04T05:06:07Z",
        "region": REGION,
        "resources": ["arn:x"],
        "detail": {"a": [1, {"b": None}]},
    }
