"""The operations on event buses and their policies."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.events.base import EventsBase
from cloudlet.services.events.buses import EventBus, load_bus, save_bus, settings_of
from cloudlet.services.events.faults import invalid, limit_exceeded
from cloudlet.services.events.names import DEFAULT, bus_arn, bus_of
from cloudlet.services.events.paging import page_of
from cloudlet.services.events.permissions import with_permission, without_permission
from cloudlet.services.events.tagging import changed_tags
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_events import type_defs as t

_MOST_BUSES = 100


class BusOperations(EventsBase):
    @operation("CreateEventBus")
    async def create_event_bus(self, call: Call, params: "t.CreateEventBusRequestTypeDef") -> dict[str, Any]:
        name = params["Name"]
        settings = settings_of(params)
        if "/" in name:
            raise invalid("Event bus name must not contain '/'.")
        tags = changed_tags({}, params.get("Tags", ()))
        arn = bus_of(call, name)

        def create(tx: Transaction) -> None:
            if name == DEFAULT or tx.one("SELECT 1 FROM event_bus WHERE arn = ?", (arn,)) is not None:
                raise AwsError("ResourceAlreadyExistsException", f"Event bus {name} already exists.")
            if len(self.directory.buses_under(arn.removesuffix(name))) >= _MOST_BUSES:
                raise limit_exceeded()
            bus = replace(EventBus.untouched(arn), settings=settings, tags=tags)
            self.directory.put_bus_after(tx, save_bus(tx, bus, call.time))

        await self.store.write(create)
        return {"EventBusArn": arn, **settings}

    @operation("UpdateEventBus")
    async def update_event_bus(self, call: Call, params: "t.UpdateEventBusRequestTypeDef") -> dict[str, Any]:
        settings = settings_of(params)
        bus = await self._change_bus(
            call, params.get("Name"), lambda found: replace(found, settings={**found.settings, **settings})
        )
        return {"Arn": bus.arn, "Name": bus.name, **bus.settings}

    @operation("DescribeEventBus")
    async def describe_event_bus(self, call: Call, params: "t.DescribeEventBusRequestTypeDef") -> dict[str, Any]:
        bus = self.directory.bus(bus_of(call, params.get("Name")))
        return {**bus.settings, **bus.description()}

    @operation("ListEventBuses")
    async def list_event_buses(self, call: Call, params: "t.ListEventBusesRequestTypeDef") -> dict[str, Any]:
        own = self.directory.buses_under(bus_arn(call.account, call.region, DEFAULT).removesuffix(DEFAULT))
        default = self.directory.bus(bus_of(call, None))
        buses = {bus.name: bus for bus in (default, *own) if bus.name.startswith(params.get("NamePrefix", ""))}
        page, token = page_of(list(buses), params)
        return {"EventBuses": [buses[name].description() for name in page], **token}

    @operation("DeleteEventBus")
    async def delete_event_bus(self, call: Call, params: "t.DeleteEventBusRequestTypeDef") -> None:
        """Deleting one that is not there is fine."""
        name = params["Name"]
        if name == DEFAULT:
            raise invalid("Cannot delete event bus default.")
        arn = bus_of(call, name)

        def delete(tx: Transaction) -> None:
            if tx.one("SELECT 1 FROM rule WHERE bus = ?", (arn,)) is not None:
                raise invalid(f"Event bus {name} can't be deleted since it has rules.")
            tx.execute("DELETE FROM event_bus WHERE arn = ?", (arn,))
            self.directory.drop_bus_after(tx, arn)

        await self.store.write(delete)

    @operation("PutPermission")
    async def put_permission(self, call: Call, params: "t.PutPermissionRequestTypeDef") -> None:
        await self._change_policy(call, params, lambda bus: with_permission(bus.policy, bus.arn, params))

    @operation("RemovePermission")
    async def remove_permission(self, call: Call, params: "t.RemovePermissionRequestTypeDef") -> None:
        await self._change_policy(call, params, lambda bus: without_permission(bus.policy, params))

    async def _change_policy(
        self, call: Call, params: Mapping[str, Any], policy: Callable[[EventBus], dict[str, Any] | None]
    ) -> None:
        await self._change_bus(call, params.get("EventBusName"), lambda bus: replace(bus, policy=policy(bus)))

    async def _change_bus(self, call: Call, name: str | None, changed: Callable[[EventBus], EventBus]) -> EventBus:
        arn = bus_of(call, name)

        def change(tx: Transaction) -> EventBus:
            bus = save_bus(tx, changed(load_bus(tx, arn)), call.time)
            self.directory.put_bus_after(tx, bus)
            return bus

        return await self.store.write(change)
