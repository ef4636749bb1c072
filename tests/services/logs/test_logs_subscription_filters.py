"""Subscription filters: what a function gets of a log group, and when it does not."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from log_groups import make_group, now, put

from waiting import eventually

ACCOUNT = "000000000000"
# It prints what it gets, so that its own log group tells.
SENDER = """
import base64, boto3, gzip, json, os

def handler(event, context):
    batch = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    texts = [each["message"] for each in batch["logEvents"]]
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(texts))
"""
PRINTER = """
import base64, gzip, json

def handler(event, context):
    batch = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    for found in batch["logEvents"]:
        found["message"] = found["message"][:100]
    print("GOT " + json.dumps(batch))
"""


def allow(server: Any, function: str, principal: str = "logs.amazonaws.com", **conditions: str) -> None:
    server.client("lambda").add_permission(
        FunctionName=function, StatementId="logs", Action="lambda:InvokeFunction", Principal=principal, **conditions
    )


def received(server: Any, function: str) -> list[dict[str, Any]]:
    try:
        pages = server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}", filterPattern="GOT")
    except ClientError:
        return []  # it has not run yet
    return [json.loads(event["message"].removeprefix("GOT ")) for event in pages["events"]]


def refused(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error: dict[str, str] = caught.value.response["Error"]  # type: ignore[assignment]
    return error["Code"], error["Message"]


@pytest.fixture(scope="module")
def logs(server: Any) -> Any:
    return server.client("logs")


@pytest.fixture
def printer(server: Any, make_function: Callable[..., str], request: pytest.FixtureRequest) -> str:
    """The ARN of a function that CloudWatch Logs may invoke for any log group."""
    name = request.node.name.partition("[")[0][-60:]
    arn = make_function(server, name, PRINTER)
    allow(server, name)
    return arn


def subscribe(logs: Any, group: str, destination: str, pattern: str = "", name: str = "f", **more: Any) -> None:
    logs.put_subscription_filter(
        logGroupName=group, filterName=name, filterPattern=pattern, destinationArn=destination, **more
    )


def test_what_a_function_gets(server: Any, logs: Any, printer: str) -> None:
    group = make_group(logs, "/gets", "s/one")
    subscribe(logs, group, printer, "ERROR")
    at = now()
    put(logs, group, "ERROR one", "INFO", "ERROR two", stream="s/one", at=at)
    (batch,) = eventually(lambda: received(server, printer.rpartition(":")[2]), what="a delivery")
    ids = [event.pop("id") for event in batch["logEvents"]]
    assert all(len(id_) == 56 and id_.isdigit() for id_ in ids)
    assert len(set(ids)) == 2
    assert batch == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": group,
        "logStream": "s/one",
        "subscriptionFilters": ["f"],
        "logEvents": [{"timestamp": at, "message": "ERROR one"}, {"timestamp": at + 2, "message": "ERROR two"}],
    }
    found = logs.filter_log_events(logGroupName=group, filterPattern="ERROR")["events"]
    assert [event["eventId"] for event in found] == ids


def test_the_logs_of_a_function_go_to_another(
    server: Any, logs: Any, printer: str, make_function: Callable[..., str]
) -> None:
    make_group(logs, "/aws/lambda/talker")
    subscribe(logs, "/aws/lambda/talker", printer, "hello")
    make_function(server, "talker", "def handler(event, context):\n    print('hello from', event)\n")
    server.client("lambda").invoke(FunctionName="talker", Payload=b'"me"')
    (batch,) = eventually(lambda: received(server, printer.rpartition(":")[2]), what="a delivery")
    assert [event["message"].strip() for event in batch["logEvents"]] == ["hello from me"]


def test_a_permission_for_one_group_and_by_the_name_with_a_region(
    server: Any, logs: Any, make_function: Callable[..., str]
) -> None:
    arn = make_function(server, "regional", PRINTER)
    group, other = make_group(logs, "/permitted"), make_group(logs, "/forbidden")
    source = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}:*"
    allow(server, "regional", "logs.us-east-1.amazonaws.com", SourceArn=source, SourceAccount=ACCOUNT)
    subscribe(logs, group, arn)
    code, message = refused(
        logs.put_subscription_filter, logGroupName=other, filterName="f", filterPattern="", destinationArn=arn
    )
    assert code == "InvalidParameterException"
    assert message == (
        "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your"
        " function."
    )


def test_how_filters_are_described_changed_and_deleted(logs: Any, printer: str) -> None:
    group = make_group(logs, "/described")
    for name in ("one", "two"):
        subscribe(logs, group, printer, "ERROR", name)
    subscribe(logs, group, printer, "WARN", "two", distribution="Random")
    page = logs.describe_subscription_filters(logGroupName=group, limit=1)
    rest = logs.describe_subscription_filters(logGroupName=group, nextToken=page["nextToken"])
    assert "nextToken" not in rest
    (two,) = rest["subscriptionFilters"]
    assert abs(two.pop("creationTime") - now()) < 60_000
    assert two == {
        "filterName": "two",
        "logGroupName": group,
        "filterPattern": "WARN",
        "destinationArn": printer,
        "distribution": "Random",
        "applyOnTransformedLogs": False,
    }
    (one,) = logs.describe_subscription_filters(logGroupName=group, filterNamePrefix="o")["subscriptionFilters"]
    assert one["filterName"] == "one"
    with pytest.raises(ClientError, match="Resource limit exceeded"):
        subscribe(logs, group, printer, "", "three")
    logs.delete_subscription_filter(logGroupName=group, filterName="one")
    subscribe(logs, group, printer, "", "three")
    code, message = refused(logs.delete_subscription_filter, logGroupName=group, filterName="one")
    assert (code, message) == ("ResourceNotFoundException", "The specified subscription filter does not exist.")


def test_a_function_does_not_get_its_own_logs(server: Any, logs: Any, printer: str) -> None:
    group = make_group(logs, f"/aws/lambda/{printer.rpartition(':')[2]}")
    message = "The log group provided is reserved for the function logs of the destination function."
    assert refused(
        logs.put_subscription_filter, logGroupName=group, filterName="f", filterPattern="", destinationArn=printer
    ) == ("InvalidParameterException", message)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"logGroupName": "/absent"}, "ResourceNotFoundException"),
        ({"filterPattern": "{ $.a"}, "InvalidParameterException"),
        ({"destinationArn": "function"}, "InvalidParameterException"),
        ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/r"}, "InvalidParameterException"),
        ({"destinationArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:absent"}, "InvalidParameterException"),
        ({"destinationArn": "arn:aws:lambda:us-east-1:111111111111:function:f"}, "InvalidParameterException"),
        ({"destinationArn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"}, "NotImplemented"),
        ({"destinationArn": f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/s"}, "NotImplemented"),
        ({"applyOnTransformedLogs": True}, "NotImplemented"),
        ({"fieldSelectionCriteria": '@aws.region = "x"'}, "NotImplemented"),
    ],
)
def test_what_is_refused(logs: Any, params: dict[str, Any], code: str) -> None:
    if not logs.describe_log_groups(logGroupNamePrefix="/refused")["logGroups"]:
        make_group(logs, "/refused")
    valid = {
        "logGroupName": "/refused",
        "filterName": "f",
        "filterPattern": "",
        "destinationArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f",
    }
    assert refused(logs.put_subscription_filter, **{**valid, **params})[0] == code


def test_an_alias_of_a_function(server: Any, logs: Any, printer: str) -> None:
    """What is on its way to it arrives although the log group is deleted."""
    group, functions = make_group(logs, "/alias"), server.client("lambda")
    name = printer.rpartition(":")[2]
    version = functions.publish_version(FunctionName=name)["Version"]
    alias = functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)["AliasArn"]
    functions.add_permission(
        FunctionName=name,
        Qualifier="live",
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
    )
    subscribe(logs, group, alias)
    put(logs, group, "to the alias")
    logs.delete_log_group(logGroupName=group)
    (batch,) = eventually(lambda: received(server, name), what="a delivery")
    assert [event["message"] for event in batch["logEvents"]] == ["to the alias"]


def test_large_batches_are_divided(server: Any, logs: Any, printer: str) -> None:
    group = make_group(logs, "/large")
    subscribe(logs, group, printer, "wanted")
    put(logs, group, *[f"wanted {number} " + "x" * 200_000 for number in range(5)])

    def batches() -> list[dict[str, Any]] | None:
        found = received(server, printer.rpartition(":")[2])
        return found if sum(len(batch["logEvents"]) for batch in found) == 5 else None

    assert len(eventually(batches, what="all events")) > 1


def test_nothing_is_lost_by_kill_9_between_the_answer_and_the_delivery(
    own_server: Any, make_function: Callable[..., str]
) -> None:
    """What functions print may be lost with the server, so that this one sends on what it gets."""
    logs, sqs = own_server.client("logs"), own_server.client("sqs")
    queue = sqs.create_queue(QueueName="sent-on")["QueueUrl"]
    arn = make_function(own_server, "sender", SENDER, Environment={"Variables": {"QUEUE": queue}})
    allow(own_server, "sender")
    group = make_group(logs, "/killed")
    subscribe(logs, group, arn)
    wanted = {f"event {number}" for number in range(5)}
    for message in sorted(wanted):
        put(logs, group, message)
    own_server.restart()
    found: set[str] = set()

    def all_have_come() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        found.update(text for message in answer.get("Messages", []) for text in json.loads(message["Body"]))
        return found == wanted

    assert eventually(all_have_come, what="all events")
