"""What alarm operations stand on: who looks at alarms, who changes them, and the actions that leave."""

from collections.abc import Iterable, Sequence

from cloudlet.core.context import Call
from cloudlet.core.service import Params
from cloudlet.services.cloudwatch.alarm_actions import AlarmActions
from cloudlet.services.cloudwatch.alarm_changes import AlarmChanges
from cloudlet.services.cloudwatch.alarms import find_alarm
from cloudlet.services.cloudwatch.base import CloudWatchBase
from cloudlet.services.cloudwatch.datums import Datum
from cloudlet.services.cloudwatch.evaluator import Evaluator
from cloudlet.store import Outbox

_OF_SEVERAL = frozenset({"DeleteAlarms", "EnableAlarmActions", "DisableAlarmActions"})
_WITH_TAGS = frozenset({"PutMetricAlarm", "PutCompositeAlarm", "PutDashboard"})


class AlarmBase(CloudWatchBase):
    outbox: Outbox
    changes: AlarmChanges
    evaluator: Evaluator

    async def start(self) -> None:
        await super().start()
        actions = AlarmActions(self.cloud)
        self.outbox = actions.outbox = Outbox(self.store, self.cloud.clock, actions.deliver)
        self.changes = AlarmChanges(actions, lambda: self.evaluator.wake())
        self.evaluator = Evaluator(self.store, self.cloud.clock, self.changes, self.take_over)

    async def recover(self) -> None:
        await super().recover()
        self.outbox.start()
        self.evaluator.start()

    async def drain(self) -> None:
        """What was not done yet stays in the outbox for the next start."""
        await self.evaluator.stop()
        await self.outbox.stop()
        await super().drain()

    async def stop(self) -> None:
        await self.evaluator.stop()
        await self.outbox.stop()
        await super().stop()

    def data_arrived(self, datums: Sequence[Datum]) -> None:
        self.evaluator.data_arrived(datums)

    def counts_as(self, call: Call, params: Params) -> Iterable[tuple[str, Params]]:
        """All that is named must be allowed each; tags that come with something new need the right to tag."""
        if call.operation in _OF_SEVERAL:
            return [(call.operation, {"AlarmName": name}) for name in params["AlarmNames"]]
        if call.operation == "DeleteDashboards":
            return [(call.operation, {"DashboardName": name}) for name in params["DashboardNames"]]
        asked = [(call.operation, params)]
        if call.operation in _WITH_TAGS and params.get("Tags"):
            asked.append(("TagResource", {"ResourceARN": self.resource(call, params), "Tags": params["Tags"]}))
        return asked

    def condition_keys(self, call: Call, params: Params) -> dict[str, str]:
        """The namespace of data, the tags of the alarm, and those that the request gives to something."""
        keys = super().condition_keys(call, params)
        keys |= {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in params.get("Tags", ())}
        name = (self.resource(call, params) or "").partition(":alarm:")[2]
        alarm = find_alarm(self.store.reader, (call.account, call.region), name) if name else None
        return keys | {f"aws:ResourceTag/{key}": value for key, value in (alarm.tags if alarm else {}).items()}
