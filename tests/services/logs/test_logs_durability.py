"""What was acknowledged is there after kill -9."""

import time
from typing import Any


def test_events_survive_a_crash(own_server: Any) -> None:
    logs = own_server.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = int(time.time() * 1000)
    for number in range(20):
        event = {"timestamp": now + number, "message": f"event {number}"}
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[event])
    own_server.restart()
    found = own_server.client("logs").get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)
    assert [event["message"] for event in found["events"]] == [f"event {number}" for number in range(20)]
