"""Where records of asynchronous invocations and of failed batches go beside queues: event buses and buckets."""

import json
import re
from typing import Any

import pytest
from function_making import Functions, make_role

from waiting import eventually

FAILS = "def handler(event, context): raise ValueError('no')"


@pytest.fixture(scope="module")
def bucket(server: Any) -> str:
    server.client("s3").create_bucket(Bucket="failures-of-functions")
    return "failures-of-functions"


def objects(server: Any, bucket: str, prefix: str) -> list[dict[str, Any]]:
    """The documents under the prefix, each with its key."""
    s3 = server.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return [
        {"key": each["Key"], **json.loads(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())}
        for each in listed
    ]


@pytest.mark.parametrize(("code", "result"), [("def handler(event, context): return 1", "Success"), (FAILS, "Failure")])
def test_an_event_bus(functions: Functions, server: Any, lambda_: Any, code: str, result: str) -> None:
    events, sqs = server.client("events"), server.client("sqs")
    bus = events.create_event_bus(Name=f"results-{result}")["EventBusArn"]
    url = sqs.create_queue(QueueName=f"results-{result}")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    pattern = json.dumps({"source": ["lambda"], "detail-type": [f"Lambda Function Invocation Result - {result}"]})
    events.put_rule(Name="results", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="results", EventBusName=bus, Targets=[{"Id": "1", "Arn": queue}])
    name = functions.make(code)
    lambda_.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={f"On{result}": {"Destination": bus}},
    )
    lambda_.invoke(FunctionName=name, InvocationType="Event", Payload="[1]")
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    event = json.loads(message["Body"])
    assert event["detail"]["requestPayload"] == [1]
    assert event["resources"] == [bus, event["detail"]["requestContext"]["functionArn"]]


def test_a_bucket(functions: Functions, server: Any, lambda_: Any, bucket: str) -> None:
    name = functions.make(FAILS)
    failure = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    lambda_.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, DestinationConfig=failure)
    lambda_.invoke(FunctionName=name, InvocationType="Event", Payload='"asked"')
    [record] = eventually(lambda: objects(server, bucket, f"aws/lambda/async/{name}/"))
    assert (record["requestContext"]["condition"], record["requestPayload"]) == ("RetriesExhausted", "asked")
    day = r"\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}"
    assert re.fullmatch(rf"aws/lambda/async/{name}/{day}", record["key"])
    success = {"OnSuccess": {"Destination": f"arn:aws:s3:::{bucket}"}}
    with pytest.raises(lambda_.exceptions.InvalidParameterValueException, match="DestinationConfig is invalid"):
        lambda_.put_function_event_invoke_config(FunctionName=name, DestinationConfig=success)


def test_a_bucket_gets_the_records_of_a_failed_batch(
    functions: Functions, server: Any, lambda_: Any, bucket: str
) -> None:
    dynamodb = server.client("dynamodb")
    table = dynamodb.create_table(
        TableName="batches",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]
    name = functions.make(FAILS)
    mapping = lambda_.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=table["LatestStreamArn"],
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )["UUID"]
    dynamodb.put_item(TableName="batches", Item={"id": {"S": "one"}})
    [record] = eventually(lambda: objects(server, bucket, f"aws/lambda/{mapping}/"))
    assert record["DDBStreamBatchInfo"]["batchSize"] == 1
    [change] = json.loads(record["payload"])["Records"]
    assert change["dynamodb"]["Keys"] == {"id": {"S": "one"}}


def test_the_role_must_be_allowed_to_send(server: Any, lambda_: Any, functions: Functions) -> None:
    statement = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    role = make_role(server, "sends-nothing", {"Version": "2012-10-17", "Statement": [statement]})
    name = functions.make(FAILS, Role=role)
    url = server.client("sqs").create_queue(QueueName="not-allowed")["QueueUrl"]
    arn = server.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    with pytest.raises(lambda_.exceptions.InvalidParameterValueException, match="permissions to call SendMessage"):
        lambda_.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
        )
    with pytest.raises(lambda_.exceptions.InvalidParameterValueException, match="call SendMessage on SQS"):
        lambda_.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": arn})


def test_a_function_that_is_switched_off_sends_its_events_on_at_once(
    functions: Functions, server: Any, lambda_: Any, bucket: str
) -> None:
    name = functions.make("def handler(event, context): pass")
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    failure = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    lambda_.put_function_event_invoke_config(FunctionName=name, DestinationConfig=failure)
    lambda_.invoke(FunctionName=name, InvocationType="Event")
    [record] = eventually(lambda: objects(server, bucket, f"aws/lambda/async/{name}/"))
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
