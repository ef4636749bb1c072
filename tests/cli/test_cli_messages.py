"""What the commands say when something is not as it should be, and what a stack's failure looks like."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cloudlet.cli import serving, stacks
from cloudlet.cli.connection import Connection
from cloudlet.cli.errors import CommandError
from cloudlet.cli.functions import seconds
from cloudlet.cli.main import app
from cloudlet.cli.progress import LiveTable


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "CLOUDLET_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDLET_ROOT_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("CLOUDLET_ROOT_SECRET_ACCESS_KEY", "it's secret")


def test_without_a_server_commands_say_how_to_start_one(tmp_path: Path):
    result = CliRunner().invoke(app, ["status", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert (
        f"No Cloudlet is running on the data folder {tmp_path}. Start it: cloudlet up --data {tmp_path}"
        in result.stderr
    )


def test_env_can_be_evaluated_by_a_shell_before_the_server_runs(tmp_path: Path):
    result = CliRunner().invoke(app, ["env", "--data", str(tmp_path)])
    assert result.stdout.splitlines() == [
        "export AWS_ENDPOINT_URL=http://127.0.0.1:4566",
        "export AWS_ACCESS_KEY_ID=AKIAEXAMPLE",
        "export AWS_SECRET_ACCESS_KEY='it'\"'\"'s secret'",
        "export AWS_DEFAULT_REGION=us-east-1",
        "export AWS_DISABLE_HOST_PREFIX_INJECTION=true",
    ]


def test_half_a_root_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CLOUDLET_ROOT_SECRET_ACCESS_KEY")
    result = CliRunner().invoke(app, ["env", "--data", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "must be set together" in result.stderr


def test_an_endpoint_where_nobody_answers_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 1
    assert "Nothing answers at http://127.0.0.1:9" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--data", "/dev/null/data", "The data folder cannot be used: "),
        ("--host", "192.0.2.1", "Cloudlet cannot listen on 192.0.2.1 port 0: "),
        ("--log-level", "loud", "loud is not a log level; choose debug, info, warning or error."),
    ],
)
def test_a_server_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: str, said: str
):
    monkeypatch.setattr(serving, "log_to_stderr", lambda level: None)  # the tests' own logs stay as they are
    result = CliRunner().invoke(app, ["up", "--port", "0", "--data", str(tmp_path / "data"), option, value])
    assert result.exit_code == 1
    assert result.stderr.startswith(said)


@pytest.mark.parametrize(("span", "length"), [("90s", 90), ("10m", 600), ("2h", 7_200), ("1d", 86_400)])
def test_spans_of_time(span: str, length: int):
    assert seconds(span) == length


@pytest.mark.parametrize("span", ["", "10", "m", "1w", "-5m", "1.5h"])
def test_other_spans_are_refused(span: str):
    with pytest.raises(CommandError):
        seconds(span)


class CloudFormation:
    """Answers DescribeStackEvents with one more of its events each time, the newest first."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = events
        self._shown = 0

    def get_paginator(self, operation: str) -> "CloudFormation":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        self._shown += 1
        return [{"StackEvents": self._events[: self._shown][::-1]}]


STACK = "arn:aws:cloudformation:us-east-1:000000000000:stack/shop/1"


def event(number: int, resource: str, status: str, reason: str = "") -> dict[str, Any]:
    kind, physical = ("AWS::CloudFormation::Stack", STACK) if resource == "shop" else ("AWS::SQS::Queue", resource)
    return {
        "EventId": str(number),
        "LogicalResourceId": resource,
        "PhysicalResourceId": physical,
        "ResourceType": kind,
        "ResourceStatus": status,
        **({"ResourceStatusReason": reason} if reason else {}),
    }


def follow(monkeypatch: pytest.MonkeyPatch, *events: dict[str, Any]) -> str:
    monkeypatch.setattr(stacks.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(Connection, "client", lambda self, service: CloudFormation(list(events)))
    output = io.StringIO()
    stack = stacks.Stack(Connection("http://localhost", "us-east-1", None), "shop")
    stack.follow(STACK, "0", Console(file=output, width=200), "created")
    return output.getvalue()


def test_a_stack_is_followed_until_it_is_done(monkeypatch: pytest.MonkeyPatch):
    shown = follow(
        monkeypatch,
        event(0, "shop", "REVIEW_IN_PROGRESS"),
        event(1, "shop", "CREATE_IN_PROGRESS"),
        event(2, "Queue", "CREATE_COMPLETE"),
        event(3, "shop", "CREATE_COMPLETE"),
    )
    assert [line.split() for line in shown.splitlines()] == [
        ["CREATE_IN_PROGRESS", "shop", "(AWS::CloudFormation::Stack)"],
        ["CREATE_COMPLETE", "Queue", "(AWS::SQS::Queue)"],
        ["CREATE_COMPLETE", "shop", "(AWS::CloudFormation::Stack)"],
    ]


def test_a_failure_names_the_resource_and_the_reason(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(CommandError) as failure:
        follow(
            monkeypatch,
            event(0, "shop", "REVIEW_IN_PROGRESS"),
            event(1, "Queue", "CREATE_FAILED", "The name is taken."),
            event(2, "Other", "CREATE_FAILED", "Resource creation cancelled"),
            event(3, "shop", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Queue]."),
            event(4, "shop", "ROLLBACK_COMPLETE"),
        )
    assert str(failure.value).splitlines() == [
        "The stack shop could not be created: it is now ROLLBACK_COMPLETE.",
        "  Queue (AWS::SQS::Queue): The name is taken.",
        "Everything that it had changed was rolled back.",
    ]


def test_a_terminal_sees_one_row_per_resource():
    output = io.StringIO()
    with LiveTable(Console(file=output, width=120, force_terminal=True, color_system=None)) as table:
        table.show(event(1, "Queue", "CREATE_IN_PROGRESS"))
        table.show(event(2, "Queue", "CREATE_COMPLETE"))
    last = output.getvalue().rsplit("✓", 1)[1]
    assert "create complete" in last
    assert "Queue" in last
