"""Invocation: synchronous answers, errors, limits, logs, versions behind aliases, concurrency."""

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from function_making import Functions, zipped

from waiting import eventually


def test_the_error_of_a_function_that_raises(functions: Functions) -> None:
    error = functions.fail(functions.make("def handler(event, context): raise ValueError('no')"))
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no")
    assert '"/var/task/app.py", line 1, in handler' in error["stackTrace"][0]


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("import missing", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'missing'"),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("def (", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': invalid syntax (app.py, line 1)"),
        ("raise KeyError('k')", "KeyError", "'k'"),
    ],
)
def test_the_error_of_a_function_that_cannot_be_loaded(
    functions: Functions, code: str, kind: str, message: str
) -> None:
    error = functions.fail(functions.make(code))
    assert (error["errorType"], error["errorMessage"]) == (kind, message)


def test_a_function_that_takes_too_long_is_stopped(functions: Functions) -> None:
    name = functions.make("import time\ndef handler(event, context): time.sleep(event)", Timeout=1)
    error = functions.fail(name, 60)
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert functions.call(name, 0) is None


def test_a_function_that_exits_gets_a_fresh_environment(functions: Functions) -> None:
    name = functions.make("import os\ndef handler(event, context): return os._exit(event) if event else 'alive'")
    assert functions.call(name) == "alive"
    error = functions.fail(name, 3)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert functions.call(name) == "alive"


def test_a_function_that_takes_too_much_memory_is_killed(functions: Functions) -> None:
    name = functions.make(
        "import time\ndef handler(event, context):\n  held = b'x' * (event << 20)\n  time.sleep(2)\n  return len(held)",
        Timeout=20,
    )
    error = functions.fail(name, 200)
    assert error["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert functions.call(name, 1) == 1 << 20


def test_an_environment_is_used_again(functions: Functions) -> None:
    name = functions.make("count = 0\ndef handler(event, context):\n  global count\n  count += 1\n  return count")
    assert [functions.call(name) for _ in range(3)] == [1, 2, 3]


def test_concurrent_invocations_have_environments_of_their_own(functions: Functions) -> None:
    name = functions.make(
        "import time, uuid\nme = str(uuid.uuid4())\ndef handler(event, context):\n  time.sleep(0.5)\n  return me",
        Timeout=30,
    )
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda _: functions.call(name), range(4)))
    assert len(set(answers)) == 4


def test_reserved_concurrency_limits(functions: Functions, lambda_: Any) -> None:
    name = functions.make("import time\ndef handler(event, context): time.sleep(event)", Timeout=30)
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)

    def attempt(_: int) -> str:
        try:
            lambda_.invoke(FunctionName=name, Payload="3")
        except ClientError as error:
            return str(error.response.get("Reason"))
        return "ran"

    with ThreadPoolExecutor(3) as clients:
        answers = sorted(clients.map(attempt, range(3)))
    assert answers == ["ReservedFunctionConcurrentInvocationLimitExceeded"] * 2 + ["ran"]
    lambda_.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in lambda_.get_function_concurrency(FunctionName=name)


def test_none_may_run_with_a_reservation_of_nothing(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): return 1")
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(lambda_.exceptions.TooManyRequestsException):
        lambda_.invoke(FunctionName=name)


def test_the_tail_of_the_log(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): print('hello')")
    answer = lambda_.invoke(FunctionName=name, LogType="Tail")
    id_ = answer["ResponseMetadata"]["RequestId"]
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines[:3] == [f"START RequestId: {id_} Version: $LATEST", "hello", f"END RequestId: {id_}"]
    assert re.fullmatch(
        rf"REPORT RequestId: {id_}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB"
        r"\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t",
        lines[3],
    )
    again = base64.b64decode(lambda_.invoke(FunctionName=name, LogType="Tail")["LogResult"]).decode()
    assert "Init Duration" not in again


def test_output_goes_to_cloudwatch_logs(server: Any, functions: Functions) -> None:
    logs = server.client("logs")
    name = functions.make("import sys\ndef handler(event, context):\n  print('out')\n  print('err', file=sys.stderr)")
    functions.call(name)

    def messages() -> list[str]:
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        if f"/aws/lambda/{name}" not in groups:
            return []
        return [e["message"].strip() for e in logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]]

    found = eventually(messages)
    assert found[1:3] == ["out", "err"]
    assert [line.split()[0] for line in found] == ["START", "out", "err", "END", "REPORT"]
    [stream] = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])


def test_the_json_log_format(functions: Functions, lambda_: Any) -> None:
    code = "import logging\ndef handler(event, context): logging.getLogger().warning('careful')"
    name = functions.make(code, LoggingConfig={"LogFormat": "JSON"})
    log = base64.b64decode(lambda_.invoke(FunctionName=name, LogType="Tail")["LogResult"]).decode()
    start, warning, report = [json.loads(line) for line in log.splitlines()]
    assert (start["type"], report["type"], report["record"]["status"]) == (
        "platform.start",
        "platform.report",
        "success",
    )
    assert (warning["level"], warning["message"]) == ("WARNING", "careful")


def test_a_dry_run_runs_nothing(functions: Functions, lambda_: Any) -> None:
    name = functions.make("raise SystemExit")
    assert lambda_.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204


def test_the_payload_must_be_json(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): return event")
    with pytest.raises(lambda_.exceptions.InvalidRequestContentException):
        lambda_.invoke(FunctionName=name, Payload="{")
    assert functions.call(name, {"large": "x" * 5_000_000}) == {"large": "x" * 5_000_000}
    with pytest.raises(ClientError, match="must be smaller than 6291456 bytes"):
        lambda_.invoke(FunctionName=name, Payload=json.dumps("x" * 6_300_000))


def test_an_answer_that_is_too_large(functions: Functions) -> None:
    error = functions.fail(functions.make("def handler(event, context): return 'x' * 7_000_000"))
    assert error["errorType"] == "Function.ResponseSizeTooLarge"


def test_an_alias_spreads_invocations_over_versions(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): return context.function_version", Publish=True)
    lambda_.update_function_code(
        FunctionName=name, ZipFile=zipped(app="def handler(event, context): return 'second'"), Publish=True
    )
    lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    answer = lambda_.invoke(FunctionName=name, Qualifier="live")
    assert (json.loads(answer["Payload"].read()), answer["ExecutedVersion"]) == ("1", "1")
    lambda_.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}})
    assert functions.call(f"{name}:live") == "second"
    with pytest.raises(lambda_.exceptions.ResourceConflictException):
        lambda_.delete_function(FunctionName=name, Qualifier="1")
    lambda_.delete_alias(FunctionName=name, Name="live")
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException):
        lambda_.get_alias(FunctionName=name, Name="live")


def test_layers_are_unpacked_over_each_other(functions: Functions, lambda_: Any) -> None:
    def publish(name: str, **files: str) -> str:
        content = zipped(**{f"python/{module}": text for module, text in files.items()})
        layer = lambda_.publish_layer_version(
            LayerName=name, Content={"ZipFile": content}, CompatibleRuntimes=["python3.11"]
        )
        arn: str = layer["LayerVersionArn"]
        return arn

    layers = [publish("base", shared="value = 'base'", own="own = 1"), publish("over", shared="value = 'over'")]
    name = functions.make(
        "import shared, own\ndef handler(event, context): return shared.value, own.own", Layers=layers
    )
    assert functions.call(name) == ["over", 1]
    assert lambda_.get_layer_version(LayerName="base", VersionNumber=1)["Version"] == 1
    lambda_.delete_layer_version(LayerName="base", VersionNumber=1)
    assert lambda_.list_layer_versions(LayerName="base")["LayerVersions"] == []
    lambda_.update_function_configuration(FunctionName=name, Timeout=4)
    assert functions.call(name) == ["over", 1]  # functions that have it keep it
    assert publish("base", shared="")[-2:] == ":2"  # numbers are not given twice


def test_another_service_needs_a_permission(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): return 1")
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException):
        lambda_.get_policy(FunctionName=name)
    allow = {
        "StatementId": "s3",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::bucket",
    }
    lambda_.add_permission(FunctionName=name, **allow)
    with pytest.raises(lambda_.exceptions.ResourceConflictException):
        lambda_.add_permission(FunctionName=name, **allow)
    [statement] = json.loads(lambda_.get_policy(FunctionName=name)["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}}
    lambda_.remove_permission(FunctionName=name, StatementId="s3")
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException):
        lambda_.get_policy(FunctionName=name)


def test_a_function_calls_cloudlet_as_its_role(functions: Functions) -> None:
    name = functions.make(
        "import boto3\ndef handler(event, context): return boto3.client('sts').get_caller_identity()['Arn']", Timeout=20
    )
    assert functions.call(name) == f"arn:aws:sts::000000000000:assumed-role/function-role/{name}"
