"""What all operations of the Scheduler stand on: the data, the clock, the deliveries, the ARN that a call is about."""

from pathlib import Path
from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.role_sessions import RoleSessions
from cloudlet.core.service import Cloud, Service
from cloudlet.services.scheduler.delivery import Deliverer
from cloudlet.services.scheduler.firing import CHANGED, Firing
from cloudlet.services.scheduler.groups import DEFAULT
from cloudlet.store import Outbox, Store, Transaction

SERVICE = "scheduler.amazonaws.com"
# A target that takes its time holds back its own invocations only.
_PER_TARGET = 16


class SchedulerBase(Service):
    apis = ("scheduler",)
    store: Store

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.roles = RoleSessions(cloud, SERVICE, "scheduler")

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "scheduler.db", Path(__file__).with_name("schema.sql"))
        deliverer = Deliverer(self.cloud, self.store, self.roles)
        self._outbox = Outbox(self.store, self.cloud.clock, deliverer.deliver, per_target=_PER_TARGET)
        deliverer.outbox = self._outbox
        self._firing = Firing(self.store, self._outbox, self.cloud.clock, self.cloud.signals)

    async def recover(self) -> None:
        self._firing.start()
        self._outbox.start()

    async def drain(self) -> None:
        """What is due from now on is fired at the next start."""
        await self._firing.stop()
        await self._outbox.stop()

    async def stop(self) -> None:
        await self._firing.stop()
        await self._outbox.stop()
        self.store.close()

    def resource(self, call: Call, params: dict[str, Any]) -> str | None:
        prefix = f"arn:aws:scheduler:{call.region}:{call.account}"
        if "ResourceArn" in params:
            return params["ResourceArn"]
        if call.operation.endswith(("ScheduleGroup", "ScheduleGroups")):
            return f"{prefix}:schedule-group/{params.get('Name', '*')}"
        if call.operation == "ListSchedules":
            return f"{prefix}:schedule/{params.get('GroupName', '*')}/*"
        return f"{prefix}:schedule/{params.get('GroupName', DEFAULT)}/{params['Name']}"

    def changed_after(self, tx: Transaction) -> None:
        """Tells the clock, once the write is on disk, that something may be due earlier."""
        tx.after_commit(lambda: self.cloud.signals.notify(CHANGED))
