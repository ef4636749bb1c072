"""Asynchronous invocation: a durable queue of events, retries, dead letters and destinations.

The outbox is the queue. Function errors are retried after one and two minutes; throttles and errors of the system
until the event is too old. What is then owed to a destination is put into the outbox in the write that ends the event.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import orjson

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.runtime import Invocation, Outcome
from cloudlet.services.lambda_.catalog import Catalog, Function, Version
from cloudlet.services.lambda_.destinations import delivery
from cloudlet.services.lambda_.execution import Execution, route
from cloudlet.services.lambda_.lineage import header_of_invocation
from cloudlet.services.lambda_.names import LATEST, FunctionKey, Reference
from cloudlet.services.lambda_.roles import Roles
from cloudlet.store import Completion, Delivery, Outbox, Retry, Store, Transaction

_log = logging.getLogger(__name__)

_RETRY_PAUSES = (60.0, 120.0)
_OLDEST = 21_600
# Events under way at a time, in all and for each function: a slow function must not hold up the others.
_CONCURRENCY = 256
_PER_FUNCTION = 64
_LONGEST_PAUSE = 300.0
# Refusals that no later attempt would change.
_FINAL = ("ResourceNotFoundException", "RecursiveInvocationException")
# A destination that refuses is asked this often; AWS gives up on it as well.
_DESTINATION_ATTEMPTS = 5


class Events:
    def __init__(self, cloud: Cloud, store: Store, catalog: Catalog, execution: Execution, roles: Roles) -> None:
        self._cloud = cloud
        self._store = store
        self._catalog = catalog
        self._execution = execution
        self._roles = roles
        self.outbox = Outbox(store, cloud.clock, self._deliver, concurrency=_CONCURRENCY, per_target=_PER_FUNCTION)

    async def accept(self, reference: Reference, invocation: Invocation) -> None:
        """Returns once the event is on disk."""
        key = reference.key
        event = {
            "kind": "event",
            "function": [key.account, key.region, key.name],
            "qualifier": reference.qualifier,
            "request_id": invocation.request_id,
            "payload": invocation.payload.decode(),
            "context": invocation.client_context,
            "trace_id": invocation.trace_id,
            "errors": 0,
            "accepted": self._cloud.clock.now(),
        }
        await self._store.write(lambda tx: self.outbox.put(tx, reference.arn, event))
        self._execution.measures.event_received(key)

    async def _deliver(self, delivery: Delivery) -> Completion | None:
        if delivery.payload["kind"] == "event":
            return await self._run(delivery)
        return await self._send(delivery)

    async def _run(self, delivery: Delivery) -> Completion | None:
        event = delivery.payload
        reference = Reference(FunctionKey(*event["function"]), event["qualifier"])
        function = self._catalog.find(reference.key)
        if function is None:
            return None  # deleted in the meantime, and its events with it
        settings = function.event_invoke.get(reference.qualifier or LATEST, {})
        age = self._cloud.clock.now() - event["accepted"]
        self._execution.measures.event_age(reference.key, age)
        if age > settings.get("MaximumEventAgeInSeconds", _OLDEST):
            return self._give_up(function, reference, event, "EventAgeExceeded", None)
        if function.reserved == 0:
            return self._give_up(function, reference, event, "ZeroReservedConcurrency", None)
        try:
            version = route(function, reference)
            payload = event["payload"].encode()
            arn = f"{reference.key.arn}:{reference.qualifier or LATEST}"
            invocation = Invocation(
                event["request_id"], reference.arn, payload or b"{}", event["context"], trace_id=event.get("trace_id")
            )
            outcome = await self._execution.invoke(function, version, invocation)
        except AwsError as error:
            if error.code in _FINAL:
                return self._give_up(function, reference, event, "RetriesExhausted", None)
            raise Retry(min(2.0**delivery.attempts, _LONGEST_PAUSE)) from error
        if not outcome.failed:
            target = _destination(settings, "OnSuccess")
            record = self._record(arn, event, "Success", outcome, version.version)
            return None if target is None else self._owe(function, version, target, record, event.get("trace_id"))
        return self._failed(function, reference, event, outcome, settings, version.version)

    def _failed(
        self,
        function: Function,
        reference: Reference,
        event: dict[str, Any],
        outcome: Outcome,
        settings: dict[str, Any],
        version: str,
    ) -> Completion:
        retries = settings.get("MaximumRetryAttempts", len(_RETRY_PAUSES))
        if event["errors"] < retries:
            again = {**event, "errors": event["errors"] + 1}
            pause = _RETRY_PAUSES[event["errors"]]
            return lambda tx: self.outbox.put(tx, reference.arn, again, delay=pause)
        return self._give_up(function, reference, event, "RetriesExhausted", (outcome, version))

    def _give_up(
        self,
        function: Function,
        reference: Reference,
        event: dict[str, Any],
        condition: str,
        last: tuple[Outcome, str] | None,
    ) -> Completion:
        """To the dead-letter queue, and to the destination for failures, where there are such."""
        self._execution.measures.event_dropped(function.key)
        settings = function.event_invoke.get(reference.qualifier or LATEST, {})
        arn = f"{reference.key.arn}:{reference.qualifier or LATEST}"
        outcome, version = last if last is not None else (None, None)
        record = self._record(arn, event, condition, outcome, version)
        target = _destination(settings, "OnFailure")
        named = _version(function, reference)
        letters = named.configuration.get("DeadLetterConfig", {}).get("TargetArn")

        def complete(tx: Transaction) -> None:
            if target is not None:
                self._owe(function, named, target, record, event.get("trace_id"))(tx)
            if letters:
                message = _error_message(outcome) if outcome is not None else condition
                self._put_letter(tx, function.key, letters, event, message)

        return complete

    def _owe(
        self, function: Function, version: Version, target: str, record: dict[str, Any], trace_id: str | None
    ) -> Completion:
        now = self._cloud.clock.now()
        sent_on = header_of_invocation(trace_id, function.key.arn, now, sampled=version.is_traced)
        return lambda tx: self.put_destination(
            tx, function.key, target, record, f"aws/lambda/async/{function.key.name}", sent_on
        )

    def put_destination(
        self,
        tx: Transaction,
        key: FunctionKey,
        target: str,
        record: dict[str, Any],
        folder: str,
        trace_id: str | None = None,
    ) -> None:
        """Owes a record to a destination; in a bucket it lies in the `folder`."""
        row = {
            "kind": "destination",
            "function": [key.account, key.region, key.name],
            "content": record,
            "folder": folder,
            "trace_id": trace_id,
        }
        self.outbox.put(tx, target, row)

    def _put_letter(self, tx: Transaction, key: FunctionKey, target: str, event: dict[str, Any], message: str) -> None:
        letter = {"request_id": event["request_id"], "message": message, "body": event["payload"]}
        row = {"kind": "dead letter", "function": [key.account, key.region, key.name], "content": letter}
        self.outbox.put(tx, target, row)

    def _record(
        self, arn: str, event: dict[str, Any], condition: str, outcome: Outcome | None, version: str | None
    ) -> dict[str, Any]:
        """The invocation record that destinations get."""
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": iso_time(self._cloud.clock.now()),
            "requestContext": {
                "requestId": event["request_id"],
                "functionArn": arn,
                "condition": condition,
                "approximateInvokeCount": event["errors"] + (outcome is not None),
            },
            "requestPayload": _parsed(event["payload"] or "{}"),
        }
        if outcome is not None:
            record["responseContext"] = {"statusCode": 200, "executedVersion": version}
            if outcome.failed:
                record["responseContext"]["functionError"] = "Unhandled"
            record["responsePayload"] = _parsed(outcome.payload)
        return record

    async def _send(self, delivery: Delivery) -> None:
        """As the function's role, which needs the right to it."""
        row = delivery.payload
        function = self._catalog.find(FunctionKey(*row["function"]))
        if function is None:
            return
        try:
            session = await self._roles.session(function.key, function.latest.configuration["Role"])
            await self._send_to(delivery.target, row, function, session.principal)
        except AwsError as error:
            if delivery.attempts + 1 >= _DESTINATION_ATTEMPTS:
                self._execution.measures.undeliverable(function.key, dead_letter=row["kind"] == "dead letter")
                _log.error(
                    "a function's destination refused its record",
                    extra={"target": delivery.target, "code": error.code, "reason": error.message},
                )
                return
            raise Retry(2.0**delivery.attempts) from error

    async def _send_to(self, target: str, row: dict[str, Any], function: Function, principal: Principal) -> None:
        _, _, service, region, account, name = target.split(":", 5)
        endpoint_url, now = self._cloud.settings.endpoint_url, self._cloud.clock.now()
        if row["kind"] == "dead letter":
            api, operation, params = service, *_letter(target, row["content"], f"{endpoint_url}/{account}/{name}")
        else:
            folder = row.get("folder", f"aws/lambda/async/{function.key.name}")
            api, operation, params = delivery(target, row["content"], folder, endpoint_url, now)
        answer = await self._cloud.call(
            api,
            operation,
            params,
            as_=principal,
            region=region or function.key.region,
            account=account or None,
            trace_id=row.get("trace_id"),
        )
        if operation == "PutEvents" and answer["FailedEntryCount"]:
            refused = answer["Entries"][0]
            raise AwsError(refused["ErrorCode"], refused.get("ErrorMessage", ""))


def _parsed(payload: str | bytes) -> Any:
    """JSON; what Python takes for JSON and others do not (NaN) as text."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload if isinstance(payload, str) else payload.decode(errors="replace")


def _error_message(outcome: Outcome) -> str:
    """What the function's error says; a runtime may post whatever it likes as one."""
    error = _parsed(outcome.payload)
    message = error.get("errorMessage") if isinstance(error, dict) else None
    return message if isinstance(message, str) else ""


def _letter(target: str, letter: dict[str, Any], queue_url: str) -> tuple[str, dict[str, Any]]:
    """Operation and parameters that bring an event to a dead-letter queue or topic."""
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": letter["request_id"]},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": letter["message"][:1024] or "unknown"},
    }
    if ":sqs:" in target:
        return "SendMessage", {
            "QueueUrl": queue_url,
            "MessageBody": letter["body"] or "{}",
            "MessageAttributes": attributes,
        }
    return "Publish", {"TopicArn": target, "Message": letter["body"] or "{}", "MessageAttributes": attributes}


def _version(function: Function, reference: Reference) -> Version:
    """The version whose configuration counts for the event, even if an alias of its name is no more."""
    qualifier = reference.qualifier or LATEST
    alias = function.aliases.get(qualifier)
    return function.versions.get(alias["FunctionVersion"] if alias is not None else qualifier, function.latest)


def _destination(settings: dict[str, Any], kind: str) -> str | None:
    return settings.get("DestinationConfig", {}).get(kind, {}).get("Destination") or None


def iso_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"
