"""What cannot be delivered: at once to the dead-letter queue, or after the attempts of the retry policy."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from event_making import Queue, entry

from cloudlet.core.clock import ManualClock
from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud, Service, operation
from cloudlet.core.settings import Settings
from cloudlet.services.events import EventBridge

ACCOUNT = "000000000000"
QUEUES = f"arn:aws:sqs:us-east-1:{ACCOUNT}"


def attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (f"{QUEUES}:nobody-made-it", "NO_PERMISSIONS"),
        (f"arn:aws:sns:us-east-1:{ACCOUNT}:nobody-made-it", "NO_PERMISSIONS"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:nobody-made-it", "NO_PERMISSIONS"),
        (f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/nobody-made-it", "NO_RESOURCE"),
        (f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:nobody-made-it", "NO_PERMISSIONS"),
    ],
)
def test_what_is_missing_is_not_tried_again(
    server: Any, make_queue: Callable[..., Queue], make_rule: Callable[..., str], target: str, code: str
) -> None:
    name = target.split(":")[2]
    letters = make_queue(server, f"letters-{name}")
    rule = make_rule(server, f"missing-{name}", f"missing.{name}", _target(target, letters))
    put = server.client("events").put_events(Entries=[entry(f"missing.{name}", {"n": 1})])
    (letter,) = letters.messages(1)
    event = json.loads(letter["Body"])
    assert (event["id"], event["detail"]) == (put["Entries"][0]["EventId"], {"n": 1})
    found = attributes(letter)
    assert found.pop("ERROR_MESSAGE")
    assert found == {"RULE_ARN": rule, "TARGET_ARN": target, "ERROR_CODE": code, "RETRY_ATTEMPTS": "0"}


def test_a_queue_without_permission_is_not_tried_again(
    server: Any, make_queue: Callable[..., Queue], make_rule: Callable[..., str]
) -> None:
    closed = make_queue(server, "closed", open_to_rules=False)
    letters = make_queue(server, "letters-of-closed")
    make_rule(server, "closed", "shop.closed", {**_target(closed.arn, letters), "InputPath": "$.detail"})
    server.client("events").put_events(Entries=[entry("shop.closed", {"n": 1})])
    (letter,) = letters.messages(1)
    assert attributes(letter)["ERROR_CODE"] == "NO_PERMISSIONS"
    assert "is not authorized to perform: sqs:SendMessage" in attributes(letter)["ERROR_MESSAGE"]
    assert json.loads(letter["Body"])["detail"] == {"n": 1}
    assert closed.is_empty()


def test_a_role_that_rules_may_not_assume(
    server: Any, make_queue: Callable[..., Queue], make_rule: Callable[..., str], make_role: Callable[..., str]
) -> None:
    queue, letters = make_queue(server, "by-role"), make_queue(server, "letters-of-role")
    role = make_role(server, "role-of-functions", "sqs:*")
    make_rule(server, "by-role", "shop.by-role", {**_target(queue.arn, letters), "RoleArn": role})
    server.client("events").put_events(Entries=[entry("shop.by-role")])
    assert attributes(letters.messages(1)[0])["ERROR_CODE"] == "FAILED_TO_ASSUME_ROLE"


def _target(arn: str, letters: Queue) -> dict[str, Any]:
    return {"Arn": arn, "DeadLetterConfig": {"Arn": letters.arn}}


class MoodyQueues(Service):
    """Stands for SQS: queues called `busy` and `broken` take nothing, the others keep what they get."""

    apis = ("sqs",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.attempts = 0
        self.kept: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @operation("SendMessage")
    async def send_message(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if params["QueueUrl"].endswith("/busy"):
            self.attempts += 1
            raise AwsError("RequestThrottled", "not now")
        if params["QueueUrl"].endswith("/broken"):
            self.attempts += 1
            raise RuntimeError("a defect")
        self.kept.put_nowait(params)
        return {"MessageId": "m"}


class EverybodyMay:
    def authorise(self, call: Call, resource: str | None, resource_policy: dict[str, Any] | None) -> None:
        """Allows it."""


class Bridge:
    """EventBridge in this process, on a clock that tests move, beside queues with moods."""

    def __init__(self, data: Path) -> None:
        self.clock = ManualClock()
        self.cloud = Cloud(Settings(data=data), self.clock)
        self.cloud.authoriser = EverybodyMay()
        self.service = EventBridge(self.cloud)
        self.queues = MoodyQueues(self.cloud)
        for service in (self.service, self.queues):
            self.cloud.add(service)

    async def call(self, name: str, **params: Any) -> Any:
        return await self.cloud.call("events", name, params, as_=Principal.root(ACCOUNT), region="us-east-1")

    async def letter(self) -> dict[str, Any]:
        """Lets the time of each attempt come, until there is one."""
        outbox, reader = self.service.outbox, self.service.store.reader
        while self.queues.kept.empty():
            row = reader.one("SELECT max(due) FROM outbox")
            if not outbox.statistics()["under_way"] and row is not None and row[0] is not None:
                self.clock.advance(max(row[0] - self.clock.now(), 0.0))
                outbox._wake.set()
            await asyncio.sleep(0.001)
        return self.queues.kept.get_nowait()


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    made = Bridge(tmp_path)
    await made.service.start()
    await made.service.recover()
    yield made
    await made.service.stop()


async def undelivered(bridge: Bridge, queue: str = "busy", **policy: int) -> None:
    target = {"Id": "t", "Arn": f"{QUEUES}:{queue}", "DeadLetterConfig": {"Arn": f"{QUEUES}:letters"}}
    if policy:
        target["RetryPolicy"] = policy
    await bridge.call("PutRule", Name="r", EventPattern='{"source": ["s"]}')
    await bridge.call("PutTargets", Rule="r", Targets=[target])
    await bridge.call("PutEvents", Entries=[entry("s")])


async def test_attempts_are_counted(bridge: Bridge) -> None:
    await undelivered(bridge, MaximumRetryAttempts=3)
    found = attributes(await bridge.letter())
    assert bridge.queues.attempts == 4
    assert found["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert found["RETRY_ATTEMPTS"] == "3"
    assert (found["ERROR_CODE"], found["ERROR_MESSAGE"]) == ("THROTTLING", "not now")


async def test_an_event_grows_too_old(bridge: Bridge) -> None:
    await undelivered(bridge, MaximumEventAgeInSeconds=60)
    began = bridge.clock.now()
    found = attributes(await bridge.letter())
    assert bridge.clock.now() - began >= 60
    assert found["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"
    assert int(found["RETRY_ATTEMPTS"]) == bridge.queues.attempts - 1 > 1


async def test_left_alone_it_is_tried_185_times_again(bridge: Bridge) -> None:
    await undelivered(bridge)
    found = attributes(await bridge.letter())
    limits = {"MaximumRetryAttempts", "MaximumEventAgeInSeconds"}
    assert found["EXHAUSTED_RETRY_CONDITION"] in limits
    assert 150 < bridge.queues.attempts <= 186


async def test_without_attempts_it_is_given_up_at_once(bridge: Bridge) -> None:
    await undelivered(bridge, MaximumRetryAttempts=0)
    found = attributes(await bridge.letter())
    assert bridge.queues.attempts == 1
    assert found["RETRY_ATTEMPTS"] == "0"


async def test_a_defect_is_given_up_like_any_failure(bridge: Bridge) -> None:
    await undelivered(bridge, "broken", MaximumRetryAttempts=1)
    found = attributes(await bridge.letter())
    assert bridge.queues.attempts == 2
    assert found["ERROR_CODE"] == "INTERNAL_ERROR"
