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
from cloudlet.services.lambda_.catalog import Catalog, Function
from cloudlet.services.lambda_.execution import Execution, route
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
        if age > settings.get("MaximumEventAgeInSeconds", _OLDEST):
            return self._give_up(function, reference, event, "EventAgeExceeded", None)
        try:
            version = route(function, reference)
            payload = event["payload"].encode()
            arn = f"{reference.key.arn}:{reference.qualifier or LATEST}"
            invocation = Invocation(
                event["request_id"], reference.arn, payload or b"{}", event["context"], trace_id=event.get("trace_id")
            )
            outcome = await self._execution.invoke(function, version, invocation)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return self._give_up(function, reference, event, "RetriesExhausted", None)
            raise Retry(min(2.0**delivery.attempts, _LONGEST_PAUSE)) from error
        if not outcome.failed:
            target = _destination(settings, "OnSuccess")
            record = self._record(arn, event, "Success", outcome, version.version)
            return None if target is None else self._owe(function, target, record)
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
        settings = function.event_invoke.get(reference.qualifier or LATEST, {})
        arn = f"{reference.key.arn}:{reference.qualifier or LATEST}"
        outcome, version = last if last is not None else (None, None)
        record = self._record(arn, event, condition, outcome, version)
        target = _destination(settings, "OnFailure")
        letters = function.latest.configuration.get("DeadLetterConfig", {}).get("TargetArn")

        def complete(tx: Transaction) -> None:
            if target is not None:
                self._owe(function, target, record)(tx)
            if letters:
                message = _error_message(outcome) if outcome is not None else condition
                letter = {"request_id": event["request_id"], "message": message, "body": event["payload"]}
                self._put(tx, function, letters, "dead letter", letter)

        return complete

    def _owe(self, function: Function, target: str, record: dict[str, Any]) -> Completion:
        return lambda tx: self._put(tx, function, target, "destination", record)

    def _put(self, tx: Transaction, function: Function, target: str, kind: str, content: dict[str, Any]) -> None:
        key = function.key
        row = {"kind": kind, "function": [key.account, key.region, key.name], "content": content}
        self.outbox.put(tx, target, row)

    def put_destination(self, tx: Transaction, key: FunctionKey, target: str, record: dict[str, Any]) -> None:
        """What an event source mapping owes to its destination for failures."""
        row = {"kind": "destination", "function": [key.account, key.region, key.name], "content": record}
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
                _log.error(
                    "a function's destination refused its record",
                    extra={"target": delivery.target, "code": error.code, "reason": error.message},
                )
                return
            raise Retry(2.0**delivery.attempts) from error

    async def _send_to(self, target: str, row: dict[str, Any], function: Function, principal: Principal) -> None:
        _, _, service, region, account, name = target.split(":", 5)
        content = row["content"]
        is_letter = row["kind"] == "dead letter"
        body = content["body"] if is_letter else orjson.dumps(content).decode()
        attributes = _letter_attributes(content) if is_letter else {}
        if service == "sqs":
            url = f"{self._cloud.settings.endpoint_url}/{account}/{name}"
            call, params = "SendMessage", {"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes}
        elif service == "sns":
            call, params = "Publish", {"TopicArn": target, "Message": body, "MessageAttributes": attributes}
        else:
            call, params = "Invoke", {"FunctionName": target, "InvocationType": "Event", "Payload": body.encode()}
        await self._cloud.call(service, call, params, as_=principal, region=region, account=account)


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


def _letter_attributes(letter: dict[str, Any]) -> dict[str, Any]:
    return {
        "RequestID": {"DataType": "String", "StringValue": letter["request_id"]},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": letter["message"][:1024] or "unknown"},
    }


def _destination(settings: dict[str, Any], kind: str) -> str | None:
    return settings.get("DestinationConfig", {}).get(kind, {}).get("Destination") or None


def iso_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"
