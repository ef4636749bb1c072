"""Access keys of users and of an account's root."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.ids import secret_key
from cloudlet.core.service import operation
from cloudlet.services.iam import entities, faults
from cloudlet.services.iam.credentials import Credentials
from cloudlet.services.iam.entities import Entity
from cloudlet.services.iam.paging import page
from cloudlet.services.iam.records import Records
from cloudlet.services.iam.sessions import key_id
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as shapes

_MAX_KEYS = 2


class AccessKeys(Records):
    credentials: Credentials

    @operation("CreateAccessKey")
    async def create_access_key(self, call: Call, params: "shapes.CreateAccessKeyRequestTypeDef") -> dict[str, Any]:
        id_, secret = key_id("AKIA", call.account), secret_key()

        def create(tx: Transaction) -> str:
            user = self.user_meant(tx, call, params)
            user_id = user.id if user is not None else None
            if len(_keys_of(tx, call.account, user_id)) >= _MAX_KEYS:
                raise faults.limit_exceeded(f"Cannot exceed quota for AccessKeysPerUser: {_MAX_KEYS}")
            tx.execute(
                "INSERT INTO access_key (id, account, user_id, secret, active, created) VALUES (?, ?, ?, ?, 1, ?)",
                (id_, call.account, user_id, secret, call.time),
            )
            return user.name if user is not None else "root"

        name = await self.change(create)
        return {
            "AccessKey": {
                "UserName": name,
                "AccessKeyId": id_,
                "Status": "Active",
                "SecretAccessKey": secret,
                "CreateDate": call.time,
            }
        }

    @operation("ListAccessKeys")
    async def list_access_keys(self, call: Call, params: "shapes.ListAccessKeysRequestTypeDef") -> dict[str, Any]:
        user = self.user_meant(self.store.reader, call, params)
        keys = _keys_of(self.store.reader, call.account, user.id if user is not None else None)
        found, more = page(params, keys, lambda key: key[0])
        name = user.name if user is not None else "root"
        return {
            "AccessKeyMetadata": [
                {"UserName": name, "AccessKeyId": id_, "Status": _status(active), "CreateDate": created}
                for id_, active, created in found
            ],
            **more,
        }

    @operation("UpdateAccessKey")
    async def update_access_key(self, call: Call, params: "shapes.UpdateAccessKeyRequestTypeDef") -> None:
        def update(tx: Transaction) -> None:
            id_ = self._key(tx, call, self.user_meant(tx, call, params), params["AccessKeyId"])
            tx.execute("UPDATE access_key SET active = ? WHERE id = ?", (params["Status"] == "Active", id_))

        await self.change(update)

    @operation("DeleteAccessKey")
    async def delete_access_key(self, call: Call, params: "shapes.DeleteAccessKeyRequestTypeDef") -> None:
        def delete(tx: Transaction) -> None:
            id_ = self._key(tx, call, self.user_meant(tx, call, params), params["AccessKeyId"])
            tx.execute("DELETE FROM access_key WHERE id = ?", (id_,))

        await self.change(delete)

    @operation("GetAccessKeyLastUsed")
    async def get_access_key_last_used(
        self, call: Call, params: "shapes.GetAccessKeyLastUsedRequestTypeDef"
    ) -> dict[str, Any]:
        await self.credentials.write_uses()
        sql = "SELECT user_id, last_used, last_service, last_region FROM access_key WHERE id = ? AND account = ?"
        row = self.store.reader.one(sql, (params["AccessKeyId"], call.account))
        if row is None:
            raise _no_such_key(params["AccessKeyId"])
        user_id, used, service, region = row
        user = entities.by_id(self.store.reader, user_id) if user_id is not None else None
        last: dict[str, Any] = {"ServiceName": service or "N/A", "Region": region or "N/A"}
        if used is not None:
            last["LastUsedDate"] = datetime.fromtimestamp(int(used), UTC)
        return {"UserName": user.name if user is not None else "root", "AccessKeyLastUsed": last}

    def _key(self, tx: Transaction, call: Call, user: Entity | None, id_: str) -> str:
        """The id, if it is a key of that user (of root: None). Raises NoSuchEntity."""
        known = [key[0] for key in _keys_of(tx, call.account, user.id if user is not None else None)]
        if id_ in known:
            return id_
        if id_ == self.credentials.first_root.access_key_id:
            raise NotImplementedByCloudlet("changing the root key that the environment or the data folder gives")
        raise _no_such_key(id_)


def _keys_of(reader: Reader, account: str, user_id: str | None) -> list[tuple[str, bool, float]]:
    """(id, active, created)"""
    sql = "SELECT id, active, created FROM access_key WHERE account = ? AND user_id IS ?"
    return [(id_, bool(active), created) for id_, active, created in reader.rows(sql, (account, user_id))]


def _status(active: bool) -> str:
    return "Active" if active else "Inactive"


def _no_such_key(id_: str) -> Exception:
    return faults.no_such_entity(f"The Access Key with id {id_} cannot be found.")
