"""Request metrics of buckets that are configured to have them, under AWS/S3."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from functools import lru_cache
from time import perf_counter
from typing import Any

from cloudlet.core.clock import Clock
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.metrics import DimensionSets, Metrics
from cloudlet.core.service import Handler
from cloudlet.services.s3.buckets import Bucket, Buckets
from cloudlet.services.s3.metrics_configuration import Configuration, asks_for_tags, counts
from cloudlet.services.s3.objects import live_object, object_version
from cloudlet.store import Reader

_NAMESPACE = "AWS/S3"
# By which metric requests are counted beside AllRequests.
_KINDS = {
    **dict.fromkeys(("GetObject", "GetObjectAcl", "GetObjectAttributes", "GetObjectTagging"), "GetRequests"),
    **dict.fromkeys(
        ("CopyObject", "PutObject", "PutObjectAcl", "PutObjectTagging", "UploadPart", "UploadPartCopy"), "PutRequests"
    ),
    **dict.fromkeys(("AbortMultipartUpload", "DeleteObject", "DeleteObjectTagging", "DeleteObjects"), "DeleteRequests"),
    **dict.fromkeys(("HeadBucket", "HeadObject"), "HeadRequests"),
    **dict.fromkeys(("ListObjects", "ListObjectsV2", "ListObjectVersions"), "ListRequests"),
    **dict.fromkeys(("CompleteMultipartUpload", "CreateMultipartUpload", "PostObject"), "PostRequests"),
}


class RequestMetrics:
    def __init__(self, metrics: Metrics, clock: Clock, buckets: Buckets, reader: Reader) -> None:
        self._metrics = metrics
        self._clock = clock
        self._buckets = buckets
        self._reader = reader

    def run(self, operation: str, handler: Handler, call: Call, params: Any) -> Awaitable[Any]:
        """Runs the operation; what comes of it is measured if its bucket is configured so."""
        bucket = self._buckets.find(params.get("Bucket", ""))
        if bucket is None or "metrics" not in bucket.settings:
            return handler(call, params)
        return self._measured(operation, handler, call, params, bucket)

    def refused(self, operation: str, params: Mapping[str, Any], error: AwsError) -> None:
        """The request was not allowed to run."""
        bucket = self._buckets.find(params.get("Bucket", ""))
        if bucket is not None and "metrics" in bucket.settings:
            self._answered(bucket, self._counting(bucket, params), operation, error.status)

    async def _measured(self, operation: str, handler: Handler, call: Call, params: Any, bucket: Bucket) -> Any:
        started = perf_counter()
        # Of an object that the request deletes or replaces, the tags from before count.
        configurations = self._counting(bucket, params)
        uploaded = params["Body"].length if "Body" in params else None
        status = 500
        output: Any = None
        try:
            output = await handler(call, params)
            status = 200
        except AwsError as error:
            status = error.status
            raise
        finally:
            if operation == "PutObject":
                configurations = self._counting(bucket, params)
            self._answered(bucket, configurations, operation, status)
            seconds = perf_counter() - started
            self._took(bucket, configurations, "FirstByteLatency", seconds)
            if operation != "GetObject" or status != 200 or isinstance(output["Body"], bytes):
                self._took(bucket, configurations, "TotalRequestLatency", seconds)
        if uploaded is not None:
            self._record(bucket, configurations, "BytesUploaded", float(uploaded), "Bytes")
        if operation == "GetObject":
            self._record(bucket, configurations, "BytesDownloaded", float(output["ContentLength"]), "Bytes")
            if not isinstance(output["Body"], bytes):
                output["Body"] = self._sent(output["Body"], bucket, configurations, started)
        return output

    async def _sent(
        self, body: AsyncIterator[bytes], bucket: Bucket, configurations: list[Configuration], started: float
    ) -> AsyncIterator[bytes]:
        """The body as it is, measured when its last byte was taken."""
        try:
            async for chunk in body:
                yield chunk
        finally:
            self._took(bucket, configurations, "TotalRequestLatency", perf_counter() - started)

    def _counting(self, bucket: Bucket, params: Mapping[str, Any]) -> list[Configuration]:
        """The configurations that take the request in."""
        key = params.get("Key")
        configurations: list[Configuration] = list(bucket.settings["metrics"].values())
        tags: Mapping[str, str] = {}
        if key is not None and any(asks_for_tags(each) for each in configurations):
            version = params.get("VersionId")
            found = (
                live_object(self._reader, bucket, key)
                if version is None
                else object_version(self._reader, bucket, key, version)
            )
            tags = found.stored_tags() if found is not None else {}
        return [each for each in configurations if counts(each, key, tags)]

    def _answered(self, bucket: Bucket, configurations: list[Configuration], operation: str, status: int) -> None:
        self._record(bucket, configurations, "AllRequests", 1.0, "Count")
        kind = _KINDS.get(operation)
        if kind is not None:
            self._record(bucket, configurations, kind, 1.0, "Count")
        self._record(bucket, configurations, "4xxErrors", float(400 <= status < 500), "Count")
        self._record(bucket, configurations, "5xxErrors", float(status >= 500), "Count")

    def _took(self, bucket: Bucket, configurations: list[Configuration], name: str, seconds: float) -> None:
        self._record(bucket, configurations, name, round(seconds * 1000, 2), "Milliseconds")

    def _record(self, bucket: Bucket, configurations: list[Configuration], name: str, value: float, unit: str) -> None:
        place, now = (bucket.account, bucket.region), self._clock.now()
        for each in configurations:
            self._metrics.record(place, _NAMESPACE, name, _dimensions(bucket.name, each["Id"]), value, unit, now)


@lru_cache(4096)
def _dimensions(bucket: str, filter_id: str) -> DimensionSets:
    return ((("BucketName", bucket), ("FilterId", filter_id)),)
