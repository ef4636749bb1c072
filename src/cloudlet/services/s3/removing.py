"""DeleteObject and DeleteObjects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.s3.base import S3Base
from cloudlet.services.s3.buckets import Bucket, versioning_of
from cloudlet.services.s3.conditions import matches
from cloudlet.services.s3.errors import precondition_failed, s3_error
from cloudlet.services.s3.objects import (
    ObjectVersion,
    check_key,
    live_object,
    object_version,
    put_delete_marker,
    remove_version,
)
from cloudlet.services.s3.occurrences import Occurrence
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        DeleteObjectOutputTypeDef,
        DeleteObjectRequestTypeDef,
        DeleteObjectsOutputTypeDef,
        DeleteObjectsRequestTypeDef,
    )

_MOST_KEYS = 1000


@dataclass(frozen=True, slots=True)
class Removal:
    """One key to delete, or one version of it, on conditions."""

    key: str
    version: str | None
    etag: str | None = None
    modified: float | None = None
    size: int | None = None

    def check(self, found: ObjectVersion | None) -> None:
        """Raises PreconditionFailed unless what is there is what the client saw."""
        if self.etag is None and self.modified is None and self.size is None:
            return
        if found is None:
            if self.etag == "*" or self.etag is None:
                return
            raise precondition_failed("If-Match")
        if self.etag is not None and not matches(self.etag, found.etag):
            raise precondition_failed("If-Match")
        if self.modified is not None and int(self.modified) != int(found.modified):
            raise precondition_failed("x-amz-if-match-last-modified-time")
        if self.size is not None and self.size != found.size:
            raise precondition_failed("x-amz-if-match-size")


@dataclass(frozen=True, slots=True)
class Removed:
    """`version` is that of the version deleted, or of the delete marker made."""

    delete_marker: bool = False
    version: str | None = None


class RemovalOperations(S3Base):
    @operation("DeleteObject")
    async def delete_object(self, call: Call, params: "DeleteObjectRequestTypeDef") -> "DeleteObjectOutputTypeDef":
        bucket = self.bucket_of(params)
        check_key(params["Key"])
        removal = _removal(
            params, params.get("IfMatch"), params.get("IfMatchLastModifiedTime"), params.get("IfMatchSize")
        )
        removed = await self.store.write(lambda tx: self.remove(tx, call, bucket, removal))
        output: dict[str, Any] = {}
        if removed.delete_marker:
            output["DeleteMarker"] = True
        if removed.version is not None:
            output["VersionId"] = removed.version
        return output  # type: ignore[return-value]

    @operation("DeleteObjects")
    async def delete_objects(self, call: Call, params: "DeleteObjectsRequestTypeDef") -> "DeleteObjectsOutputTypeDef":
        bucket = self.bucket_of(params)
        wanted = params["Delete"]["Objects"]
        if not 0 < len(wanted) <= _MOST_KEYS:
            raise s3_error("MalformedXML")
        removals = [
            _removal(entry, entry.get("ETag"), entry.get("LastModifiedTime"), entry.get("Size")) for entry in wanted
        ]
        refused = self._refused(call, bucket, removals)

        def write(tx: Transaction) -> list[Removed | AwsError]:
            return [refused.get(removal) or self._attempt(tx, call, bucket, removal) for removal in removals]

        results = await self.store.write(write)
        output: dict[str, Any] = {}
        for removal, result in zip(removals, results, strict=True):
            if isinstance(result, AwsError):
                output.setdefault("Errors", []).append(_failed(removal, result))
            elif not params["Delete"].get("Quiet"):
                output.setdefault("Deleted", []).append(_deleted(removal, result))
        return output  # type: ignore[return-value]

    def remove(self, tx: Transaction, call: Call, bucket: Bucket, removal: Removal) -> Removed:
        """Deletes a version for good, or hides the key under a delete marker, with the event that follows."""
        key, version = removal.key, removal.version
        versioning = versioning_of(tx, bucket)
        now = self.cloud.clock.now()
        if version is not None:
            found = object_version(tx, bucket, key, version)
            removal.check(found)
            if found is not None:
                self._remove_version(tx, call, bucket, found)
            return Removed(found is not None and bool(found.delete_marker), version)
        found = live_object(tx, bucket, key)
        removal.check(found)
        if not versioning:
            if found is not None:
                self._remove_version(tx, call, bucket, found)
            return Removed()
        marker = put_delete_marker(tx, bucket, key, bucket.account, now)
        tx.after_commit(lambda: self.bodies.delete(marker.freed))
        what = Occurrence("ObjectRemoved:DeleteMarkerCreated", key, marker.id, now, None, None, marker.version)
        self.notifier.put(tx, call, bucket, what)
        return Removed(True, marker.version)

    def _remove_version(self, tx: Transaction, call: Call, bucket: Bucket, found: ObjectVersion) -> None:
        freed = remove_version(tx, bucket, found)
        if freed:
            tx.after_commit(lambda: self.bodies.delete(freed))
        version = found.version if bucket.versioning else None
        now = self.cloud.clock.now()
        if "notification" in bucket.settings:
            # A number of its own, though nothing is stored: the removal is later than the object that it removes.
            tx.execute("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'objects'")
            sequence = tx.one("SELECT seq FROM sqlite_sequence WHERE name = 'objects'")
            assert sequence is not None
            what = Occurrence("ObjectRemoved:Delete", found.key, sequence[0], now, None, None, version)
            self.notifier.put(tx, call, bucket, what)

    def _attempt(self, tx: Transaction, call: Call, bucket: Bucket, removal: Removal) -> Removed | AwsError:
        try:
            check_key(removal.key)
            return self.remove(tx, call, bucket, removal)
        except AwsError as error:
            return error

    def _refused(self, call: Call, bucket: Bucket, removals: list[Removal]) -> dict[Removal, AwsError]:
        """Each key needs its own permission; who lacks it for one may still delete the others."""
        refused: dict[Removal, AwsError] = {}
        for removal in removals:
            target = {"Bucket": bucket.name, "Key": removal.key}
            if removal.version is not None:
                target["VersionId"] = removal.version
            try:
                self.demand(call, "DeleteObject", target)
            except AwsError as error:
                refused[removal] = error
        return refused


def _removal(entry: Mapping[str, Any], etag: str | None, modified: Any, size: int | None) -> Removal:
    return Removal(
        entry["Key"],
        entry.get("VersionId"),
        etag,
        modified.timestamp() if modified is not None else None,
        size,
    )


def _deleted(removal: Removal, removed: Removed) -> dict[str, Any]:
    entry: dict[str, Any] = {"Key": removal.key}
    if removal.version is not None:
        entry["VersionId"] = removal.version
    if removed.delete_marker:
        entry |= {"DeleteMarker": True, "DeleteMarkerVersionId": removed.version}
    return entry


def _failed(removal: Removal, error: AwsError) -> dict[str, Any]:
    entry = {"Key": removal.key, "Code": error.code, "Message": error.message}
    return {**entry, "VersionId": removal.version} if removal.version is not None else entry
