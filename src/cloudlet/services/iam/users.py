"""Users: who they are, their tags, their boundary."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.iam import entities, policies
from cloudlet.services.iam.entities import Entity
from cloudlet.services.iam.paging import page
from cloudlet.services.iam.records import Records
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as shapes


def user_shape(user: Entity) -> dict[str, Any]:
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.created,
    }


class Users(Records):
    @operation("CreateUser")
    async def create_user(self, call: Call, params: "shapes.CreateUserRequestTypeDef") -> dict[str, Any]:
        user = Entity(
            id=entities.new_id("user"),
            kind="user",
            account=call.account,
            name=params["UserName"],
            path=params.get("Path", "/"),
            created=call.time,
            boundary=params.get("PermissionsBoundary"),
        )

        def create(tx: Transaction) -> None:
            if user.boundary is not None:
                policies.require(tx, call.account, user.boundary)
            entities.insert(tx, user)
            entities.add_tags(tx, user.id, params.get("Tags", ()))

        await self.change(create)
        return {"User": {**user_shape(user), **self.boundary_of(user), **self.tags_of(user.id)}}

    @operation("GetUser")
    async def get_user(self, call: Call, params: "shapes.GetUserRequestTypeDef") -> dict[str, Any]:
        user = self.user_meant(self.store.reader, call, params)
        if user is None:
            return {"User": self._root(call)}
        return {"User": {**user_shape(user), **self.boundary_of(user), **self.tags_of(user.id)}}

    @operation("ListUsers")
    async def list_users(self, call: Call, params: "shapes.ListUsersRequestTypeDef") -> dict[str, Any]:
        users = entities.all_of(self.store.reader, call.account, "user", params.get("PathPrefix", "/"))
        found, more = page(params, users, lambda user: user.name)
        return {"Users": [user_shape(user) for user in found], **more}

    @operation("UpdateUser")
    async def update_user(self, call: Call, params: "shapes.UpdateUserRequestTypeDef") -> None:
        def update(tx: Transaction) -> None:
            user = entities.require(tx, call.account, "user", params["UserName"])
            entities.rename(tx, user, params.get("NewUserName", user.name), params.get("NewPath", user.path))

        await self.change(update)

    @operation("DeleteUser")
    async def delete_user(self, call: Call, params: "shapes.DeleteUserRequestTypeDef") -> None:
        await self.change(
            lambda tx: entities.delete(tx, entities.require(tx, call.account, "user", params["UserName"]))
        )

    @operation("TagUser")
    async def tag_user(self, call: Call, params: "shapes.TagUserRequestTypeDef") -> None:
        def tag(tx: Transaction) -> None:
            user = entities.require(tx, call.account, "user", params["UserName"])
            entities.add_tags(tx, user.id, params["Tags"])

        await self.change(tag)

    @operation("UntagUser")
    async def untag_user(self, call: Call, params: "shapes.UntagUserRequestTypeDef") -> None:
        def untag(tx: Transaction) -> None:
            user = entities.require(tx, call.account, "user", params["UserName"])
            entities.remove_tags(tx, user.id, params["TagKeys"])

        await self.change(untag)

    @operation("ListUserTags")
    async def list_user_tags(self, call: Call, params: "shapes.ListUserTagsRequestTypeDef") -> dict[str, Any]:
        user = self.entity(call, "user", params["UserName"])
        found, more = page(params, list(entities.tags_of(self.store.reader, user.id).items()), lambda tag: tag[0])
        return {"Tags": entities.tag_list(dict(found)), **more}

    @operation("PutUserPermissionsBoundary")
    async def put_user_permissions_boundary(
        self, call: Call, params: "shapes.PutUserPermissionsBoundaryRequestTypeDef"
    ) -> None:
        def put(tx: Transaction) -> None:
            user = entities.require(tx, call.account, "user", params["UserName"])
            set_boundary(tx, user, params["PermissionsBoundary"])

        await self.change(put)

    @operation("DeleteUserPermissionsBoundary")
    async def delete_user_permissions_boundary(
        self, call: Call, params: "shapes.DeleteUserPermissionsBoundaryRequestTypeDef"
    ) -> None:
        await self.change(
            lambda tx: set_boundary(tx, entities.require(tx, call.account, "user", params["UserName"]), None)
        )

    def _root(self, call: Call) -> dict[str, Any]:
        row = self.store.reader.one("SELECT created FROM account WHERE id = ?", (call.account,))
        assert row is not None
        return {
            "Path": "/",
            "UserName": "root",
            "UserId": call.account,
            "Arn": call.principal.arn,
            "CreateDate": row[0],
        }


def set_boundary(tx: Transaction, entity: Entity, arn: str | None) -> None:
    """Raises NoSuchEntity for a policy that does not exist."""
    if arn is not None:
        policies.require(tx, entity.account, arn)
    tx.execute("UPDATE entity SET boundary = ? WHERE id = ?", (arn, entity.id))
