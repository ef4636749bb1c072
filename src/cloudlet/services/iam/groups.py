"""Groups and who is in them."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.iam import entities, faults
from cloudlet.services.iam.entities import Entity
from cloudlet.services.iam.paging import page
from cloudlet.services.iam.records import Records
from cloudlet.services.iam.users import user_shape
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as shapes

_MAX_GROUPS = 10


def _group(group: Entity) -> dict[str, Any]:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": group.created,
    }


class Groups(Records):
    @operation("CreateGroup")
    async def create_group(self, call: Call, params: "shapes.CreateGroupRequestTypeDef") -> dict[str, Any]:
        group = Entity(
            id=entities.new_id("group"),
            kind="group",
            account=call.account,
            name=params["GroupName"],
            path=params.get("Path", "/"),
            created=call.time,
        )
        await self.change(lambda tx: entities.insert(tx, group))
        return {"Group": _group(group)}

    @operation("GetGroup")
    async def get_group(self, call: Call, params: "shapes.GetGroupRequestTypeDef") -> dict[str, Any]:
        group = self.entity(call, "group", params["GroupName"])
        found, more = page(params, entities.members_of(self.store.reader, group), lambda user: user.name)
        return {"Group": _group(group), "Users": [user_shape(user) for user in found], **more}

    @operation("ListGroups")
    async def list_groups(self, call: Call, params: "shapes.ListGroupsRequestTypeDef") -> dict[str, Any]:
        groups = entities.all_of(self.store.reader, call.account, "group", params.get("PathPrefix", "/"))
        found, more = page(params, groups, lambda group: group.name)
        return {"Groups": [_group(group) for group in found], **more}

    @operation("ListGroupsForUser")
    async def list_groups_for_user(
        self, call: Call, params: "shapes.ListGroupsForUserRequestTypeDef"
    ) -> dict[str, Any]:
        user = self.entity(call, "user", params["UserName"])
        found, more = page(params, entities.groups_of(self.store.reader, user), lambda group: group.name)
        return {"Groups": [_group(group) for group in found], **more}

    @operation("UpdateGroup")
    async def update_group(self, call: Call, params: "shapes.UpdateGroupRequestTypeDef") -> None:
        def update(tx: Transaction) -> None:
            group = entities.require(tx, call.account, "group", params["GroupName"])
            entities.rename(tx, group, params.get("NewGroupName", group.name), params.get("NewPath", group.path))

        await self.change(update)

    @operation("DeleteGroup")
    async def delete_group(self, call: Call, params: "shapes.DeleteGroupRequestTypeDef") -> None:
        await self.change(
            lambda tx: entities.delete(tx, entities.require(tx, call.account, "group", params["GroupName"]))
        )

    @operation("AddUserToGroup")
    async def add_user_to_group(self, call: Call, params: "shapes.AddUserToGroupRequestTypeDef") -> None:
        def add(tx: Transaction) -> None:
            group = entities.require(tx, call.account, "group", params["GroupName"])
            user = entities.require(tx, call.account, "user", params["UserName"])
            tx.execute("INSERT OR IGNORE INTO membership (group_id, user_id) VALUES (?, ?)", (group.id, user.id))
            if len(entities.groups_of(tx, user)) > _MAX_GROUPS:
                raise faults.limit_exceeded(f"Cannot exceed quota for GroupsPerUser: {_MAX_GROUPS}")

        await self.change(add)

    @operation("RemoveUserFromGroup")
    async def remove_user_from_group(self, call: Call, params: "shapes.RemoveUserFromGroupRequestTypeDef") -> None:
        def remove(tx: Transaction) -> None:
            group = entities.require(tx, call.account, "group", params["GroupName"])
            user = entities.require(tx, call.account, "user", params["UserName"])
            tx.execute("DELETE FROM membership WHERE group_id = ? AND user_id = ?", (group.id, user.id))

        await self.change(remove)
