"""What all EventBridge operations stand on: the data, the deliveries, the resource that a call is about."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.service import Service
from cloudlet.services.events.delivery import Deliverer
from cloudlet.services.events.directory import Directory
from cloudlet.services.events.forwarding import Forwarder
from cloudlet.services.events.measures import Measures
from cloudlet.services.events.names import bus_arn, bus_of, rule_arn
from cloudlet.services.events.timetable import Timetable
from cloudlet.store import Outbox, Store

# A target that takes its time holds back its own events only.
_PER_TARGET = 64
_CONCURRENCY = 512
_OF_BUSES = frozenset({"CreateEventBus", "DeleteEventBus", "DescribeEventBus", "UpdateEventBus"})


class EventsBase(Service):
    apis = ("events",)
    store: Store
    outbox: Outbox
    directory: Directory
    measures: Measures
    timetable: Timetable

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "events.db", Path(__file__).with_name("schema.sql"))
        self.directory = Directory(self.store.reader)
        self.measures = Measures(self.cloud.metrics, self.cloud.clock, self.directory)
        forwarder = Forwarder(self.cloud, self, self.directory, self.measures)
        deliverer = Deliverer(self.cloud, self.store, self.measures, forwarder)
        self.outbox = Outbox(
            self.store, self.cloud.clock, deliverer.deliver, concurrency=_CONCURRENCY, per_target=_PER_TARGET
        )
        forwarder.outbox = deliverer.outbox = self.outbox
        self.timetable = Timetable(self.cloud, self.store, self.outbox, self.directory, self.measures)

    async def recover(self) -> None:
        self.outbox.start()
        self.timetable.start()

    async def drain(self) -> None:
        """What is not delivered yet stays in the outbox for the next start."""
        await self.timetable.stop()
        await self.outbox.stop()

    async def stop(self) -> None:
        await self.timetable.stop()
        await self.outbox.stop()
        self.store.close()

    def resource(self, call: Call, params: Mapping[str, Any]) -> str | None:
        operation = call.operation
        if "ResourceARN" in params:
            return params["ResourceARN"]
        if operation in _OF_BUSES:
            return bus_of(call, params.get("Name"))
        if operation in ("PutEvents", "PutPermission", "RemovePermission"):
            return bus_of(call, params.get("EventBusName"))
        if operation == "ListEventBuses":
            return bus_of(call, "*")
        if operation == "TestEventPattern":
            return "*"
        name = params.get("Name") or params.get("Rule") or "*"
        return rule_arn(bus_of(call, params.get("EventBusName")), name)

    def resource_policy(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """That of the bus, which is about its rules as well."""
        if "ResourceARN" in params:
            return None
        name = params.get("Name") if call.operation in _OF_BUSES else params.get("EventBusName")
        bus = self.directory.find_bus(bus_of(call, name))
        return dict(bus.policy) if bus is not None and bus.policy is not None else None

    def counts_as(self, call: Call, params: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
        """PutEvents stands for each of its entries, PutTargets for each target, tags at creation for TagResource."""
        if call.operation == "PutEvents":
            return [("PutEvents", entry) for entry in _entries_to_allow(call, params)]
        if call.operation == "PutTargets":
            return [("PutTargets", {**params, "Targets": [target]}) for target in params["Targets"]]
        if params.get("Tags") and call.operation in ("CreateEventBus", "PutRule"):
            resource = self.resource(call, params)
            return [(call.operation, dict(params)), ("TagResource", {"ResourceARN": resource})]
        return [(call.operation, dict(params))]

    def condition_keys(self, call: Call, params: Mapping[str, Any]) -> dict[str, str]:
        keys = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in params.get("Tags", ())}
        resource = self.resource(call, params) or ""
        tagged = self.directory.find_rule(resource) or self.directory.find_bus(resource)
        if tagged is not None:
            keys |= {f"aws:ResourceTag/{key}": value for key, value in tagged.tags.items()}
        if call.operation == "PutEvents":
            of_entry = {"events:source": params.get("Source"), "events:detail-type": params.get("DetailType")}
            return keys | {name: value for name, value in of_entry.items() if value is not None}
        keys["events:creatorAccount"] = call.principal.account
        if call.operation == "PutTargets":
            keys["events:TargetArn"] = params["Targets"][0]["Arn"]
        return keys


def _entries_to_allow(call: Call, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each bus, source and type once. AWS services may put theirs on the default bus of whom they work for."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in params["Entries"]:
        arn = bus_of_entry(call, entry)
        if call.principal.kind == "service" and arn == bus_arn(call.principal.account, call.region, None):
            continue
        kept = {name: entry[name] for name in ("Source", "DetailType") if name in entry}
        found[arn, *kept.values()] = {"EventBusName": arn, **kept}
    return list(found.values())


def bus_of_entry(call: Call, entry: Mapping[str, Any]) -> str:
    """A bus that is named only is the caller's own."""
    return bus_arn(call.principal.account, call.region, entry.get("EventBusName"))
