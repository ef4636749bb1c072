"""The operations on schedule groups and their tags."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.core.service import Cloud, operation
from cloudlet.services.scheduler import groups
from cloudlet.services.scheduler.base import SchedulerBase
from cloudlet.services.scheduler.errors import group_is_deleting, invalid
from cloudlet.services.scheduler.groups import DEFAULT, Group
from cloudlet.services.scheduler.pages import page_of, page_size, position_in
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_scheduler import type_defs as t

# Schedules of a group that go in one write.
_AT_ONCE = 500
_MOST_TAGS = 50


class GroupOperations(SchedulerBase):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._clearing: set[asyncio.Task[None]] = set()

    async def recover(self) -> None:
        await super().recover()
        for group in groups.deleting_groups(self.store.reader):
            self._clear(group)

    async def stop(self) -> None:
        for task in self._clearing:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._clearing)
        await super().stop()

    def condition_keys(self, call: Call, params: dict[str, Any]) -> dict[str, str]:
        """The tags of the group that the call is about, and those that the request gives to one."""
        keys = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in params.get("Tags", ())}
        resource = self.resource(call, params) or ""
        _, found, name = resource.partition(":schedule-group/")
        group = groups.find_group(self.store.reader, call.account, call.region, name) if found else None
        return keys | {f"aws:ResourceTag/{key}": value for key, value in (group.tags if group else {}).items()}

    @operation("CreateScheduleGroup")
    async def create_schedule_group(self, call: Call, params: "t.CreateScheduleGroupInputTypeDef") -> dict[str, Any]:
        tags = _checked({tag["Key"]: tag["Value"] for tag in params.get("Tags", [])})
        token = params.get("ClientToken")
        group = await self.store.write(
            lambda tx: groups.create_group(tx, call.account, call.region, params["Name"], tags, token, call.time)
        )
        return {"ScheduleGroupArn": group.arn}

    @operation("GetScheduleGroup")
    async def get_schedule_group(self, call: Call, params: "t.GetScheduleGroupInputTypeDef") -> dict[str, Any]:
        await self._ensure_default(call)
        return groups.load_group(self.store.reader, call.account, call.region, params["Name"]).description()

    @operation("DeleteScheduleGroup")
    async def delete_schedule_group(self, call: Call, params: "t.DeleteScheduleGroupInputTypeDef") -> dict[str, Any]:
        """Of many schedules the rest goes after the answer; until then the group is DELETING."""
        if params["Name"] == DEFAULT:
            raise invalid("The default schedule group cannot be deleted.")

        def delete(tx: Transaction) -> Group | None:
            group = groups.load_group(tx, call.account, call.region, params["Name"])
            if group.deleting:
                raise group_is_deleting(group.name)
            groups.mark_deleting(tx, group, call.time)
            return None if groups.clear_group(tx, group, _AT_ONCE) else group

        rest = await self.store.write(delete)
        if rest is not None:
            self._clear(rest)
        return {}

    @operation("ListScheduleGroups")
    async def list_schedule_groups(self, call: Call, params: "t.ListScheduleGroupsInputTypeDef") -> dict[str, Any]:
        await self._ensure_default(call)
        (after,) = position_in(params.get("NextToken"), 1)
        size = page_size(params)
        found = groups.list_groups(
            self.store.reader, call.account, call.region, params.get("NamePrefix", ""), after, size + 1
        )
        page, token = page_of(found, size, lambda group: [group.name])
        output: dict[str, Any] = {"ScheduleGroups": [group.description() for group in page]}
        return output | ({"NextToken": token} if token else {})

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: "t.TagResourceInputTypeDef") -> dict[str, Any]:
        given = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        return await self._change_tags(call, params["ResourceArn"], lambda tags: _checked({**tags, **given}))

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: "t.UntagResourceInputTypeDef") -> dict[str, Any]:
        gone = set(params["TagKeys"])
        return await self._change_tags(
            call, params["ResourceArn"], lambda tags: {key: tags[key] for key in tags if key not in gone}
        )

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, call: Call, params: "t.ListTagsForResourceInputTypeDef") -> dict[str, Any]:
        await self._ensure_default(call)
        group = _tagged(self.store.reader, params["ResourceArn"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in group.tags.items()]}

    async def _change_tags(
        self, call: Call, arn: str, changed: Callable[[Mapping[str, str]], dict[str, str]]
    ) -> dict[str, Any]:
        def change(tx: Transaction) -> None:
            groups.ensure_default(tx, call.account, call.region, call.time)
            group = _tagged(tx, arn)
            groups.set_group_tags(tx, group, changed(group.tags))

        await self.store.write(change)
        return {}

    async def _ensure_default(self, call: Call) -> None:
        if groups.find_group(self.store.reader, call.account, call.region, DEFAULT) is None:
            await self.store.write(lambda tx: groups.ensure_default(tx, call.account, call.region, call.time))

    def _clear(self, group: Group) -> None:
        task = asyncio.create_task(self._clear_all(group), name=f"clearing of {group.arn}")
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)

    async def _clear_all(self, group: Group) -> None:
        while not await self.store.write(lambda tx: groups.clear_group(tx, group, _AT_ONCE)):
            pass


def _tagged(reader: Reader, arn: str) -> Group:
    parsed = Arn.parse(arn)
    return groups.load_group(reader, parsed.account, parsed.region, parsed.resource.partition("/")[2])


def _checked(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _MOST_TAGS:
        raise invalid(f"A schedule group can have at most {_MOST_TAGS} tags.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise invalid("Tag keys cannot start with aws:.")
    return tags
