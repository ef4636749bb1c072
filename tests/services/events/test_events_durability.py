"""Nothing acknowledged is lost, whenever the process dies; schedules fall due across stops."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from event_making import Queue, entry

MakeQueue = Callable[..., Queue]
MakeRule = Callable[..., str]
_DEADLINE = 60


def test_what_was_acknowledged_arrives_after_a_crash(
    own_server: Any, make_queue: MakeQueue, make_rule: MakeRule
) -> None:
    events = own_server.client("events")
    queues = [make_queue(own_server, f"crash-{number}") for number in range(3)]
    second = events.create_event_bus(Name="second")["EventBusArn"]
    make_rule(own_server, "direct", "shop", {"Arn": queues[0].arn}, {"Arn": queues[1].arn}, {"Arn": second})
    make_rule(own_server, "indirect", "shop", {"Arn": queues[2].arn}, bus="second")
    acknowledged: list[str] = []
    threading.Thread(target=_put_until_it_fails, args=(events, acknowledged), daemon=True).start()
    deadline = time.monotonic() + _DEADLINE
    while len(acknowledged) < 40:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    own_server.kill9()
    own_server.start()
    wanted = set(acknowledged)
    for queue in queues:
        arrived: set[str] = set()
        while not wanted <= arrived:
            arrived.update(event["id"] for event in queue.events(1))


def _put_until_it_fails(events: Any, acknowledged: list[str]) -> None:
    try:
        while True:
            answer = events.put_events(Entries=[entry("shop", {"n": number}) for number in range(2)])
            acknowledged += [found["EventId"] for found in answer["Entries"]]
    except Exception:  # noqa: BLE001 - the server has been killed
        return


def test_rules_buses_and_retries_survive(own_server: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    events = own_server.client("events")
    events.create_event_bus(Name="kept", Description="d", Tags=[{"Key": "a", "Value": "b"}])
    queue = make_queue(own_server, "kept")
    arn = make_rule(own_server, "kept", "shop", {"Arn": queue.arn}, bus="kept")
    events.put_rule(Name="scheduled", ScheduleExpression="cron(0 12 * * ? *)", State="DISABLED")
    own_server.restart()
    assert events.describe_event_bus(Name="kept")["Description"] == "d"
    assert events.describe_rule(Name="kept", EventBusName="kept")["Arn"] == arn
    assert events.describe_rule(Name="scheduled")["State"] == "DISABLED"
    events.put_events(Entries=[entry("shop", EventBusName="kept")])
    assert queue.events(1)[0]["source"] == "shop"


def set_due(server: Any, rule: str, due: float) -> None:
    """Moves the time at which a rule is due next, while the server is not running."""
    with sqlite3.connect(server.data / "events.db") as connection:
        assert connection.execute("UPDATE rule SET due = ? WHERE arn = ?", (due, rule)).rowcount == 1
    connection.close()


def due_of(server: Any, rule: str) -> float | None:
    with sqlite3.connect(server.data / "events.db") as connection:
        (due,) = connection.execute("SELECT due FROM rule WHERE arn = ?", (rule,)).fetchone()
    connection.close()
    return due


def scheduled(server: Any, name: str, expression: str, queue: Queue, **target: Any) -> str:
    events = server.client("events")
    arn: str = events.put_rule(Name=name, ScheduleExpression=expression)["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn, **target}])
    return arn


def test_a_schedule_falls_due(own_server: Any, make_queue: MakeQueue) -> None:
    queue = make_queue(own_server, "due")
    rule = scheduled(own_server, "due", "rate(1 minute)", queue)
    own_server.kill9()
    due = time.time() + 3
    set_due(own_server, rule, due)
    own_server.start()
    (message,) = queue.messages(1)
    sent = int(message["Attributes"]["SentTimestamp"]) / 1000
    assert sent >= due
    event = json.loads(message["Body"])
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": datetime.fromtimestamp(int(due), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [rule],
        "detail": {},
    }
    following = due_of(own_server, rule)
    assert following is not None
    assert due < following <= sent + 60


def test_what_was_missed_is_made_up_for_once(own_server: Any, make_queue: MakeQueue) -> None:
    queue = make_queue(own_server, "missed")
    rule = scheduled(own_server, "missed", "rate(1 minute)", queue, Input='"run"')
    own_server.kill9()
    set_due(own_server, rule, time.time() - 3600)
    own_server.start()
    assert queue.events(1) == ["run"]
    following = due_of(own_server, rule)
    assert following is not None
    assert following > time.time() - 1
    own_server.restart()
    assert queue.is_empty()


def test_a_schedule_is_due_only_while_it_is_enabled(own_server: Any, make_queue: MakeQueue) -> None:
    queue = make_queue(own_server, "resting")
    rule = scheduled(own_server, "resting", "rate(2 minutes)", queue)
    began = due_of(own_server, rule)
    assert began is not None
    assert 60 < began - time.time() <= 120
    own_server.client("events").disable_rule(Name="resting")
    assert due_of(own_server, rule) is None
    own_server.client("events").enable_rule(Name="resting")
    again = due_of(own_server, rule)
    assert again is not None
    assert again > began
    own_server.client("events").put_rule(Name="resting", ScheduleExpression="rate(2 minutes)", Description="same")
    assert due_of(own_server, rule) == again
    own_server.client("events").put_rule(Name="resting", ScheduleExpression="cron(0 0 1 1 ? 2020)")
    assert due_of(own_server, rule) is None
