"""Invokes functions and shows what they print."""

import base64
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from botocore.exceptions import ClientError

from cloudlet.cli.connection import Connection
from cloudlet.cli.errors import CommandError, code

_SPAN = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def invoke(connection: Connection, name: str, event: str | None, payload: str | None, show_log: bool) -> None:
    """Prints the answer; the function's log, if wanted, goes to standard error. Exit status 1 if it failed."""
    functions = connection.client("lambda")
    answer = functions.invoke(
        FunctionName=function_name(connection, name),
        Payload=_event(event, payload),
        LogType="Tail" if show_log else "None",
    )
    if show_log and "LogResult" in answer:
        typer.echo(base64.b64decode(answer["LogResult"]).decode("utf-8", "replace").rstrip(), err=True)
    typer.echo(answer["Payload"].read().decode("utf-8", "replace"))
    if "FunctionError" in answer:
        raise typer.Exit(1)


def logs(connection: Connection, name: str, since: str, follow: bool) -> None:
    """Prints what the function printed, oldest first; with `follow` goes on until it is interrupted."""
    group = f"/aws/lambda/{function_name(connection, name)}"
    start = int((time.time() - seconds(since)) * 1000)
    client = connection.client("logs")
    seen: set[str] = set()
    while True:
        for event in _events(client, group, start):
            if event["eventId"] in seen:
                continue
            # Events of one millisecond may come in two answers: from its beginning on they are asked for again.
            if event["timestamp"] > start:
                start = event["timestamp"]
            seen.add(event["eventId"])
            when = time.strftime("%H:%M:%S", time.localtime(event["timestamp"] / 1000))
            typer.echo(f"{typer.style(when, dim=True)} {event['message'].rstrip()}")
        if not follow:
            return
        time.sleep(0.5)


def function_name(connection: Connection, name: str) -> str:
    """The function's own name for its name, its ARN or its logical id in a stack. Raises CommandError."""
    functions = connection.client("lambda")
    try:
        found: str = functions.get_function_configuration(FunctionName=name)["FunctionName"]
        return found
    except ClientError as error:
        if code(error) != "ResourceNotFoundException":
            raise
    places = [(stack, function) for stack, logical, function in _stack_functions(connection) if logical == name]
    if not places:
        known = sorted(function["FunctionName"] for function in _all_functions(functions))
        raise CommandError(f"There is no function {name}. There are: {', '.join(known) or 'none'}.")
    if len(places) > 1:
        raise CommandError(f"{name} is in several stacks; name one: {', '.join(function for _, function in places)}.")
    return places[0][1]


def seconds(span: str) -> int:
    """Reads `90s`, `10m`, `2h`, `1d`. Raises CommandError."""
    found = _SPAN.fullmatch(span.strip())
    if found is None:
        raise CommandError(f"{span} is not a span of time such as 90s, 10m, 2h or 1d.")
    return int(found[1]) * _SECONDS[found[2]]


def _event(event: str | None, payload: str | None) -> bytes:
    if event is not None and payload is not None:
        raise CommandError("Give the event either as --event or as --payload, not both.")
    if event == "-":
        return sys.stdin.buffer.read()
    if event is not None:
        try:
            return Path(event).read_bytes()
        except OSError as error:
            raise CommandError(f"The event cannot be read: {error}") from None
    return (payload or "{}").encode()


def _events(client: Any, group: str, start: int) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=max(0, start))
    try:
        for page in pages:
            yield from page["events"]
    except client.exceptions.ResourceNotFoundException:
        return  # it has not run yet


def _stack_functions(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Stack, logical id and name of every function that a stack holds."""
    cloudformation = connection.client("cloudformation")
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            resources = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack["StackName"])
            for found in resources:
                for resource in found["StackResourceSummaries"]:
                    if resource["ResourceType"] == "AWS::Lambda::Function" and resource.get("PhysicalResourceId"):
                        yield stack["StackName"], resource["LogicalResourceId"], resource["PhysicalResourceId"]


def _all_functions(functions: Any) -> Iterator[dict[str, Any]]:
    for page in functions.get_paginator("list_functions").paginate():
        yield from page["Functions"]
