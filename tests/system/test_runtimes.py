"""A function in each language that this machine runs, driven by S3, SQS, a stream, a schedule and HTTP."""

import io
import json
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

# Each prints the event on one line, and answers in the form that HTTP APIs want.
PYTHON = """
import json

def handler(event, context):
    print("GOT", json.dumps(event))
    return {"statusCode": 200, "body": "hello from " + context.function_name}
"""
NODEJS = """
exports.handler = async (event, context) => {
    console.log("GOT", JSON.stringify(event));
    return {statusCode: 200, body: "hello from " + context.functionName};
};
"""
BASH = r"""#!/bin/bash
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API#*:}

ask() { # method, path, body: sets body and id
  exec 9<>"/dev/tcp/$host/$port"
  printf '%s /2018-06-01/runtime/invocation/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' \
    "$1" "$2" "${#3}" "$3" >&9
  while IFS= read -r -u 9 line && line=${line%$'\r'} && [ -n "$line" ]; do
    case $line in
    Content-Length:*) length=${line#*: } ;;
    Lambda-Runtime-Aws-Request-Id:*) id=${line#*: } ;;
    esac
  done
  IFS= read -r -u 9 -N "$length" body
  exec 9>&-
}

while ask GET next; do
  echo "GOT $body"
  ask POST "$id/response" "{\"statusCode\":200,\"body\":\"hello from $AWS_LAMBDA_FUNCTION_NAME\"}"
done
"""
RUBY = """
require "json"

def handler(event:, context:)
  puts "GOT " + JSON.generate(event)
  { statusCode: 200, body: "hello from " + context.function_name }
end
"""


JAVA = """
import com.amazonaws.services.lambda.runtime.*;
import java.io.*;
import java.nio.charset.StandardCharsets;

public class App implements RequestStreamHandler {
    public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
        System.out.println("GOT " + new String(in.readAllBytes(), StandardCharsets.UTF_8));
        String hello = "hello from " + context.getFunctionName();
        out.write(("{\\"statusCode\\": 200, \\"body\\": \\"" + hello + "\\"}").getBytes());
    }
}
"""
JARS = Path(sys.prefix) / "lambda-java"


@dataclass(frozen=True, slots=True)
class Language:
    """`file` is the package's only one, with `source` in it; or the source is compiled into it."""

    name: str
    runtime: str
    handler: str
    file: str
    source: str

    def package(self, folder: Path) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            entry = zipfile.ZipInfo(self.file)
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, self.source if self.name != "java" else compiled(self.source, folder))
        return buffer.getvalue()


def compiled(source: str, folder: Path) -> bytes:
    (folder / "App.java").write_text(source)
    subprocess.run(["javac", "--release", "17", "-cp", f"{JARS}/*", "App.java"], cwd=folder, check=True)
    return (folder / "App.class").read_bytes()


LANGUAGES = [
    Language("python", "python3.11", "app.handler", "app.py", PYTHON),
    Language("nodejs", "nodejs20.x", "app.handler", "app.js", NODEJS),
    Language("provided", "provided.al2023", "any.thing", "bootstrap", BASH),
    pytest.param(
        Language("ruby", "ruby3.4", "app.handler", "app.rb", RUBY),
        marks=pytest.mark.skipif(shutil.which("ruby") is None, reason="functions in Ruby need ruby"),
    ),
    pytest.param(
        Language("java", "java17", "App::handleRequest", "App.class", JAVA),
        marks=pytest.mark.skipif(
            shutil.which("javac") is None or not JARS.is_dir(),
            reason="functions in Java need a JDK and make lambda-java",
        ),
    ),
]


class Sources:
    """A bucket, a table with a stream, a role for schedules and an HTTP API, for functions to be tied to."""

    def __init__(self, server: Any) -> None:
        self._server = server
        server.client("s3").create_bucket(Bucket="sources")
        self._notifications: list[dict[str, Any]] = []
        self._stream: str = make_table(server)
        self._api: dict[str, Any] = server.client("apigatewayv2").create_api(Name="sources", ProtocolType="HTTP")
        server.client("apigatewayv2").create_stage(ApiId=self._api["ApiId"], StageName="$default", AutoDeploy=True)
        self._clock = make_clock(server)

    def tie(self, name: str, function: str) -> str:
        """Every source to the function; returns the URL of its queue."""
        lambda_ = self._server.client("lambda")
        for service in ("s3", "apigateway"):
            lambda_.add_permission(
                FunctionName=name,
                StatementId=service,
                Action="lambda:InvokeFunction",
                Principal=f"{service}.amazonaws.com",
            )
        prefix = {"FilterRules": [{"Name": "prefix", "Value": f"{name}/"}]}
        self._notifications.append(
            {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": prefix}}
        )
        self._server.client("s3").put_bucket_notification_configuration(
            Bucket="sources", NotificationConfiguration={"LambdaFunctionConfigurations": self._notifications}
        )
        queue: str = self._server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
        lambda_.create_event_source_mapping(FunctionName=name, EventSourceArn=arn)
        lambda_.create_event_source_mapping(
            FunctionName=name, EventSourceArn=self._stream, StartingPosition="TRIM_HORIZON"
        )
        api = self._server.client("apigatewayv2")
        integration = api.create_integration(
            ApiId=self._api["ApiId"],
            IntegrationType="AWS_PROXY",
            IntegrationUri=function,
            PayloadFormatVersion="2.0",
        )["IntegrationId"]
        api.create_route(ApiId=self._api["ApiId"], RouteKey=f"GET /{name}", Target=f"integrations/{integration}")
        return queue

    def cause(self, name: str, function: str, queue: str) -> None:
        """An event of each source, except for HTTP."""
        soon = datetime.now(UTC) + timedelta(seconds=2)
        self._server.client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": function, "RoleArn": self._clock, "Input": json.dumps({"mark": f"schedule-{name}"})},
        )
        self._server.client("s3").put_object(Bucket="sources", Key=f"{name}/upload-{name}", Body=b"")
        self._server.client("sqs").send_message(QueueUrl=queue, MessageBody=f"message-{name}")
        self._server.client("dynamodb").put_item(TableName="sources", Item={"id": {"S": f"item-{name}"}})

    def get(self, name: str) -> requests.Response:
        return requests.get(f"{self._api['ApiEndpoint']}/{name}", timeout=30)


def make_table(server: Any) -> str:
    made = server.client("dynamodb").create_table(
        TableName="sources",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    server.client("dynamodb").get_waiter("table_exists").wait(TableName="sources", WaiterConfig={"Delay": 1})
    stream: str = made["LatestStreamArn"]
    return stream


def make_clock(server: Any) -> str:
    """The role that the Scheduler takes."""
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role: str = server.client("iam").create_role(RoleName="clock", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    server.client("iam").put_role_policy(RoleName="clock", PolicyName="invoke", PolicyDocument=policy)
    return role


@pytest.fixture(scope="module")
def sources(server: Any) -> Sources:
    return Sources(server)


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_every_source_reaches_it(
    server: Any, sources: Sources, language: Language, make_role: Callable[..., str], tmp_path: Path
) -> None:
    name = language.name
    function = server.client("lambda").create_function(
        FunctionName=name,
        Runtime=language.runtime,
        Handler=language.handler,
        Role=make_role(server, f"{name}-role", "sqs:*", "dynamodb:*"),
        Code={"ZipFile": language.package(tmp_path)},
        Timeout=20,
        MemorySize=512,
    )["FunctionArn"]
    queue = sources.tie(name, function)
    sources.cause(name, function, queue)
    answer = sources.get(name)
    assert (answer.status_code, answer.text) == (200, f"hello from {name}")
    wanted = {f"upload-{name}", f"message-{name}", f"item-{name}", f"schedule-{name}", f"GET /{name}"}
    deadline = time.monotonic() + 60
    while wanted and time.monotonic() < deadline:
        time.sleep(0.2)
        pages = server.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        lines = [event["message"] for page in pages for event in page["events"] if "GOT" in event["message"]]
        wanted -= {mark for mark in wanted if any(mark in line for line in lines)}
    assert not wanted
