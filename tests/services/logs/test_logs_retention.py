"""What has outlived its log group's retention is deleted."""

from pathlib import Path
from typing import Any

from cloudlet.core.clock import ManualClock
from cloudlet.core.context import FIRST_ACCOUNT, Principal
from cloudlet.core.service import Cloud
from cloudlet.core.settings import Settings
from cloudlet.services.logs import Logs

DAY = 86_400.0


async def test_expired_events_are_deleted_and_announced_ones_wake_listeners(tmp_path: Path) -> None:
    clock = ManualClock()
    cloud = Cloud(Settings(tmp_path), clock)
    logs = Logs(cloud)
    cloud.add(logs)
    await logs.start()

    async def call(name: str, **params: Any) -> Any:
        root = Principal.root(FIRST_ACCOUNT)
        return await cloud.call("logs", name, {"logGroupName": "g", **params}, as_=root, region="us-east-1")

    await call("CreateLogGroup")
    await call("CreateLogStream", logStreamName="s")
    await call("PutRetentionPolicy", retentionInDays=3)
    with cloud.signals.listen("logs:arn:aws:logs:us-east-1:000000000000:log-group:g") as listener:
        for message in ("first day", "second day"):
            event = {"timestamp": int(clock.now() * 1000), "message": message}
            await call("PutLogEvents", logStreamName="s", logEvents=[event])
            clock.advance(DAY)
        assert await listener.wait(0)
    clock.advance(1.5 * DAY)
    assert await logs.retention.expire() == 1
    assert await logs.retention.expire() == 0
    kept = await call("FilterLogEvents")
    assert [event["message"] for event in kept["events"]] == ["second day"]
    await logs.stop()
