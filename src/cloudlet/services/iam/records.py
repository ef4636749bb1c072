"""What all groups of IAM's operations stand on: the records, and the change after which decisions are made anew."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cloudlet.core.context import Call
from cloudlet.core.service import Service
from cloudlet.services.iam import entities, faults
from cloudlet.services.iam.entities import Entity, Kind
from cloudlet.store import Reader, Store, Transaction

T = TypeVar("T")


class Records(Service):
    store: Store

    async def change(self, function: Callable[[Transaction], T]) -> T:
        """Writes; whoever is asked about from then on is judged by what was written."""

        def write(tx: Transaction) -> T:
            tx.after_commit(self.forget)
            return function(tx)

        return await self.store.write(write)

    def forget(self) -> None:
        """Drops everything that was kept in memory for decisions."""
        raise NotImplementedError

    def entity(self, call: Call, kind: Kind, name: str) -> Entity:
        """Raises NoSuchEntity."""
        return entities.require(self.store.reader, call.account, kind, name)

    def user_meant(self, reader: Reader, call: Call, params: Mapping[str, Any]) -> Entity | None:
        """The user named, or else the one who asks; None if that is the account's root. Raises NoSuchEntity."""
        name = params.get("UserName")
        if name is not None:
            return entities.require(reader, call.account, "user", name)
        if call.principal.kind == "user":
            found = entities.by_id(reader, call.principal.id)
            if found is None:
                raise faults.not_found("user", call.principal.arn.rpartition("/")[2])
            return found
        if call.principal.kind == "root":
            return None
        raise faults.validation_error("Must specify userName when calling with non-User credentials")

    def boundary_of(self, entity: Entity) -> dict[str, Any]:
        if entity.boundary is None:
            return {}
        return {
            "PermissionsBoundary": {
                "PermissionsBoundaryType": "Policy",
                "PermissionsBoundaryArn": entity.boundary,
            }
        }

    def tags_of(self, subject: str) -> dict[str, Any]:
        """The Tags member, left out where there are none."""
        tags = entities.tags_of(self.store.reader, subject)
        return {"Tags": entities.tag_list(tags)} if tags else {}
