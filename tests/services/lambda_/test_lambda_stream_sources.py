"""DynamoDB streams as event sources: order, checkpoints, retries, what is given up."""

import json
from typing import Any

import pytest
from function_making import Functions, make_role

from waiting import eventually

# Puts what it gets into a queue; raises when there is a poisoned item.
RECORD = """
import boto3, json, os
sqs = boto3.client('sqs')
def handler(event, context):
    sqs.send_message(QueueUrl=os.environ['SEEN'], MessageBody=json.dumps(event['Records']))
    for record in event['Records']:
        if record['dynamodb']['Keys']['id']['S'] == 'poison':
            if os.environ.get('REPORT'):
                return {'batchItemFailures': [{'itemIdentifier': record['dynamodb']['SequenceNumber']}]}
            raise ValueError('poison')
"""


class Source:
    """A table with a stream, a function that records what it gets from it, and the mapping between them."""

    def __init__(self, server: Any, functions: Functions, name: str, **options: Any) -> None:
        self._sqs = server.client("sqs")
        dynamodb = server.client("dynamodb")
        variables = options.pop("variables", {})
        self.before = options.pop("before", [])
        table = dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]
        self.table = server.resource("dynamodb").Table(name)
        self.put(*self.before)
        self.arn = table["LatestStreamArn"]
        self.seen_url = self._sqs.create_queue(QueueName=f"{name}-seen")["QueueUrl"]
        self.function = functions.make(
            RECORD, Timeout=20, Environment={"Variables": {"SEEN": self.seen_url, **variables}}
        )
        self.mapping = functions.client.create_event_source_mapping(
            EventSourceArn=self.arn, FunctionName=self.function, **{"StartingPosition": "TRIM_HORIZON", **options}
        )

    def put(self, *ids: str) -> None:
        for id_ in ids:
            self.table.put_item(Item={"id": id_})

    def seen(self) -> list[dict[str, Any]]:
        """The next batch that the function got."""
        return next_batch(self._sqs, self.seen_url)

    def seen_ids(self, count: int) -> list[str]:
        """The ids of the next records, over as many batches as it takes."""
        ids: list[str] = []
        while len(ids) < count:
            ids += [record["dynamodb"]["Keys"]["id"]["S"] for record in self.seen()]
        return ids


def next_batch(sqs: Any, url: str) -> list[dict[str, Any]]:
    def batch() -> Any:
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
        if not found:
            return None
        sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        return json.loads(found[0]["Body"])

    records: list[dict[str, Any]] = eventually(batch)
    return records


def test_changes_reach_the_function_in_lambdas_form(server: Any, functions: Functions) -> None:
    source = Source(server, functions, "forms")
    source.table.put_item(Item={"id": "a", "count": 1, "raw": b"\x00\x01"})
    [record] = source.seen()
    assert (record["eventName"], record["eventSource"], record["eventSourceARN"]) == (
        "INSERT",
        "aws:dynamodb",
        source.arn,
    )
    change = record["dynamodb"]
    assert change["NewImage"] == {"id": {"S": "a"}, "count": {"N": "1"}, "raw": {"B": "AAE="}}
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert isinstance(change["ApproximateCreationDateTime"], int | float)
    source.table.delete_item(Key={"id": "a"})
    [removal] = source.seen()
    assert (removal["eventName"], removal["dynamodb"]["OldImage"]["count"]) == ("REMOVE", {"N": "1"})


def test_the_horizon_and_the_latest(server: Any, functions: Functions) -> None:
    oldest = Source(server, functions, "horizon", before=["early"])
    latest = Source(server, functions, "latest", before=["early"], StartingPosition="LATEST")
    for source in (oldest, latest):
        source.put("late")
    assert oldest.seen_ids(2) == ["early", "late"]
    assert latest.seen_ids(1) == ["late"]


def test_changes_come_in_order(server: Any, functions: Functions) -> None:
    source = Source(server, functions, "ordered", BatchSize=7)
    ids = [str(number) for number in range(50)]
    source.put(*ids)
    got: dict[str, str] = {}
    while len(got) < 50:
        for record in source.seen():
            got[record["dynamodb"]["SequenceNumber"]] = record["dynamodb"]["Keys"]["id"]["S"]
    assert [id_ for _, id_ in sorted(got.items(), key=lambda pair: int(pair[0]))] == ids


def test_a_poisoned_batch_is_bisected_and_given_up(server: Any, functions: Functions) -> None:
    sqs = server.client("sqs")
    failures = sqs.create_queue(QueueName="stream-failures")["QueueUrl"]
    source = Source(
        server,
        functions,
        "poisoned",
        before=["a", "poison", "b"],
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:stream-failures"}},
    )
    message = eventually(lambda: sqs.receive_message(QueueUrl=failures, WaitTimeSeconds=1).get("Messages"))[0]
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["DDBStreamBatchInfo"]["batchSize"] == 1
    assert record["DDBStreamBatchInfo"]["streamArn"] == source.arn
    alone: list[list[str]] = []
    while alone[-1:] != [["b"]]:
        alone.append([found["dynamodb"]["Keys"]["id"]["S"] for found in source.seen()])
    assert ["poison"] in alone


def test_what_comes_before_a_reported_failure_is_done_with(server: Any, functions: Functions) -> None:
    source = Source(
        server,
        functions,
        "reported",
        before=["a", "poison", "b"],
        variables={"REPORT": "yes"},
        MaximumRetryAttempts=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    first, second = source.seen(), source.seen()
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in first] == ["a", "poison", "b"]
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in second] == ["poison", "b"]


def test_filters(server: Any, functions: Functions) -> None:
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"count": {"N": ["0"]}}}}
    source = Source(server, functions, "stream-filters", FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    source.table.put_item(Item={"id": "full", "count": 5})
    source.table.put_item(Item={"id": "empty", "count": 0})
    assert source.seen_ids(1) == ["empty"]


def test_lanes_keep_the_order_of_each_item(server: Any, functions: Functions) -> None:
    source = Source(server, functions, "lanes", ParallelizationFactor=4)
    for number in range(5):
        for id_ in ("a", "b", "c"):
            source.table.put_item(Item={"id": id_, "number": number})
    got: list[tuple[str, int]] = []
    while len(got) < 15:
        for record in source.seen():
            image = record["dynamodb"]["NewImage"]
            got.append((image["id"]["S"], int(image["number"]["N"])))
    for id_ in ("a", "b", "c"):
        assert sorted(number for found, number in got if found == id_) == [0, 1, 2, 3, 4]


def test_the_checkpoint_survives_kill_9(own_server: Any) -> None:
    functions = Functions(own_server.client("lambda"), make_role(own_server, "survivor"))
    source = Source(own_server, functions, "survives")
    source.put("before")
    assert source.seen_ids(1) == ["before"]
    own_server.kill9()
    own_server.start()
    own_server.resource("dynamodb").Table("survives").put_item(Item={"id": "after"})
    ids = [record["dynamodb"]["Keys"]["id"]["S"] for record in next_batch(own_server.client("sqs"), source.seen_url)]
    assert ids[-1] == "after"


def test_what_aws_refuses(server: Any, functions: Functions, lambda_: Any) -> None:
    source = Source(server, functions, "refused")
    name = functions.make("def handler(event, context): pass")
    for options, message in (
        ({"EventSourceArn": source.arn}, "startingPosition"),
        ({"EventSourceArn": source.arn, "StartingPosition": "AT_TIMESTAMP"}, "starting position"),
        ({"EventSourceArn": source.arn[:-3] + "999", "StartingPosition": "LATEST"}, "Stream not found"),
    ):
        with pytest.raises(lambda_.exceptions.ClientError, match=message):
            lambda_.create_event_source_mapping(FunctionName=name, **options)
