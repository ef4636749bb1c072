"""Functions that crash, hang, take what they should not have, or misuse what they are given.

Each fails in AWS's words, its events go where AWS sends them, none of its processes is left, and the next invocation
is served as if nothing had been; other functions notice nothing.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudlet.runtime.processes import tree
from waiting import eventually

# What a handler does, the type of error, and the end of its message.
ENDINGS = {
    "os._exit(0)": ("Runtime.ExitError", "Runtime exited without providing a reason"),
    "os._exit(3)": ("Runtime.ExitError", "Runtime exited with error: exit status 3"),
    "sys.exit('bye')": ("Runtime.ExitError", "Runtime exited with error: exit status 1"),
    "ctypes.string_at(0)": ("Runtime.ExitError", "Runtime exited with error: signal: segmentation fault"),
    "os.abort()": ("Runtime.ExitError", "Runtime exited with error: signal: aborted"),
    "time.sleep(60)": ("Sandbox.Timedout", "Task timed out after 2.00 seconds"),
    "signal.pthread_sigmask(0, range(1, 60)); sum(iter(int, 1))": (
        "Sandbox.Timedout",
        "Task timed out after 2.00 seconds",
    ),
}
HOGS = {
    "in one burst": "bytearray(b'x') * (900 << 20)",
    "bit by bit": "while kept.append(bytearray(b'x') * (5 << 20)) is None: time.sleep(0.01)",
    "in many processes": "[os.fork() for _ in range(3)]; kept.append(bytearray(b'x') * (60 << 20)); time.sleep(60)",
}
NO_ANSWERS = {
    "return object()": "Runtime.MarshalError",
    "return 'x' * (7 << 20)": "Function.ResponseSizeTooLarge",
    "raise ValueError('x' * (7 << 20))": "Function.ResponseSizeTooLarge",
    "return handler(event, context)": "RecursionError",
    "raise ValueError('no')": "ValueError",
}
# What a function sends to its Runtime API, and what it hears.
MISUSES = {
    "ask('invocation/other/response')": 400,
    "ask('elsewhere')": 404,
    "send(bytes(1000))": "",
    "send(b'POST / HTTP/1.1\\r\\nContent-Length: -1\\r\\n\\r\\n')": "",
    "send(b'GET / HTTP/1.1\\r\\nX: ' + b'x' * 10**8)": "ConnectionResetError",
    "send(b'POST / HTTP/1.1\\r\\nContent-Length: 99999999999\\r\\n\\r\\n' + b'x' * 10**8)": "ConnectionResetError",
}
MODULE = """
import ctypes, http.client, os, signal, socket, subprocess, sys, time

ADDRESS = os.environ["AWS_LAMBDA_RUNTIME_API"]
kept = []

def ask(path):
    connection = http.client.HTTPConnection(ADDRESS, timeout=5)
    connection.request("POST", "/2018-06-01/runtime/" + path, "1")
    return connection.getresponse().status

def connect():
    return socket.create_connection(ADDRESS.split(":"), 5)

def send(data):
    with connect() as connection:
        try:
            connection.sendall(data)
            return connection.recv(12).decode()
        except OSError as error:
            return type(error).__name__

def handler(event, context):
    if event == "anew":
        return os.listdir("/tmp")
    open("/tmp/of-an-earlier-invocation", "w").close()
"""
Make = Callable[..., str]


@pytest.fixture
def client(server: Any) -> Any:
    return server.client("lambda")


@pytest.fixture
def make(server: Any, make_function: Any, request: pytest.FixtureRequest) -> Make:
    """Makes a function that does the given; its name."""

    def make(body: str, **settings: Any) -> str:
        name = f"function-{abs(hash((request.node.name, body))) % 10**12}"
        memory = {"MemorySize": 256, "Timeout": 20}
        make_function(server, name, f"{MODULE}    {body}\n", **memory | settings)
        return name

    return make


def call(client: Any, name: str, event: Any = None) -> Any:
    """The answer."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def fail(client: Any, name: str) -> tuple[str, str]:
    """The type of the error and its message, without the id of the request."""
    answer = client.invoke(FunctionName=name)
    error = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    id_ = answer["ResponseMetadata"]["RequestId"]
    return error["errorType"], error["errorMessage"].removeprefix(f"RequestId: {id_} Error: ")


def queue(server: Any, name: str, **attributes: str) -> tuple[str, str]:
    """The URL and the ARN of a new queue."""
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, found["Attributes"]["QueueArn"]


def receive(server: Any, url: str) -> Any:
    sqs = server.client("sqs")
    found = eventually(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"]).get("Messages")
    )
    return found[0]


def resident(pid: int) -> int:
    """In MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 >> 20


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.parametrize("body", ENDINGS)
def test_an_end_is_told_and_the_next_invocation_begins_anew(client: Any, make: Make, body: str) -> None:
    name = make(body, Timeout=2)
    assert fail(client, name) == ENDINGS[body]
    assert call(client, name, "anew") == []


@pytest.mark.parametrize("how", HOGS)
def test_memory_has_an_end(client: Any, make: Make, how: str) -> None:
    name = make(HOGS[how])
    assert fail(client, name) == ("Runtime.OutOfMemory", "Runtime exited with error: signal: killed")
    assert call(client, name, "anew") == []


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_what_is_no_answer(client: Any, make: Make, body: str) -> None:
    name = make(body)
    assert fail(client, name)[0] == NO_ANSWERS[body]
    assert isinstance(call(client, name, "anew"), list)


def test_tmp_has_an_end(client: Any, make: Make) -> None:
    name = make("return subprocess.run('head -c 600M /dev/zero > /tmp/large', shell=True).returncode")
    assert call(client, name) == 1


@pytest.mark.parametrize("misuse", MISUSES)
def test_the_runtime_api_can_be_misused(client: Any, make: Make, misuse: str) -> None:
    name = make(f"return {misuse}")
    assert call(client, name) == MISUSES[misuse]
    assert call(client, name) == MISUSES[misuse]


def test_an_answer_of_ones_own_counts_once(client: Any, make: Make) -> None:
    name = make("ask(f'invocation/{context.aws_request_id}/response'); raise ValueError('too late')")
    assert [call(client, name), call(client, name)] == [1, 1]


def test_connections_do_not_take_all_of_the_servers_files(server: Any, client: Any, make: Make) -> None:
    name = make("[os.fork() for _ in range(2)]\n    while True: kept.append(connect())", Timeout=5)
    call(client, name, "anew")
    before, most = open_files(server.pid), 0
    with ThreadPoolExecutor() as pool:
        failing = pool.submit(client.invoke, FunctionName=name)
        while not failing.done():
            most = max(most, open_files(server.pid))
            time.sleep(0.02)
    assert most - before < 400


def test_what_runs_on_after_the_answer_ends_with_its_environment(server: Any, client: Any, make: Make) -> None:
    body = "subprocess.Popen(['sleep', '3141'], start_new_session=True)\n    if event: time.sleep(60)"
    name = make(body, Timeout=2)

    def sleeping() -> list[int]:
        lines = {pid: Path(f"/proc/{pid}/cmdline") for pid in tree(server.pid)}
        return [pid for pid, line in lines.items() if line.exists() and line.read_bytes() == b"sleep\x003141\x00"]

    assert call(client, name) is None
    eventually(sleeping)
    client.invoke(FunctionName=name, Payload=b"true")
    eventually(lambda: not sleeping())


def test_what_is_printed_does_not_fill_the_server(server: Any, client: Any, make: Make) -> None:
    name = make("for _ in range(1000): print('x' * 1023)\n    return 'printed'")
    assert call(client, name) == "printed"
    before = resident(server.pid)
    for _ in range(20):
        assert call(client, name) == "printed"
    assert resident(server.pid) - before < 150


def test_others_are_served_meanwhile(client: Any, make: Make) -> None:
    """By a function that hangs, one that takes memory, and one that forks."""
    names = [
        make("sum(iter(int, 1))", Timeout=4),
        make(HOGS["bit by bit"]),
        make(
            "try:\n        while os.fork() >= 0: pass\n    except OSError: time.sleep(60)", Timeout=4, MemorySize=4096
        ),
    ]
    other = make("return event")
    with ThreadPoolExecutor() as pool:
        failing = [pool.submit(fail, client, name) for name in names]
        while not all(future.done() for future in failing):
            assert call(client, other, 42) == 42
    assert {future.result()[0] for future in failing} <= {"Sandbox.Timedout", "Runtime.OutOfMemory"}


@pytest.mark.parametrize("body", ["os._exit(1)", "time.sleep(60)", "bytearray(b'x') * (900 << 20)"])
def test_an_event_that_crashes_goes_to_destination_and_dead_letters(
    server: Any, client: Any, make: Make, body: str
) -> None:
    number = abs(hash(body))
    (failures, failures_arn), (letters, letters_arn) = (
        queue(server, f"{kind}-{number}") for kind in ("failed", "dead")
    )
    name = make(body, Timeout=1, DeadLetterConfig={"TargetArn": letters_arn})
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": failures_arn}},
    )
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"event": 1}')
    record = json.loads(receive(server, failures)["Body"])
    assert record["requestPayload"] == {"event": 1}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"]["functionError"] == "Unhandled"
    letter = receive(server, letters)
    assert letter["Body"] == '{"event": 1}'
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == record["responsePayload"]["errorMessage"]
    assert call(client, name, "anew") == []


def test_a_message_that_crashes_goes_to_the_dead_letter_queue(server: Any, client: Any, make: Make) -> None:
    letters, letters_arn = queue(server, "letters")
    redrive = json.dumps({"deadLetterTargetArn": letters_arn, "maxReceiveCount": 2})
    url, arn = queue(server, "crashing", VisibilityTimeout="2", RedrivePolicy=redrive)
    name = make("if 'deadly' in str(event): os._exit(1)", Timeout=2)
    client.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, BatchSize=1)
    sqs = server.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="deadly")
    assert receive(server, letters)["Body"] == "deadly"
    sqs.send_message(QueueUrl=url, MessageBody="harmless")
    numbers = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    eventually(
        lambda: set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=numbers)["Attributes"].values()) == {"0"}
    )


def test_a_record_that_crashes_does_not_hold_up_its_stream(server: Any, client: Any, make: Make) -> None:
    failures, failures_arn = queue(server, "failed-records")
    passed, _ = queue(server, "passed-records")
    dynamodb = server.client("dynamodb")
    stream = dynamodb.create_table(
        TableName="crashing",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]["LatestStreamArn"]
    send_on = f"import boto3; boto3.client('sqs').send_message(QueueUrl={passed!r}, MessageBody='passed')"
    name = make(f"if 'deadly' in str(event): os._exit(1)\n    {send_on}")
    client.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=stream,
        StartingPosition="TRIM_HORIZON",
        BatchSize=1,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": failures_arn}},
    )
    for key in ("deadly", "harmless"):
        dynamodb.put_item(TableName="crashing", Item={"key": {"S": key}})
    record = json.loads(receive(server, failures)["Body"])
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["DDBStreamBatchInfo"]["batchSize"] == 1
    assert receive(server, passed)["Body"] == "passed"
