"""Buses as targets: of the same account, of another region, of another account; once, not in circles."""

import json
from collections.abc import Callable
from typing import Any

from event_making import Queue, entry, error_of, stranger

MakeQueue = Callable[..., Queue]
MakeRule = Callable[..., str]
ACCOUNT = "000000000000"


def test_an_event_goes_on_to_another_bus_as_it_is(server: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    events = server.client("events")
    second = events.create_event_bus(Name="second")["EventBusArn"]
    queue = make_queue(server, "of-second")
    make_rule(server, "on-second", "shop.on", {"Arn": queue.arn}, bus="second")
    make_rule(server, "to-second", "shop.on", {"Arn": second})
    answer = events.put_events(Entries=[entry("shop.on", {"n": 1})])
    (event,) = queue.events(1)
    assert event["id"] == answer["Entries"][0]["EventId"]
    assert event["detail"] == {"n": 1}


def test_it_goes_on_once(server: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    events = server.client("events")
    buses = [events.create_event_bus(Name=f"circle-{number}")["EventBusArn"] for number in (1, 2)]
    queue, letters = make_queue(server, "of-circle"), make_queue(server, "letters-of-circle")
    back = {"Arn": buses[0], "DeadLetterConfig": {"Arn": letters.arn}}
    make_rule(server, "there", "shop.circle", {"Arn": buses[1]}, bus="circle-1")
    make_rule(server, "back", "shop.circle", back, {"Arn": queue.arn}, bus="circle-2")
    events.put_events(Entries=[entry("shop.circle", EventBusName=buses[0])])
    (letter,) = letters.messages(1)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "THIRD_ACCOUNT_HOP_DETECTED"
    assert len(queue.messages(1)) == 1
    assert queue.is_empty()


def test_to_another_region(server: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    there = server.session().client("events", region_name="eu-west-1", endpoint_url=server.url)
    queue = make_queue(server, "of-regions")
    there.put_rule(Name="arrived", EventPattern='{"source": ["shop.region"]}')
    there.put_targets(Rule="arrived", Targets=[{"Id": "q", "Arn": queue.arn, "InputPath": "$.region"}])
    bus = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default"
    make_rule(server, "to-region", "shop.region", {"Arn": bus})
    server.client("events").put_events(Entries=[entry("shop.region")])
    assert queue.events(1) == ["us-east-1"]


def test_to_another_account_if_its_bus_lets_us(server: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    other, session = stranger(server, "receiver")
    theirs = server.client("events", session=session)
    bus = theirs.create_event_bus(Name="open")["EventBusArn"]
    queue = make_queue(server, "of-other")
    theirs.put_rule(Name="arrived", EventPattern='{"source": ["shop.far"]}', EventBusName="open")
    theirs.put_targets(Rule="arrived", EventBusName="open", Targets=[{"Id": "q", "Arn": queue.arn}])
    letters = make_queue(server, "letters-of-far")
    make_rule(server, "far", "shop.far", {"Arn": bus, "DeadLetterConfig": {"Arn": letters.arn}})
    events = server.client("events")
    events.put_events(Entries=[entry("shop.far", {"n": 1})])
    (letter,) = letters.messages(1)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    theirs.put_permission(EventBusName="open", StatementId="us", Action="events:PutEvents", Principal=ACCOUNT)
    events.put_events(Entries=[entry("shop.far", {"n": 2})])
    (event,) = queue.events(1)
    assert (event["account"], event["detail"]) == (ACCOUNT, {"n": 2})
    assert other != ACCOUNT


def test_anothers_bus_is_open_by_its_policy_alone(server: Any) -> None:
    events = server.client("events")
    bus = events.create_event_bus(Name="guarded")["EventBusArn"]
    other, session = stranger(server, "sender")
    theirs = server.client("events", session=session)
    wanted = [entry("shop.visit", EventBusName=bus)]
    code, message = error_of(theirs.put_events, Entries=wanted)
    assert code == "AccessDeniedException"
    assert f"is not authorized to perform: events:PutEvents on resource: {bus}" in message
    statement = {
        "Sid": "visits",
        "Effect": "Allow",
        "Principal": {"AWS": other},
        "Action": ["events:PutEvents", "events:PutRule", "events:DescribeRule"],
        "Resource": [bus, f"arn:aws:events:us-east-1:{ACCOUNT}:rule/guarded/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    events.put_permission(EventBusName="guarded", Policy=policy)
    assert theirs.put_events(Entries=wanted)["FailedEntryCount"] == 0
    arn = theirs.put_rule(Name="ours", EventPattern='{"source": ["x"]}', EventBusName=bus)["RuleArn"]
    assert arn == f"arn:aws:events:us-east-1:{ACCOUNT}:rule/guarded/ours"
    assert events.describe_rule(Name="ours", EventBusName="guarded")["CreatedBy"] == other
    assert error_of(theirs.delete_rule, Name="ours", EventBusName=bus)[0] == "AccessDeniedException"
