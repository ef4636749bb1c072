"""Event notifications: which destinations an event goes to, its record, and its delivery."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote_plus

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.core.timestamps import to_iso8601
from cloudlet.services.s3 import bridge_events
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.objects import NewObject, Written
from cloudlet.services.s3.occurrences import Occurrence
from cloudlet.store import Completion, Delivery, Outbox, Retry, Transaction

_PRINCIPAL = "s3.amazonaws.com"
# A destination that refuses (deleted, or its policy changed) gets another chance for so long.
_PATIENCE = 3600.0


class Notifier:
    """Writes events to the outbox and carries them to queues, topics, functions and EventBridge."""

    outbox: Outbox

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def object_created(
        self, tx: Transaction, call: Call, bucket: Bucket, event: str, new: NewObject, written: Written
    ) -> None:
        self.put(
            tx,
            call,
            bucket,
            Occurrence(event, new.key, written.id, new.modified, new.size, new.etag, written.version),
        )

    def put(self, tx: Transaction, call: Call, bucket: Bucket, what: Occurrence) -> None:
        """One row per destination, in the transaction of the change itself."""
        for destination in destinations(bucket, what.event, what.key):
            payload: dict[str, Any] = {"bucket": bucket.arn, "account": bucket.account}
            if destination["arn"] == bridge_events.default_bus(bucket):
                payload["entry"] = bridge_events.entry(call, bucket, what)
            else:
                payload["message"] = {"Records": [_record(call, bucket, what, destination["id"])]}
            if call.trace_id is not None:
                payload["trace_id"] = call.trace_id
            self.outbox.put(tx, destination["arn"], payload)

    async def deliver(self, delivery: Delivery) -> Completion | None:
        """What the destination refuses is tried again for an hour; its own failures are tried until it answers."""
        payload = delivery.payload
        trace_id = payload.get("trace_id")
        try:
            if "entry" in payload:
                await self._put_event(delivery.target, payload, trace_id)
            else:
                message = orjson.dumps(payload["message"]).decode()
                await self.send(delivery.target, message, payload["bucket"], payload["account"], trace_id)
        except AwsError as error:
            if error.status < 500 and self._cloud.clock.now() - delivery.created > _PATIENCE:
                return None
            raise Retry(min(2.0**delivery.attempts, 300.0)) from error
        return None

    async def send(self, target: str, message: str, bucket_arn: str, account: str, trace_id: str | None = None) -> None:
        arn = Arn.parse(target)
        api, name, params = _request(arn, target, message, self._cloud.settings.endpoint_url)
        await self._call(api, name, params, arn, bucket_arn, account, trace_id)

    async def may_invoke(self, function: str, bucket: Bucket) -> None:
        """Raises AwsError unless the bucket may invoke the function."""
        params = {"FunctionName": function, "InvocationType": "DryRun"}
        await self._call("lambda", "Invoke", params, Arn.parse(function), bucket.arn, bucket.account)

    async def _put_event(self, bus: str, payload: Mapping[str, Any], trace_id: str | None) -> None:
        entry = {**payload["entry"], "Time": datetime.fromtimestamp(payload["entry"]["Time"], UTC)}
        params, arn = {"Entries": [entry]}, Arn.parse(bus)
        await self._call("events", "PutEvents", params, arn, payload["bucket"], payload["account"], trace_id)

    async def _call(
        self,
        api: str,
        name: str,
        params: dict[str, Any],
        arn: Arn,
        bucket_arn: str,
        account: str,
        trace_id: str | None = None,
    ) -> None:
        await self._cloud.call(
            api,
            name,
            params,
            as_=Principal.service(_PRINCIPAL, account),
            region=arn.region,
            account=arn.account,
            source_arn=bucket_arn,
            trace_id=trace_id,
        )


def destinations(bucket: Bucket, event: str, key: str) -> Iterator[Mapping[str, Any]]:
    """The configurations that want this event (`ObjectCreated:Put`) of this key."""
    for found in bucket.settings.get("notification", ()):
        if (
            key.startswith(found["prefix"])
            and key.endswith(found["suffix"])
            and any(covers(wanted, event) for wanted in found["events"])
        ):
            yield found


def covers(wanted: str, event: str) -> bool:
    """Whether `s3:ObjectCreated:*` or `s3:ObjectCreated:Put` is about `ObjectCreated:Put`."""
    name = wanted.removeprefix("s3:")
    return name == event or (name.endswith(":*") and event.startswith(name[:-1]))


def test_event(bucket: Bucket, time: float, request_id: str) -> str:
    """What a queue or topic gets when it becomes a destination."""
    return orjson.dumps(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": to_iso8601(time, always_milliseconds=True),
            "Bucket": bucket.name,
            "RequestId": request_id,
            "HostId": host_id(request_id),
        }
    ).decode()


def host_id(request_id: str) -> str:
    return b64encode(sha256(request_id.encode()).digest()).decode()


def _request(arn: Arn, target: str, message: str, endpoint: str) -> tuple[str, str, dict[str, Any]]:
    """The call that hands a message to a destination."""
    if arn.service == "lambda":
        payload = {"FunctionName": target, "InvocationType": "Event", "Payload": message.encode()}
        return "lambda", "Invoke", payload
    if arn.service == "sns":
        return "sns", "Publish", {"TopicArn": target, "Subject": "Amazon S3 Notification", "Message": message}
    return "sqs", "SendMessage", {"QueueUrl": f"{endpoint}/{arn.account}/{arn.resource}", "MessageBody": message}


def _record(call: Call, bucket: Bucket, what: Occurrence, configuration: str) -> dict[str, Any]:
    """Version 2.1, as AWS documents it."""
    thing: dict[str, Any] = {"key": quote_plus(what.key, safe="/*")}
    if what.size is not None:
        thing["size"] = what.size
    if what.etag is not None:
        thing["eTag"] = what.etag
    if what.version is not None:
        thing["versionId"] = what.version
    thing["sequencer"] = f"{what.sequence:018X}"
    principal = call.principal
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": to_iso8601(what.time, always_milliseconds=True),
        "eventName": what.event,
        "userIdentity": {"principalId": principal.id if principal.kind == "anonymous" else f"AWS:{principal.id}"},
        "requestParameters": {"sourceIPAddress": call.http.client if call.http is not None else "127.0.0.1"},
        "responseElements": {"x-amz-request-id": call.request_id, "x-amz-id-2": host_id(call.request_id)},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": bucket.account},
                "arn": bucket.arn,
            },
            "object": thing,
        },
    }
