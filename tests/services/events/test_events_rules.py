"""Rules and their targets: their life, and what is refused."""

import json
from typing import Any

import pytest
from event_making import error_of

ACCOUNT = "arn:aws:events:us-east-1:000000000000"
PATTERN = '{"source": ["shop"]}'
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
BUS = f"{ACCOUNT}:event-bus/b"
ROLE = "arn:aws:iam::000000000000:role/r"


@pytest.fixture(scope="module")
def events(server: Any) -> Any:
    return server.client("events")


@pytest.fixture(scope="module")
def rule(events: Any) -> str:
    """A rule for targets that are tried and refused."""
    events.put_rule(Name="refusing", EventPattern=PATTERN)
    return "refusing"


def test_a_rule_is_made_replaced_and_deleted(events: Any) -> None:
    arn = events.put_rule(Name="life", EventPattern=PATTERN, Description="d", State="DISABLED")["RuleArn"]
    assert arn == f"{ACCOUNT}:rule/life"
    found = events.describe_rule(Name="life")
    found.pop("ResponseMetadata")
    assert found == {
        "Name": "life",
        "Arn": arn,
        "EventPattern": PATTERN,
        "State": "DISABLED",
        "Description": "d",
        "EventBusName": "default",
        "CreatedBy": "000000000000",
    }
    events.enable_rule(Name="life")
    assert events.describe_rule(Name="life")["State"] == "ENABLED"
    events.disable_rule(Name="life")
    events.put_rule(Name="life", ScheduleExpression="rate(1 hour)")
    found = events.describe_rule(Name="life")
    assert found["State"] == "ENABLED"
    assert "EventPattern" not in found
    assert "Description" not in found
    events.delete_rule(Name="life")
    events.delete_rule(Name="life")
    assert error_of(events.describe_rule, Name="life") == (
        "ResourceNotFoundException",
        "Rule life does not exist on EventBus default.",
    )
    assert error_of(events.enable_rule, Name="life")[0] == "ResourceNotFoundException"


def test_rules_of_another_bus_have_its_name_in_theirs(events: Any) -> None:
    bus = events.create_event_bus(Name="own")["EventBusArn"]
    arn = events.put_rule(Name="r", EventPattern=PATTERN, EventBusName=bus)["RuleArn"]
    assert arn == f"{ACCOUNT}:rule/own/r"
    assert events.describe_rule(Name="r", EventBusName="own")["EventBusName"] == "own"
    assert [found["Arn"] for found in events.list_rules(EventBusName="own")["Rules"]] == [arn]
    assert error_of(events.describe_rule, Name="r")[0] == "ResourceNotFoundException"
    assert error_of(events.list_rules, EventBusName="none") == (
        "ResourceNotFoundException",
        "Event bus none does not exist.",
    )
    assert error_of(events.put_rule, Name="r", EventPattern=PATTERN, EventBusName="none")[0] == (
        "ResourceNotFoundException"
    )


def test_rules_are_listed_in_pages_and_by_target(events: Any) -> None:
    for name in ("list-c", "list-a", "list-b"):
        events.put_rule(Name=name, EventPattern=PATTERN)
        events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": f"{QUEUE}-listed"}])
    first = events.list_rules(NamePrefix="list-", Limit=2)
    assert [found["Name"] for found in first["Rules"]] == ["list-a", "list-b"]
    last = events.list_rules(NamePrefix="list-", Limit=2, NextToken=first["NextToken"])
    assert [found["Name"] for found in last["Rules"]] == ["list-c"]
    pages = events.get_paginator("list_rule_names_by_target").paginate(
        TargetArn=f"{QUEUE}-listed", PaginationConfig={"PageSize": 1}
    )
    assert [name for page in pages for name in page["RuleNames"]] == ["list-a", "list-b", "list-c"]
    assert events.list_rule_names_by_target(TargetArn=QUEUE)["RuleNames"] == []


def test_a_pattern_that_is_none_is_refused_with_its_place(events: Any) -> None:
    code, message = error_of(events.put_rule, Name="bad", EventPattern='{"source": "shop"}')
    assert code == "InvalidEventPatternException"
    assert message == (
        'Event pattern is not valid. Reason: "source" must be an object or an array\n'
        ' at [Source: (String)"{"source": "shop"}"; line: 1, column: 13]'
    )


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(0 minutes)",
        "rate(5 seconds)",
        "cron(0 12 * * *)",
        "cron(0 12 * * * *)",
        "at(2027-01-01T00:00:00)",
        "hourly",
    ],
)
def test_schedules_that_are_none(events: Any, expression: str) -> None:
    assert error_of(events.put_rule, Name="bad", ScheduleExpression=expression) == (
        "ValidationException",
        "Parameter ScheduleExpression is not valid.",
    )


def test_rules_that_cannot_be(events: Any) -> None:
    assert error_of(events.put_rule, Name="bad") == (
        "ValidationException",
        "Parameter(s) EventPattern or ScheduleExpression must be specified.",
    )
    events.create_event_bus(Name="no-schedules")
    schedule = {"Name": "bad", "ScheduleExpression": "rate(1 day)"}
    assert error_of(events.put_rule, EventBusName="no-schedules", **schedule) == (
        "ValidationException",
        "ScheduleExpression is supported only on the default event bus.",
    )
    state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    assert error_of(events.put_rule, Name="bad", EventPattern=PATTERN, State=state)[0] == "NotImplemented"
    assert error_of(events.put_rule, Name="bad name", EventPattern=PATTERN)[0] == "ValidationException"


def test_tags_of_rules(events: Any) -> None:
    arn = events.put_rule(Name="tagged", EventPattern=PATTERN, Tags=[{"Key": "a", "Value": "1"}])["RuleArn"]
    events.put_rule(Name="tagged", EventPattern=PATTERN, Tags=[{"Key": "ignored", "Value": "1"}])
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "2"},
    ]
    events.untag_resource(ResourceARN=arn, TagKeys=["a", "b"])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == []
    assert error_of(events.tag_resource, ResourceARN=f"{arn}s", Tags=[])[0] == "ResourceNotFoundException"


def test_targets_are_put_replaced_and_removed(events: Any) -> None:
    events.put_rule(Name="targets", EventPattern=PATTERN)
    first = {"Id": "1", "Arn": QUEUE, "Input": '{"a": 1}', "RetryPolicy": {"MaximumRetryAttempts": 0}}
    answer = events.put_targets(Rule="targets", Targets=[first, {"Id": "2", "Arn": QUEUE}])
    assert (answer["FailedEntryCount"], answer["FailedEntries"]) == (0, [])
    assert events.list_targets_by_rule(Rule="targets")["Targets"] == [first, {"Id": "2", "Arn": QUEUE}]
    events.put_targets(Rule="targets", Targets=[{"Id": "1", "Arn": f"{QUEUE}2"}])
    assert events.list_targets_by_rule(Rule="targets")["Targets"][0] == {"Id": "1", "Arn": f"{QUEUE}2"}
    assert error_of(events.delete_rule, Name="targets") == (
        "ValidationException",
        "Rule can't be deleted since it has targets.",
    )
    answer = events.remove_targets(Rule="targets", Ids=["1", "2", "3"])
    assert answer["FailedEntryCount"] == 1
    assert answer["FailedEntries"][0]["TargetId"] == "3"
    assert answer["FailedEntries"][0]["ErrorCode"] == "ResourceNotFoundException"
    events.delete_rule(Name="targets")
    assert error_of(events.list_targets_by_rule, Rule="targets") == (
        "ResourceNotFoundException",
        "Rule targets does not exist on EventBus default.",
    )
    assert error_of(events.put_targets, Rule="targets", Targets=[first])[0] == "ResourceNotFoundException"


def test_a_rule_has_five_targets_at_most(events: Any) -> None:
    events.put_rule(Name="many", EventPattern=PATTERN)
    targets = [{"Id": str(number), "Arn": QUEUE} for number in range(6)]
    assert error_of(events.put_targets, Rule="many", Targets=targets) == (
        "LimitExceededException",
        "The requested resource exceeds the maximum number allowed.",
    )
    events.put_targets(Rule="many", Targets=targets[:5])
    assert error_of(events.put_targets, Rule="many", Targets=targets[5:])[0] == "LimitExceededException"
    events.put_targets(Rule="many", Targets=targets[:1])
    assert len(events.list_targets_by_rule(Rule="many")["Targets"]) == 5


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"Arn": "queue"}, "Parameter queue is not valid. Reason: Provided Arn is not in correct format."),
        ({"Arn": "arn:aws:nothing:us-east-1:000000000000:x"}, "Provided Arn is not in correct format."),
        ({"Arn": "arn:aws:lambda:us-east-1:000000000000:layer:x"}, "Provided Arn is not in correct format."),
        ({"Arn": f"{QUEUE}.fifo"}, "Parameter(s) SqsParameters must be specified for target: t."),
        ({"Arn": QUEUE, "Input": "{"}, "JSON syntax error in input for target t."),
        ({"Arn": QUEUE, "InputPath": "detail"}, "Invalid InputPath for target t."),
        ({"Arn": QUEUE, "Input": "{}", "InputPath": "$"}, "Only one of Input, InputPath, or InputTransformer"),
        ({"Arn": QUEUE, "InputTransformer": {"InputTemplate": '{"a": <b>}'}}, "contains invalid placeholder b."),
        ({"Arn": QUEUE, "InputTransformer": {"InputTemplate": '{"a": }'}}, "Invalid InputTemplate for target t"),
        ({"Arn": QUEUE, "KinesisParameters": {"PartitionKeyPath": "$.id"}}, "KinesisParameters is not supported"),
        ({"Arn": QUEUE, "DeadLetterConfig": {"Arn": f"{QUEUE}.fifo"}}, "is a standard Amazon SQS queue"),
        ({"Arn": "arn:aws:sns:us-east-1:000000000000:t.fifo"}, "FIFO topics are not supported"),
        ({"Arn": BUS, "Input": "{}"}, "Input is not supported for target t, an event bus."),
        ({"Arn": "arn:aws:sns:us-east-1:000000000000:t", "SqsParameters": {"MessageGroupId": "g"}}, "SqsParameters is"),
        ({"Arn": QUEUE, "RetryPolicy": {"MaximumRetryAttempts": 186}}, "Member must have value less than or equal"),
    ],
)
def test_targets_that_cannot_be(events: Any, rule: str, target: dict[str, Any], reason: str) -> None:
    code, message = error_of(events.put_targets, Rule=rule, Targets=[{"Id": "t", **target}])
    assert code == "ValidationException"
    assert reason in message


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:states:us-east-1:000000000000:stateMachine:x",
        "arn:aws:kinesis:us-east-1:000000000000:stream/x",
        f"{ACCOUNT}:api-destination/x/1",
        "arn:aws:execute-api:us-east-1:000000000000:x/y/GET/z",
    ],
)
def test_targets_that_are_not_there_yet(events: Any, rule: str, arn: str) -> None:
    assert error_of(events.put_targets, Rule=rule, Targets=[{"Id": "t", "Arn": arn}])[0] == "NotImplemented"


def test_an_event_can_be_tried_against_a_pattern(events: Any) -> None:
    event = {
        "id": "1",
        "account": "1",
        "source": "shop",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail-type": "t",
        "detail": {"n": 5},
    }
    for low, wanted in ((4, True), (5, False)):
        pattern = json.dumps({"source": ["shop"], "detail": {"n": [{"numeric": [">", low]}]}})
        assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is wanted
    del event["resources"]
    code, _ = error_of(events.test_event_pattern, EventPattern=PATTERN, Event=json.dumps(event))
    assert code == "ValidationException"
    code, _ = error_of(events.test_event_pattern, EventPattern="{}", Event="{}")
    assert code == "InvalidEventPatternException"
