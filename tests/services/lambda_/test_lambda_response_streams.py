"""InvokeWithResponseStream: chunks as they come, the end with its error and log."""

import base64
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from function_making import Functions
from streaming_functions import streaming


def invoke(client: Any, name: str, event: Any = None, **options: Any) -> tuple[list[bytes], dict[str, Any]]:
    """The chunks, and the event at their end."""
    answer = client.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event), **options)
    events = list(answer["EventStream"])
    return [each["PayloadChunk"]["Payload"] for each in events[:-1]], events[-1]["InvokeComplete"]


def test_chunks_come_as_the_function_writes_them(functions: Functions, lambda_: Any) -> None:
    name = functions.make(streaming('yield b"first"\ntime.sleep(1)\nyield json.dumps(event).encode()'))
    answer = lambda_.invoke_with_response_stream(FunctionName=name, Payload='{"a": 1}')
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["ResponseStreamContentType"] == "text/plain"
    events = iter(answer["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"first"}}
    came = time.monotonic()
    assert next(events) == {"PayloadChunk": {"Payload": b'{"a": 1}'}}
    assert time.monotonic() - came > 0.5
    assert next(events) == {"InvokeComplete": {}}


def test_a_function_that_does_not_stream(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context):\n  print('seen')\n  return event")
    chunks, complete = invoke(lambda_, name, [1, 2], LogType="Tail")
    assert json.loads(b"".join(chunks)) == [1, 2]
    assert "seen" in base64.b64decode(complete["LogResult"]).decode()


def test_an_error_is_told_at_the_end(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): raise ValueError('no')")
    chunks, complete = invoke(lambda_, name)
    assert (chunks, complete["ErrorCode"]) == ([], "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorMessage"] == "no"


def test_an_error_in_the_midst_of_a_stream(functions: Functions, lambda_: Any) -> None:
    name = functions.make(streaming('yield b"begun"', fails=True))
    chunks, complete = invoke(lambda_, name)
    assert (chunks, complete["ErrorCode"]) == ([b"begun"], "Unhandled")


def test_more_than_fits_into_memory_comes_whole(functions: Functions, lambda_: Any) -> None:
    name = functions.make(streaming('for _ in range(160): yield b"x" * 65536'), Timeout=30)
    chunks, complete = invoke(lambda_, name)
    assert (sum(map(len, chunks)), complete) == (160 * 65536, {})


def test_a_client_that_leaves_does_not_stop_the_function(functions: Functions, lambda_: Any, server: Any) -> None:
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="went-on")["QueueUrl"]
    send = f"import boto3\nboto3.client('sqs').send_message(QueueUrl={url!r}, MessageBody='done')"
    name = functions.make(streaming(f'for _ in range(100): yield b"x" * 65536\n{send}'), Timeout=30)
    answer = lambda_.invoke_with_response_stream(FunctionName=name)
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]["Body"] == "done"


def test_what_stands_in_the_way_is_an_ordinary_error(functions: Functions, lambda_: Any) -> None:
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException, match="Function not found"):
        lambda_.invoke_with_response_stream(FunctionName="nobody")
    name = functions.make("def handler(event, context): pass")
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="Rate Exceeded") as refused:
        lambda_.invoke_with_response_stream(FunctionName=name)
    assert "(TooManyRequestsException)" in str(refused.value)
    dry = lambda_.invoke_with_response_stream(FunctionName=name, InvocationType="DryRun")
    assert dry["StatusCode"] == 204


def test_the_old_asynchronous_invocation(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): pass")
    assert lambda_.invoke_async(FunctionName=name, InvokeArgs=b'{"a": 1}')["Status"] == 202
    with pytest.raises(lambda_.exceptions.InvalidRequestContentException):
        lambda_.invoke_async(FunctionName=name, InvokeArgs=b"{")
