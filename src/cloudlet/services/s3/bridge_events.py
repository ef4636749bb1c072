"""What S3 tells EventBridge of an event: an entry of PutEvents, as AWS documents it."""

from typing import Any

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.occurrences import Occurrence

# The type of the event by the name that other notifications have for it.
_TYPES = {
    "ObjectCreated": "Object Created",
    "ObjectRemoved": "Object Deleted",
    "LifecycleExpiration": "Object Deleted",
    "ObjectTagging:Put": "Object Tags Added",
    "ObjectTagging:Delete": "Object Tags Deleted",
    "ObjectAcl": "Object ACL Updated",
}
_REASONS = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Post": "POST Object",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "ObjectRemoved": "DeleteObject",
    "LifecycleExpiration": "Lifecycle Expiration",
}
_DELETIONS = {"Delete": "Permanently Deleted", "DeleteMarkerCreated": "Delete Marker Created"}


def default_bus(bucket: Bucket) -> str:
    """Where the events of a bucket go."""
    return str(Arn("events", bucket.region, bucket.account, "event-bus/default"))


def entry(call: Call, bucket: Bucket, what: Occurrence) -> dict[str, Any]:
    """`Time` is in epoch seconds, so that it can be kept as JSON."""
    family, _, kind = what.event.partition(":")
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": _object(what),
        "request-id": call.request_id,
        "requester": call.principal.account or "anonymous",
    }
    if call.http is not None:
        detail["source-ip-address"] = call.http.client
    reason = _REASONS.get(what.event) or _REASONS.get(family)
    if reason is not None:
        detail["reason"] = reason
    if family in ("ObjectRemoved", "LifecycleExpiration"):
        detail["deletion-type"] = _DELETIONS[kind]
    if family == "LifecycleExpiration":
        detail["requester"] = "s3.amazonaws.com"
    return {
        "Time": what.time,
        "Source": "aws.s3",
        "DetailType": _TYPES.get(what.event) or _TYPES[family],
        "Resources": [bucket.arn],
        "Detail": orjson.dumps(detail).decode(),
    }


def _object(what: Occurrence) -> dict[str, Any]:
    found: dict[str, Any] = {"key": what.key}
    if what.size is not None:
        found["size"] = what.size
    if what.etag is not None:
        found["etag"] = what.etag
    if what.version is not None:
        found["version-id"] = what.version
    if not what.event.startswith(("ObjectTagging", "ObjectAcl")):
        found["sequencer"] = f"{what.sequence:018X}"
    return found
