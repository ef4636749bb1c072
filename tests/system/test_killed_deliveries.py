"""The server is killed in the middle of every kind of delivery: each event arrives at least once, or where it should
when it fails, and nothing is stuck."""

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

ACCOUNT = "000000000000"
REGION = "us-east-1"
ROUNDS = 3
SCHEDULER_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

# Whatever the event looks like, its marks are in it; each becomes a row.
RECORD = """
import base64, boto3, gzip, json, re
table = boto3.resource("dynamodb").Table("arrived")

def handler(event, context):
    text = json.dumps(event)
    if "awslogs" in event:
        text = gzip.decompress(base64.b64decode(event["awslogs"]["data"])).decode()
    with table.batch_writer(overwrite_by_pkeys=["mark"]) as batch:
        for mark in re.findall(r"mark-[a-z0-9-]+", text):
            batch.put_item(Item={"mark": mark})
"""
ANSWER = "def handler(event, context):\n    return {}\n"
FAIL = "def handler(event, context):\n    raise ValueError('no')\n"

Cause = Callable[[Any, str], None]


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


class Plant:
    """The sources, all of which lead to one function, and how an event of each is caused."""

    def __init__(self, server: Any, make_function: Callable[..., str]) -> None:
        self._server = server
        self._function = make_function(server, "record", RECORD, Timeout=10)
        self._make_function = make_function
        make_table(server, "arrived", "mark")
        self.causes: dict[str, Cause] = {
            "s3": self._bucket(),
            "sns": self._topic(),
            "sqs": self._queue(),
            "stream": self._table(),
            "async": self._asynchronous(),
            "destination": self._destination(),
            "letter": self._dead_letter(),
            "rule": self._rule(),
            "schedule": self._schedule(),
            "logs": self._log_group(),
        }

    def _allow(self, service: str) -> None:
        self._server.client("lambda").add_permission(
            FunctionName="record",
            StatementId=service,
            Action="lambda:InvokeFunction",
            Principal=f"{service}.amazonaws.com",
        )

    def _bucket(self) -> Cause:
        self._allow("s3")
        s3 = self._server.client("s3")
        s3.create_bucket(Bucket="plant")
        to_function = {"LambdaFunctionArn": self._function, "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket="plant", NotificationConfiguration={"LambdaFunctionConfigurations": [to_function]}
        )
        return lambda clients, mark: clients["s3"].put_object(Bucket="plant", Key=mark, Body=b"")

    def _topic(self) -> Cause:
        self._allow("sns")
        topic = self._server.client("sns").create_topic(Name="plant")["TopicArn"]
        self._server.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=self._function)
        return lambda clients, mark: clients["sns"].publish(TopicArn=topic, Message=mark)

    def _queue(self) -> Cause:
        url = self._mapped_queue("plant")
        return lambda clients, mark: clients["sqs"].send_message(QueueUrl=url, MessageBody=mark)

    def _mapped_queue(self, name: str) -> str:
        attributes = {"VisibilityTimeout": "10"}
        url: str = self._server.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self._server.client("lambda").create_event_source_mapping(
            FunctionName="record", EventSourceArn=arn("sqs", name)
        )
        return url

    def _table(self) -> Cause:
        stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        made = make_table(self._server, "plant", "id", StreamSpecification=stream)
        self._server.client("lambda").create_event_source_mapping(
            FunctionName="record", EventSourceArn=made["LatestStreamArn"], StartingPosition="TRIM_HORIZON"
        )
        return lambda clients, mark: clients["dynamodb"].put_item(TableName="plant", Item={"id": {"S": mark}})

    def _asynchronous(self) -> Cause:
        return lambda clients, mark: invoke(clients, "record", mark)

    def _destination(self) -> Cause:
        self._make_function(self._server, "answer", ANSWER)
        self._server.client("lambda").put_function_event_invoke_config(
            FunctionName="answer", DestinationConfig={"OnSuccess": {"Destination": self._function}}
        )
        return lambda clients, mark: invoke(clients, "answer", mark)

    def _dead_letter(self) -> Cause:
        """An event that fails for good goes to a queue, and from there to the function."""
        self._mapped_queue("letters")
        self._make_function(self._server, "fail", FAIL, DeadLetterConfig={"TargetArn": arn("sqs", "letters")})
        self._server.client("lambda").put_function_event_invoke_config(FunctionName="fail", MaximumRetryAttempts=0)
        return lambda clients, mark: invoke(clients, "fail", mark)

    def _rule(self) -> Cause:
        self._allow("events")
        events = self._server.client("events")
        events.put_rule(Name="plant", EventPattern='{"source": ["plant"]}')
        events.put_targets(Rule="plant", Targets=[{"Id": "function", "Arn": self._function}])

        def cause(clients: Any, mark: str) -> None:
            entry = {"Source": "plant", "DetailType": "mark", "Detail": json.dumps({"mark": mark})}
            assert clients["events"].put_events(Entries=[entry])["FailedEntryCount"] == 0

        return cause

    def _schedule(self) -> Cause:
        iam = self._server.client("iam")
        role = iam.create_role(RoleName="clock", AssumeRolePolicyDocument=json.dumps(SCHEDULER_TRUST))["Role"]["Arn"]
        allowed = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName="clock", PolicyName="invoke", PolicyDocument=policy)

        def cause(clients: Any, mark: str) -> None:
            soon = datetime.now(UTC) + timedelta(seconds=1.5)
            clients["scheduler"].create_schedule(
                Name=mark,
                ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": self._function, "RoleArn": role, "Input": json.dumps({"mark": mark})},
                ActionAfterCompletion="DELETE",
            )

        return cause

    def _log_group(self) -> Cause:
        self._allow("logs")
        logs = self._server.client("logs")
        logs.create_log_group(logGroupName="plant")
        logs.create_log_stream(logGroupName="plant", logStreamName="s")
        logs.put_subscription_filter(
            logGroupName="plant", filterName="marks", filterPattern="", destinationArn=self._function
        )

        def cause(clients: Any, mark: str) -> None:
            line = {"timestamp": int(time.time() * 1000), "message": mark}
            clients["logs"].put_log_events(logGroupName="plant", logStreamName="s", logEvents=[line])

        return cause


def make_table(server: Any, name: str, key: str, **more: Any) -> dict[str, Any]:
    client = server.client("dynamodb")
    made: dict[str, Any] = client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )["TableDescription"]
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return made


def invoke(clients: Any, name: str, mark: str) -> None:
    clients["lambda"].invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"mark": mark}))


class Causing:
    """Threads, one per kind, that cause events until the server dies, and remember what it acknowledged."""

    def __init__(self, server: Any, causes: dict[str, Cause], round_: int) -> None:
        self.acknowledged: defaultdict[str, set[str]] = defaultdict(set)
        self._server = server
        self._round = round_
        self._threads = {
            kind: threading.Thread(target=self._go_on, args=(kind, cause)) for kind, cause in causes.items()
        }
        for thread in self._threads.values():
            thread.start()

    def wait_until_busy(self) -> None:
        """Until events of every kind have been acknowledged."""
        while any(len(self.acknowledged[kind]) < 3 for kind in self._threads):
            dead = [kind for kind, thread in self._threads.items() if not thread.is_alive()]
            assert not dead
            time.sleep(0.01)

    def join(self) -> set[str]:
        for thread in self._threads.values():
            thread.join()
        return set().union(*self.acknowledged.values())

    def _go_on(self, kind: str, cause: Cause) -> None:
        names = ("s3", "sns", "sqs", "dynamodb", "lambda", "events", "scheduler", "logs")
        clients = {name: self._server.client(name) for name in names}
        number = 0
        while True:
            mark = f"mark-{kind}-{self._round}-{number}"
            try:
                cause(clients, mark)
            except (BotoCoreError, ClientError):
                return
            self.acknowledged[kind].add(mark)
            number += 1
            time.sleep(0.02)


@pytest.mark.timeout(400)
def test_every_event_arrives(own_server: Any, make_function: Callable[..., str]) -> None:
    plant = Plant(own_server, make_function)
    wanted: set[str] = set()
    for number in range(ROUNDS):
        causing = Causing(own_server, plant.causes, number)
        causing.wait_until_busy()
        time.sleep(random.uniform(0.0, 1.5))
        own_server.kill9()
        wanted |= causing.join()
        own_server.start()
    table = own_server.resource("dynamodb").Table("arrived")
    missing = wanted
    deadline = time.monotonic() + 120
    while missing and time.monotonic() < deadline:
        time.sleep(0.5)
        missing = wanted - {row["mark"] for row in table.scan()["Items"]}
    assert not missing
