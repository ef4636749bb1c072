"""The operations on schedules."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.scheduler import schedules
from cloudlet.services.scheduler.base import SERVICE, SchedulerBase
from cloudlet.services.scheduler.errors import role_not_assumable, schedule_exists
from cloudlet.services.scheduler.groups import DEFAULT, load_group, usable_group
from cloudlet.services.scheduler.pages import page_of, page_size, position_in
from cloudlet.services.scheduler.schedules import Selection
from cloudlet.services.scheduler.settings import settings_of
from cloudlet.services.scheduler.targets import check_target
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_scheduler import type_defs as t


class ScheduleOperations(SchedulerBase):
    @operation("CreateSchedule")
    async def create_schedule(self, call: Call, params: "t.CreateScheduleInputTypeDef") -> dict[str, Any]:
        settings = settings_of(params, call.time)
        place = _place(call, params)
        state, token = params.get("State", "ENABLED"), params.get("ClientToken")
        await self._check_target(call, params, create=True)

        def create(tx: Transaction) -> str:
            usable_group(tx, *place[:3], call.time)
            known = schedules.find_schedule(tx, *place)
            if known is None:
                schedules.insert_schedule(tx, place, state, settings, token, call.time)
                self.changed_after(tx)
            elif token is None or known.client_token != token or (known.state, known.settings) != (state, settings):
                raise schedule_exists(known.name)
            return schedules.load_schedule(tx, *place).arn

        return {"ScheduleArn": await self.store.write(create)}

    @operation("UpdateSchedule")
    async def update_schedule(self, call: Call, params: "t.UpdateScheduleInputTypeDef") -> dict[str, Any]:
        settings = settings_of(params, call.time)
        place = _place(call, params)
        await self._check_target(call, params, create=False)

        def update(tx: Transaction) -> str:
            known = schedules.load_schedule(tx, *place)
            schedules.replace_schedule(tx, known, params.get("State", "ENABLED"), settings, call.time)
            self.changed_after(tx)
            return known.arn

        return {"ScheduleArn": await self.store.write(update)}

    @operation("GetSchedule")
    async def get_schedule(self, call: Call, params: "t.GetScheduleInputTypeDef") -> dict[str, Any]:
        return schedules.load_schedule(self.store.reader, *_place(call, params)).description()

    @operation("DeleteSchedule")
    async def delete_schedule(self, call: Call, params: "t.DeleteScheduleInputTypeDef") -> dict[str, Any]:
        place = _place(call, params)
        await self.store.write(
            lambda tx: schedules.delete_schedule(tx, schedules.load_schedule(tx, *place).id),
        )
        return {}

    @operation("ListSchedules")
    async def list_schedules(self, call: Call, params: "t.ListSchedulesInputTypeDef") -> dict[str, Any]:
        group = params.get("GroupName")
        if group not in (None, DEFAULT):
            load_group(self.store.reader, call.account, call.region, group)
        after, name = position_in(params.get("NextToken"), 2)
        wanted = Selection(
            call.account, call.region, group, params.get("NamePrefix", ""), params.get("State"), (after, name)
        )
        size = page_size(params)
        found = await self.store.query(lambda reader: schedules.list_schedules(reader, wanted, size + 1))
        page, token = page_of(found, size, lambda schedule: [schedule.group, schedule.name])
        output: dict[str, Any] = {"Schedules": [schedule.summary() for schedule in page]}
        return output | ({"NextToken": token} if token else {})

    async def _check_target(self, call: Call, params: Mapping[str, Any], *, create: bool) -> None:
        """Whether there is such a target, whether the caller may pass the role, and the Scheduler assume it."""
        target = params["Target"]
        check_target(self.cloud, target)
        self.cloud.authorise_passing(call, target["RoleArn"], SERVICE)
        group = params.get("GroupName", DEFAULT)
        if group != DEFAULT:
            load_group(self.store.reader, call.account, call.region, group)
        if not create:
            schedules.load_schedule(self.store.reader, *_place(call, params))
        # As on AWS, `aws:SourceArn` in the role's trust policy is the ARN of the schedule's group.
        group_arn = f"arn:aws:scheduler:{call.region}:{call.account}:schedule-group/{group}"
        try:
            await self.roles.check(target["RoleArn"], group_arn)
        except AwsError:
            raise role_not_assumable() from None


def _place(call: Call, params: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """The account, the region, the group and the name of the schedule that the call is about."""
    return call.account, call.region, params.get("GroupName", DEFAULT), params["Name"]
