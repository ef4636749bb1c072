"""Deliveries: what the outbox owes to targets, tried again by their retry policies, given up to dead-letter queues."""

import logging
import random
from collections.abc import Mapping
from typing import Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.role_sessions import RoleSessions
from cloudlet.core.service import Cloud
from cloudlet.services.events.forwarding import Forwarder
from cloudlet.services.events.ingestion import DeadLetter, Errand, StoredEvent, delivered, stored_event
from cloudlet.services.events.inputs import Matched, input_for
from cloudlet.services.events.measures import Measures
from cloudlet.services.events.outcomes import Failed, failure
from cloudlet.services.events.rules import Target
from cloudlet.services.events.targets import Parcel, TargetCall, calls_for, queue_url
from cloudlet.store import Completion, Delivery, Outbox, Retry, Store, Transaction

SERVICE = "events.amazonaws.com"
_log = logging.getLogger(__name__)
_MOST_RETRIES = 185
_OLDEST = 86_400
# 185 attempts with pauses up to ten minutes take a day.
_LONGEST_PAUSE = 600.0
_LONGEST_MESSAGE = 1024


class Deliverer:
    """`outbox` is where dead letters go; it is set once the outbox is made."""

    outbox: Outbox

    def __init__(self, cloud: Cloud, store: Store, measures: Measures, forwarder: Forwarder) -> None:
        self._cloud = cloud
        self._store = store
        self._measures = measures
        self._forwarder = forwarder
        self._roles = RoleSessions(cloud, SERVICE, "events")

    async def deliver(self, delivery: Delivery) -> Completion | None:
        """One attempt at a row: an event for a target, or a dead letter for a queue."""
        errand = Errand.of_payload(delivery.payload)
        event = stored_event(self._store.reader, errand.event)
        if event is None:
            return None
        if errand.letter is not None:
            return await self._send_letter(delivery, errand, errand.letter, event)
        return await self._attempt(delivery, errand, event)

    async def _attempt(self, delivery: Delivery, errand: Errand, event: StoredEvent) -> Completion:
        self._measures.attempt(errand.rule, event.ingested, again=delivery.attempts > 0)
        try:
            taken_in = await self._hand_over(errand, event)
        except Failed as failed:
            return self._failed(delivery, errand, event, failed)
        except Exception:  # noqa: BLE001 - a boundary: logged, and tried again for as long as the retry policy says
            _log.exception("a target could not be called", extra={"rule": errand.rule, "target": delivery.target})
            internal = Failed("INTERNAL_ERROR", "The target could not be called.", final=False)
            return self._failed(delivery, errand, event, internal)
        self._measures.success(errand.rule, event.ingested)
        return _completed(event.id, taken_in)

    async def _hand_over(self, errand: Errand, event: StoredEvent) -> Completion | None:
        """Raises Failed. What a bus of this service takes in belongs to the completion."""
        target = errand.target
        principal = await self._principal(errand)
        if target["Arn"].split(":")[2] == "events":
            return self._forwarder.forward(errand, event, principal)
        text = input_for(target, Matched(event.body, errand.rule, event.ingested))
        parcel = Parcel(text, event.ingested, event.trace_header)
        for call in calls_for(target, parcel, self._cloud.settings.endpoint_url):
            await self._call(call, principal or self._service(errand), errand.rule, event.trace_header)
        return None

    async def _principal(self, errand: Errand) -> Principal | None:
        """The target's role, if it has one."""
        role = errand.target.get("RoleArn")
        if role is None:
            return None
        try:
            return await self._roles.principal(role, errand.rule)
        except AwsError as error:
            raise Failed("FAILED_TO_ASSUME_ROLE", error.message, final=failure(error).final) from error

    def _service(self, errand: Errand) -> Principal:
        return Principal.service(SERVICE, errand.rule.split(":")[4])

    async def _call(self, call: TargetCall, principal: Principal, rule: str, trace_header: str | None) -> None:
        try:
            await self._cloud.call(
                call.api,
                call.operation,
                call.params,
                as_=principal,
                account=call.account,
                region=call.region,
                source_arn=rule,
                trace_id=trace_header,
            )
        except AwsError as error:
            if error.code == "ResourceAlreadyExistsException" and call.operation == "CreateLogStream":
                return
            raise failure(error) from error

    def _failed(self, delivery: Delivery, errand: Errand, event: StoredEvent, failed: Failed) -> Completion:
        """Raises Retry unless the failure or the retry policy says that this was the last attempt."""
        condition = None
        if not failed.final:
            condition = self._again_later(errand.target, event.ingested, delivery.attempts)
        self._measures.failure(errand.rule)
        _log.warning("event given up", extra={"rule": errand.rule, "target": delivery.target, "reason": str(failed)})
        queue = errand.target.get("DeadLetterConfig", {}).get("Arn")
        if queue is None:
            return _completed(event.id)
        letter = DeadLetter(failed.code, failed.message, condition, delivery.attempts)
        row = Errand(errand.event, errand.rule, errand.target, letter).payload()
        return lambda tx: self.outbox.put(tx, queue, row)

    def _again_later(self, target: Target, since: float, attempts: int) -> str:
        """Raises Retry, or returns the limit of the retry policy that has been reached."""
        policy: Mapping[str, int] = target.get("RetryPolicy", {})
        if attempts >= policy.get("MaximumRetryAttempts", _MOST_RETRIES):
            return "MaximumRetryAttempts"
        left = since + policy.get("MaximumEventAgeInSeconds", _OLDEST) - self._cloud.clock.now()
        if left <= 0:
            return "MaximumEventAgeInSeconds"
        raise Retry(min(_pause(attempts), left))

    async def _send_letter(
        self, delivery: Delivery, errand: Errand, letter: DeadLetter, event: StoredEvent
    ) -> Completion:
        """A queue that cannot take it now is tried again for a day; one that will not, loses it, as on AWS."""
        arn = Arn.parse(delivery.target)
        params = {
            "QueueUrl": queue_url(arn, self._cloud.settings.endpoint_url),
            "MessageBody": event.body,
            "MessageAttributes": _attributes(errand, letter),
        }
        call = TargetCall("sqs", "SendMessage", params, arn.account, arn.region)
        try:
            await self._call(call, self._service(errand), errand.rule, event.trace_header)
        except Failed as failed:
            if not failed.final and self._cloud.clock.now() < delivery.created + _OLDEST:
                raise Retry(_pause(delivery.attempts)) from failed
            self._measures.letter(errand.rule, sent=False)
            _log.warning("dead letter refused", extra={"queue": delivery.target, "reason": str(failed)})
        else:
            self._measures.letter(errand.rule, sent=True)
        return _completed(event.id)


def _pause(attempts: int) -> float:
    return min(2.0 ** min(attempts, 10), _LONGEST_PAUSE) * random.uniform(0.5, 1.0)


def _attributes(errand: Errand, letter: DeadLetter) -> dict[str, Any]:
    texts = {
        "RULE_ARN": errand.rule,
        "TARGET_ARN": errand.target["Arn"],
        "ERROR_CODE": letter.code,
        "ERROR_MESSAGE": letter.message[:_LONGEST_MESSAGE] or letter.code,
        "RETRY_ATTEMPTS": str(letter.attempts),
    }
    if letter.condition is not None:
        texts["EXHAUSTED_RETRY_CONDITION"] = letter.condition
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


def _completed(event: int, further: Completion | None = None) -> Completion:
    def complete(tx: Transaction) -> None:
        delivered(tx, event)
        if further is not None:
            further(tx)

    return complete
