"""PutEvents and TestEventPattern."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.event_patterns import fields_of
from cloudlet.core.service import operation
from cloudlet.services.events.base import EventsBase, bus_of_entry
from cloudlet.services.events.entries import LARGEST, Refused, event_of, size_of
from cloudlet.services.events.faults import invalid
from cloudlet.services.events.ingestion import NewEvent, take_in
from cloudlet.services.events.rules import Rule, check_pattern
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_events import type_defs as t

_MANDATORY = ("id", "account", "source", "time", "region", "resources", "detail-type")


class EventOperations(EventsBase):
    @operation("PutEvents")
    async def put_events(self, call: Call, params: "t.PutEventsRequestTypeDef") -> dict[str, Any]:
        if "EndpointId" in params:
            raise NotImplementedByCloudlet("global endpoints")
        entries = params["Entries"]
        size = sum(size_of(entry) for entry in entries)
        if size > LARGEST:
            raise invalid("Total size of the entries in the request is over the limit.")
        results: list[dict[str, Any]] = []
        matched: list[tuple[NewEvent, Sequence[Rule]]] = []
        for entry in entries:
            try:
                event = event_of(call, entry)
            except Refused as refused:
                results.append({"ErrorCode": refused.code, "ErrorMessage": refused.message})
                continue
            results.append({"EventId": event["id"]})
            rules = self.directory.index_of(bus_of_entry(call, entry)).matching(event)
            if rules:
                matched.append((_new_event(call, entry, event), rules))
        if matched:
            await self._take_in(call, matched)
        failed = sum("ErrorCode" in result for result in results)
        self.measures.put_events((call.principal.account, call.region), len(entries), failed, size)
        return {"FailedEntryCount": failed, "Entries": results}

    @operation("TestEventPattern")
    async def test_event_pattern(self, call: Call, params: "t.TestEventPatternRequestTypeDef") -> dict[str, Any]:
        pattern = check_pattern(params["EventPattern"])
        try:
            event = orjson.loads(params["Event"])
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict):
            raise invalid("Parameter Event is not valid.")
        missing = [name for name in _MANDATORY if name not in event]
        if missing:
            raise invalid(f"Parameter Event is not valid. Reason: {missing[0]} is a required field.")
        return {"Result": pattern.matches(fields_of(event, pattern.steps))}

    async def _take_in(self, call: Call, matched: list[tuple[NewEvent, Sequence[Rule]]]) -> None:
        """Returns once all of it is on disk."""

        def write(tx: Transaction) -> None:
            for event, rules in matched:
                take_in(tx, self.outbox, event, rules)

        await self.store.write(write)
        for _, rules in matched:
            self.measures.matched(rules, call.time)


def _new_event(call: Call, entry: Mapping[str, Any], event: Mapping[str, Any]) -> NewEvent:
    trace = entry["TraceHeader"] if "TraceHeader" in entry else _without_lineage(call.trace_id)
    return NewEvent(orjson.dumps(event).decode(), call.time, trace)


def _without_lineage(trace_id: str | None) -> str | None:
    """Lambda does not look for loops that lead through EventBridge."""
    if trace_id is None:
        return None
    return ";".join(field for field in trace_id.split(";") if not field.strip().startswith("Lineage=")) or None
