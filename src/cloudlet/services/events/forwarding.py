"""Buses as targets of rules: the event goes on to another bus, of this or another account and region, once."""

from typing import Any

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.ids import request_id
from cloudlet.core.service import Cloud, Service
from cloudlet.services.events.directory import Directory
from cloudlet.services.events.ingestion import Errand, NewEvent, StoredEvent, take_in
from cloudlet.services.events.measures import Measures
from cloudlet.services.events.names import bus_name
from cloudlet.services.events.outcomes import Failed, failure
from cloudlet.store import Completion, Outbox


class Forwarder:
    """`outbox` is where the events that arrive go on from; it is set once the outbox is made."""

    outbox: Outbox

    def __init__(self, cloud: Cloud, service: Service, directory: Directory, measures: Measures) -> None:
        self._cloud = cloud
        self._service = service
        self._directory = directory
        self._measures = measures

    def forward(self, errand: Errand, event: StoredEvent, principal: Principal | None) -> Completion:
        """What takes the event in at the other bus, in the transaction in which it leaves this one. Raises Failed."""
        target = errand.target["Arn"]
        body: dict[str, Any] = orjson.loads(event.body)
        if event.forwarded:
            hop = "the event has come from another event bus already"
            raise Failed("THIRD_ACCOUNT_HOP_DETECTED", hop, final=True)
        self._authorise(errand, principal, body)
        if self._directory.find_bus(target) is None:
            raise Failed("NO_RESOURCE", f"Event bus {bus_name(target)} does not exist.", final=True)
        now = self._cloud.clock.now()
        rules = self._directory.index_of(target).matching(body)
        self._measures.matched(rules, now)
        arrived = NewEvent(event.body, now, event.trace_header, forwarded=True)
        return lambda tx: take_in(tx, self.outbox, arrived, rules)

    def _authorise(self, errand: Errand, principal: Principal | None, body: dict[str, Any]) -> None:
        """Without a role it is the rule's account that puts the event."""
        target = Arn.parse(errand.target["Arn"])
        account = errand.rule.split(":")[4]
        call = Call(
            api="events",
            operation="PutEvents",
            account=account,
            region=target.region,
            principal=principal or Principal.root(account),
            request_id=request_id(),
            time=self._cloud.clock.now(),
            source_arn=errand.rule,
        )
        entry = {
            "EventBusName": errand.target["Arn"],
            "Source": body["source"],
            "DetailType": body["detail-type"],
        }
        try:
            self._cloud.authorise(self._service, call, entry)
        except AwsError as error:
            raise failure(error) from error
