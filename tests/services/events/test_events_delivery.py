"""Events on their way: from PutEvents to the targets of the rules that they match."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from event_making import Queue, entry, error_of

MakeQueue = Callable[..., Queue]
MakeRule = Callable[..., str]
ACCOUNT = "000000000000"
REGION = "us-east-1"
_DEADLINE = 60
# Sends what it gets to the queue that its environment names.
PASSES_ON = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""
# Puts the next event, until there were twenty.
GOES_ROUND = """
import boto3, json, os
def handler(event, context):
    n = event["detail"]["n"]
    if n == 20:
        boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody='"round 20"')
    else:
        detail = json.dumps({"n": n + 1})
        boto3.client("events").put_events(Entries=[{"Source": "shop.round", "DetailType": "t", "Detail": detail}])
"""


@pytest.fixture(scope="module")
def events(server: Any) -> Any:
    return server.client("events")


def test_an_event_reaches_a_queue_in_its_whole_shape(
    server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule
) -> None:
    queue = make_queue(server, "shape")
    make_rule(server, "shape", "shop.shape", {"Arn": queue.arn})
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    answer = events.put_events(
        Entries=[entry("shop.shape", {"a": [1, {"b": None}]}, Resources=["arn:x"], Time=moment, TraceHeader="Root=1-a")]
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
    assert message["Attributes"]["AWSTraceHeader"] == "Root=1-a"


def test_each_rule_that_matches_delivers_to_each_of_its_targets(
    server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule
) -> None:
    one, two, three = (make_queue(server, f"each-{number}") for number in (1, 2, 3))
    make_rule(server, "each-a", "shop.each", {"Arn": one.arn}, {"Arn": two.arn, "InputPath": "$.detail.n"})
    make_rule(server, "each-b", "shop.each", {"Arn": three.arn})
    make_rule(server, "each-c", "shop.other", {"Arn": three.arn})
    events.put_events(Entries=[entry("shop.each", {"n": number}) for number in range(10)])
    assert sorted(event["detail"]["n"] for event in one.events(10)) == list(range(10))
    assert sorted(two.events(10)) == list(range(10))
    assert sorted(event["detail"]["n"] for event in three.events(10)) == list(range(10))


def test_rules_find_their_events_by_any_field(server: Any, events: Any, make_queue: MakeQueue) -> None:
    queue = make_queue(server, "fields")
    patterns = {
        "by-type": {"detail-type": ["Fields"]},
        "by-prefix": {"source": [{"prefix": "fields."}]},
        "by-detail": {"detail": {"fields": [{"exists": True}]}},
        "by-either": {"$or": [{"source": ["fields.or"]}, {"detail": {"or": [1]}}]},
    }
    for name, pattern in patterns.items():
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn, "Input": json.dumps(name)}])
    events.put_events(
        Entries=[{**entry("x.y"), "DetailType": "Fields"}, entry("fields.a"), entry("x.y", {"fields": 1})]
    )
    assert sorted(queue.events(3)) == ["by-detail", "by-prefix", "by-type"]
    events.put_events(Entries=[entry("x.y", {"or": 1})])
    assert queue.events(1) == ["by-either"]


def test_a_rule_that_is_disabled_or_changed_matches_no_more(
    server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule
) -> None:
    queue = make_queue(server, "changing")
    make_rule(server, "changing", "shop.changing", {"Arn": queue.arn, "InputPath": "$.detail"})
    events.disable_rule(Name="changing")
    events.put_events(Entries=[entry("shop.changing", {"n": 1})])
    events.enable_rule(Name="changing")
    events.put_events(Entries=[entry("shop.changing", {"n": 2})])
    events.put_rule(Name="changing", EventPattern='{"source": ["shop.changed"]}')
    events.put_events(Entries=[entry("shop.changing", {"n": 3}), entry("shop.changed", {"n": 4})])
    assert sorted(event["n"] for event in queue.events(2)) == [2, 4]
    assert queue.is_empty()


def test_a_fifo_queue_gets_its_group(server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    queue = make_queue(server, "group.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    make_rule(server, "fifo", "shop.fifo", {"Arn": queue.arn, "SqsParameters": {"MessageGroupId": "g"}})
    events.put_events(Entries=[entry("shop.fifo")])
    assert queue.messages(1)[0]["Attributes"]["MessageGroupId"] == "g"


def test_a_topic_publishes_the_event(server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    sns = server.client("sns")
    queue = make_queue(server, "behind-topic", open_to_rules=False)
    topic = sns.create_topic(Name="of-rules")["TopicArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue.arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    server.client("sqs").set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    rules = {"Service": "events.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": rules, "Action": "sns:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"number <n>"'}
    make_rule(server, "topic", "shop.topic", {"Arn": topic, "InputTransformer": transformer})
    events.put_events(Entries=[entry("shop.topic", {"n": 7})])
    assert queue.events(1) == ["number 7"]


def test_a_function_is_invoked_if_its_policy_says_so(
    server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule, make_function: Callable[..., str]
) -> None:
    queue = make_queue(server, "behind-function")
    letters = make_queue(server, "function-letters")
    function = make_function(server, "passes-on", PASSES_ON, Environment={"Variables": {"QUEUE": queue.url}})
    target = {"Arn": function, "DeadLetterConfig": {"Arn": letters.arn}}
    rule = make_rule(server, "function", "shop.function", target)
    events.put_events(Entries=[entry("shop.function", {"n": 1})])
    letter = letters.messages(1)[0]
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    server.client("lambda").add_permission(
        FunctionName="passes-on",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_events(Entries=[entry("shop.function", {"n": 2})])
    (event,) = queue.events(1)
    assert (event["source"], event["detail"]) == ("shop.function", {"n": 2})


def test_events_may_go_round_through_a_function(
    server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule, make_function: Callable[..., str]
) -> None:
    queue = make_queue(server, "behind-rounds")
    function = make_function(server, "goes-round", GOES_ROUND, Environment={"Variables": {"QUEUE": queue.url}})
    rule = make_rule(server, "rounds", "shop.round", {"Arn": function})
    server.client("lambda").add_permission(
        FunctionName="goes-round",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_events(Entries=[entry("shop.round", {"n": 1})])
    assert queue.events(1) == ["round 20"]


def test_a_functions_result_comes_as_an_event(
    server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule, make_function: Callable[..., str]
) -> None:
    queue = make_queue(server, "results")
    bus = events.create_event_bus(Name="results")["EventBusArn"]
    make_rule(server, "results", "lambda", {"Arn": queue.arn}, bus="results")
    make_function(server, "has-results", "def handler(event, context): return {'sum': event['a'] + 1}")
    lambda_ = server.client("lambda")
    lambda_.put_function_event_invoke_config(
        FunctionName="has-results", DestinationConfig={"OnSuccess": {"Destination": bus}}
    )
    lambda_.invoke(FunctionName="has-results", InvocationType="Event", Payload=b'{"a": 1}')
    (event,) = queue.events(1)
    assert event["detail-type"] == "Lambda Function Invocation Result - Success"
    assert event["detail"]["responsePayload"] == {"sum": 2}


def test_a_log_group_takes_events(server: Any, events: Any, make_rule: MakeRule) -> None:
    logs = server.client("logs")
    logs.create_log_group(logGroupName="/aws/events/shop")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/shop"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    rules = {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]}
    statement = {"Effect": "Allow", "Principal": rules, "Action": actions, "Resource": f"{arn}:*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.put_resource_policy(policyName="rules", policyDocument=policy)
    make_rule(server, "log", "shop.log", {"Arn": arn})
    template = '{"timestamp": <at>, "message": "number <n>"}'
    paths = {"n": "$.detail.n", "at": "$.detail.at"}
    transformer = {"InputPathsMap": paths, "InputTemplate": template}
    make_rule(server, "log-text", "shop.log", {"Arn": arn, "InputTransformer": transformer})
    at = int(time.time() * 1000) - 5000
    events.put_events(Entries=[entry("shop.log", {"n": 1, "at": at}), entry("shop.log", {"n": 2, "at": at})])
    deadline = time.monotonic() + _DEADLINE
    while len(found := logs.filter_log_events(logGroupName="/aws/events/shop")["events"]) < 4:
        assert time.monotonic() < deadline, server.log()[-3000:]
        time.sleep(0.1)
    texts = [event["message"] for event in found if event["timestamp"] == at]
    assert sorted(texts) == ["number 1", "number 2"]
    whole = [json.loads(event["message"]) for event in found if event["timestamp"] != at]
    assert sorted(event["detail"]["n"] for event in whole) == [1, 2]


def test_entries_fail_by_themselves(events: Any) -> None:
    answer = events.put_events(
        Entries=[
            {"DetailType": "t", "Detail": "{}"},
            {"Source": "s", "Detail": "{}"},
            {"Source": "s", "DetailType": "t"},
            {"Source": "s", "DetailType": "t", "Detail": "[]"},
            {"Source": "s", "DetailType": "t", "Detail": "{"},
            {"Source": "s", "DetailType": "t", "Detail": '{"a":' * 900 + "1" + "}" * 900},
            {"Source": "s", "DetailType": "t" * 129, "Detail": "{}"},
            {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": "of-nobody"},
        ]
    )
    assert answer["FailedEntryCount"] == 7
    assert [found.get("ErrorCode") for found in answer["Entries"]] == [
        *["InvalidArgument"] * 3,
        *["MalformedDetail"] * 3,
        "InvalidArgument",
        None,
    ]
    assert [found.get("ErrorMessage") for found in answer["Entries"]][:5] == [
        "Parameter Source is not valid. Reason: Source is a required argument.",
        "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
        "Parameter Detail is not valid. Reason: Detail is a required argument.",
        "Detail is malformed.",
        "Detail is malformed.",
    ]
    assert "EventId" in answer["Entries"][7]


def test_how_much_may_be_put_at_once(server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    assert error_of(events.put_events, Entries=[entry("s")] * 11)[0] == "ValidationException"
    large = "x" * (1024 * 1024)
    assert error_of(events.put_events, Entries=[entry("s", {"a": large})]) == (
        "ValidationException",
        "Total size of the entries in the request is over the limit.",
    )
    queue = make_queue(server, "large")
    make_rule(server, "large", "shop.large", {"Arn": queue.arn, "InputPath": "$.detail.n"})
    text = "é" * (500 * 1024)
    assert events.put_events(Entries=[entry("shop.large", {"a": "", "n": 1}), _raw(text)])["FailedEntryCount"] == 0
    assert queue.events(1) == [1]


def _raw(text: str) -> dict[str, Any]:
    """An entry with characters of two bytes each."""
    return {"Source": "s", "DetailType": "t", "Detail": json.dumps({"a": text}, ensure_ascii=False)}


def test_what_is_delivered_is_measured(server: Any, events: Any, make_queue: MakeQueue, make_rule: MakeRule) -> None:
    queue = make_queue(server, "measured")
    make_rule(server, "measured", "shop.measured", {"Arn": queue.arn})
    start = datetime.fromtimestamp(time.time() // 60 * 60, UTC)
    events.put_events(Entries=[entry("shop.measured"), entry("shop.measured")])
    queue.messages(2)
    cloudwatch = server.client("cloudwatch")
    wanted = {"MatchedEvents": 2.0, "TriggeredRules": 2.0, "Invocations": 2.0, "InvocationAttempts": 2.0}
    deadline = time.monotonic() + _DEADLINE
    found: dict[str, float] = {}
    while found != wanted:
        assert time.monotonic() < deadline, found
        for name in wanted:
            points = cloudwatch.get_metric_statistics(
                Namespace="AWS/Events",
                MetricName=name,
                Dimensions=[{"Name": "RuleName", "Value": "measured"}],
                StartTime=start,
                EndTime=datetime.fromtimestamp(time.time() + 60, UTC),
                Period=3600,
                Statistics=["Sum"],
            )["Datapoints"]
            found[name] = sum(point["Sum"] for point in points)
        time.sleep(0.1)
