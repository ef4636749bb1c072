"""Nothing that fell due is lost by a stop, and nothing comes twice for having been missed often."""

import time
from collections.abc import Callable
from typing import Any


def test_what_fell_due_while_stopped_comes_once_at_the_next_start(own_desk: Callable[[], Any], own_server: Any) -> None:
    desk = own_desk()
    role = desk.role("everything", "*")
    url, arn = desk.queue("late")
    soon = desk.at(1)
    for number in range(20):
        desk.schedule(f"job-{number}", soon, {"Arn": arn, "RoleArn": role, "Input": str(number)})
    own_server.kill9()
    while desk.at(-1) <= soon:
        time.sleep(0.05)
    own_server.start()
    assert sorted(int(desk.received(url)["Body"]) for _ in range(20)) == list(range(20))
    assert "Messages" not in desk.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)


def test_a_kill_amid_many_deliveries_loses_none(own_desk: Callable[[], Any], own_server: Any) -> None:
    desk = own_desk()
    role = desk.role("everything", "*")
    url, arn = desk.queue("many")
    soon = desk.at(1)
    for number in range(100):
        desk.schedule(f"job-{number}", soon, {"Arn": arn, "RoleArn": role, "Input": str(number)})
    first = desk.received(url)["Body"]
    own_server.restart()
    found = {first}
    while len(found) < 100:
        found.add(desk.received(url)["Body"])
    assert found == {str(number) for number in range(100)}
