"""SQS queues as event sources: batches, deletion, partial failures, filters."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from function_making import Functions, make_role

from waiting import eventually

# Puts what it gets into another queue, then does what the last message says.
RECORD = """
import boto3, json, os
sqs = boto3.client('sqs')
def handler(event, context):
    sqs.send_message(QueueUrl=os.environ['SEEN'], MessageBody=json.dumps(event['Records']))
    failed = [{'itemIdentifier': r['messageId']} for r in event['Records'] if r['body'] == 'bad']
    if os.environ.get('RAISE') and failed:
        raise ValueError('bad')
    return {'batchItemFailures': failed}
"""

LOGS_ONLY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def sqs(server: Any) -> Any:
    return server.client("sqs")


class Source:
    """A queue, a function that records what it gets from it, and the mapping between them."""

    def __init__(self, functions: Functions, sqs: Any, name: str, **options: Any) -> None:
        self._sqs = sqs
        variables = options.pop("variables", {})
        self.url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "20"})["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
        self._seen = sqs.create_queue(QueueName=f"{name}-seen")["QueueUrl"]
        self.function = functions.make(RECORD, Timeout=20, Environment={"Variables": {"SEEN": self._seen, **variables}})
        self.mapping = functions.client.create_event_source_mapping(
            EventSourceArn=self.arn, FunctionName=self.function, **options
        )

    def send(self, *bodies: str, **options: Any) -> None:
        for body in bodies:
            self._sqs.send_message(QueueUrl=self.url, MessageBody=body, **options)

    def seen(self) -> list[dict[str, Any]]:
        """The next batch that the function got."""

        def batch() -> Any:
            found = self._sqs.receive_message(QueueUrl=self._seen, WaitTimeSeconds=1).get("Messages")
            if not found:
                return None
            self._sqs.delete_message(QueueUrl=self._seen, ReceiptHandle=found[0]["ReceiptHandle"])
            return json.loads(found[0]["Body"])

        records: list[dict[str, Any]] = eventually(batch)
        return records

    def left(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in found.values())


def test_messages_reach_the_function_and_are_deleted(functions: Functions, sqs: Any) -> None:
    source = Source(functions, sqs, "orders")
    source.send("hello", MessageAttributes={"kind": {"DataType": "String", "StringValue": "greeting"}})
    [record] = source.seen()
    assert (record["body"], record["eventSource"], record["eventSourceARN"]) == ("hello", "aws:sqs", source.arn)
    assert record["md5OfBody"] == "5d41402abc4b2a76b9719d911017c592"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["kind"]["stringValue"] == "greeting"
    eventually(lambda: source.left() == 0)


def test_a_batching_window_fills_batches(functions: Functions, sqs: Any) -> None:
    source = Source(functions, sqs, "window", BatchSize=20, MaximumBatchingWindowInSeconds=2)
    source.send(*(str(number) for number in range(12)))
    got: list[str] = []
    batches = 0
    while len(got) < 12:
        batch = source.seen()
        got += [record["body"] for record in batch]
        batches += 1
    assert sorted(got) == sorted(str(number) for number in range(12))
    assert batches <= 3


def test_only_what_is_reported_as_failed_stays(functions: Functions, sqs: Any) -> None:
    source = Source(
        functions,
        sqs,
        "partial",
        BatchSize=10,
        MaximumBatchingWindowInSeconds=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    source.send("good", "bad", "good")
    source.seen()
    eventually(lambda: source.left() == 1)


def test_a_batch_that_raises_stays(functions: Functions, lambda_: Any, sqs: Any) -> None:
    source = Source(functions, sqs, "raises", variables={"RAISE": "yes"})
    source.send("bad")
    source.seen()

    def result() -> bool:
        found = lambda_.get_event_source_mapping(UUID=source.mapping["UUID"])
        return bool(found["LastProcessingResult"] == "PROBLEM: Function call failed")

    eventually(result)
    assert source.left() == 1


def test_filters_drop_messages(functions: Functions, sqs: Any) -> None:
    pattern = {"body": {"count": [{"numeric": [">", 10]}], "kind": ["a", {"prefix": "b"}]}}
    source = Source(functions, sqs, "filtered", FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    for kind, count in (("a", 5), ("c", 50), ("bb", 11)):
        source.send(json.dumps({"kind": kind, "count": count}))
    [record] = source.seen()
    assert json.loads(record["body"]) == {"kind": "bb", "count": 11}
    eventually(lambda: source.left() == 0)


def test_a_disabled_mapping_reads_nothing_until_it_is_enabled(functions: Functions, lambda_: Any, sqs: Any) -> None:
    source = Source(functions, sqs, "disabled", Enabled=False)
    source.send("later")
    uuid = source.mapping["UUID"]
    assert lambda_.get_event_source_mapping(UUID=uuid)["State"] == "Disabled"
    assert source.left() == 1
    lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert source.seen()[0]["body"] == "later"
    lambda_.delete_event_source_mapping(UUID=uuid)
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException):
        lambda_.get_event_source_mapping(UUID=uuid)


def test_mappings_are_listed_by_source_and_function(functions: Functions, lambda_: Any, sqs: Any) -> None:
    source = Source(functions, sqs, "listed")
    for query in ({"EventSourceArn": source.arn}, {"FunctionName": source.function}):
        [found] = lambda_.list_event_source_mappings(**query)["EventSourceMappings"]
        assert found["UUID"] == source.mapping["UUID"]
    with pytest.raises(lambda_.exceptions.ResourceConflictException, match=source.mapping["UUID"]):
        lambda_.create_event_source_mapping(EventSourceArn=source.arn, FunctionName=source.function)


def test_what_aws_refuses(server: Any, functions: Functions, lambda_: Any, sqs: Any) -> None:
    name = functions.make("def handler(event, context): pass", Timeout=60)
    short = "arn:aws:sqs:us-east-1:000000000000:short"
    sqs.create_queue(QueueName="short")
    no_rights = make_role(server, "no-rights", LOGS_ONLY)
    bare = functions.make("def handler(event, context): pass", Role=no_rights)
    for function, options, message in (
        (name, {"EventSourceArn": short}, "visibility timeout: 30 seconds is less than Function timeout: 60 seconds"),
        (name, {"EventSourceArn": short + "-none"}, "Error occurred while ReceiveMessage"),
        (bare, {"EventSourceArn": short}, "does not have permissions to call ReceiveMessage on SQS"),
        (name, {"EventSourceArn": short, "BatchSize": 11}, "batch window in seconds must be greater than 0"),
        (name, {"EventSourceArn": short, "StartingPosition": "LATEST"}, "StartingPosition"),
        (name, {"EventSourceArn": "arn:aws:s3:::bucket"}, "Unrecognized event source"),
    ):
        with pytest.raises(ClientError, match=message):
            lambda_.create_event_source_mapping(FunctionName=function, **options)


def test_a_throttled_function_uses_up_no_receives(functions: Functions, server: Any, lambda_: Any) -> None:
    sqs = server.client("sqs")
    attributes = {"VisibilityTimeout": "30"}
    url = sqs.create_queue(QueueName="crowded", Attributes=attributes)["QueueUrl"]
    counted = sqs.create_queue(QueueName="crowded-counts")["QueueUrl"]
    code = (
        "import boto3, time\nsqs = boto3.client('sqs')\n"
        "def handler(event, context):\n"
        "  time.sleep(0.2)\n"
        "  [record] = event['Records']\n"
        f"  sqs.send_message(QueueUrl={counted!r}, MessageBody=record['attributes']['ApproximateReceiveCount'])\n"
    )
    name = functions.make(code, Timeout=20)
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for start in (0, 10):
        entries = [{"Id": str(number), "MessageBody": str(start + number)} for number in range(10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    mapping = lambda_.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, BatchSize=1)["UUID"]
    counts: list[str] = []

    def all_counted() -> bool:
        answer = sqs.receive_message(QueueUrl=counted, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        counts.extend(message["Body"] for message in answer.get("Messages", []))
        return len(counts) == 20

    eventually(all_counted, 60)
    assert counts == ["1"] * 20
    lambda_.delete_event_source_mapping(UUID=mapping)
