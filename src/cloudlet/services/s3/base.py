"""What all S3 operations stand on: the data, the bucket and object that a call is about, and who may touch them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Handler, Operation, Service
from cloudlet.services.s3 import acl, public_access
from cloudlet.services.s3.bodies import Bodies, Stored
from cloudlet.services.s3.buckets import Bucket, Buckets
from cloudlet.services.s3.condition_keys import condition_keys
from cloudlet.services.s3.errors import s3_error
from cloudlet.services.s3.notifications import Notifier
from cloudlet.services.s3.objects import (
    ObjectVersion,
    blobs_in_use,
    live_object,
    object_version,
)
from cloudlet.services.s3.policies import policy_document
from cloudlet.services.s3.request_metrics import RequestMetrics
from cloudlet.services.s3.storage_metrics import StorageMetrics
from cloudlet.store import BlobFiles, Outbox, Store

# Signalled when lifecycle rules have changed.
LIFECYCLE_CHANGED = "s3:lifecycle"

# Operations on what exists already under a key: there the object's owner counts, not the bucket's.
_ON_OBJECTS = frozenset(
    {
        "GetObject",
        "HeadObject",
        "GetObjectAttributes",
        "GetObjectAcl",
        "PutObjectAcl",
        "GetObjectTagging",
        "PutObjectTagging",
        "DeleteObjectTagging",
    }
)
# The actions that reading or changing a certain version needs instead of the operation's own.
_VERSION_ACTIONS = {
    "GetObject": "GetObjectVersion",
    "HeadObject": "GetObjectVersion",
    "GetObjectAttributes": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "PutObjectAcl": "PutObjectVersionAcl",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "DeleteObject": "DeleteObjectVersion",
}


class S3Base(Service):
    apis = ("s3",)
    store: Store
    buckets: Buckets
    bodies: Bodies
    notifier: Notifier
    requests: RequestMetrics
    storage_metrics: StorageMetrics

    def operations(self) -> list[Operation]:
        return [replace(found, handler=self._measured(found.name, found.handler)) for found in super().operations()]

    def _measured(self, name: str, handler: Handler) -> Handler:
        return lambda call, params: self.requests.run(name, handler, call, params)

    async def start(self) -> None:
        data = self.cloud.settings.data
        self.store = Store(data / "s3.db", Path(__file__).with_name("schema.sql"))
        self.buckets = Buckets(self.store)
        blobs = BlobFiles(data / "s3")
        blobs.collect(blobs_in_use(self.store.reader))
        self.bodies = Bodies(blobs)
        metrics, clock = self.cloud.metrics, self.cloud.clock
        self.requests = RequestMetrics(metrics, clock, self.buckets, self.store.reader)
        self.storage_metrics = StorageMetrics(metrics, clock, self.buckets, self.store)
        self.notifier = Notifier(self.cloud)
        self.notifier.outbox = Outbox(self.store, self.cloud.clock, self.notifier.deliver)

    async def recover(self) -> None:
        self.notifier.outbox.start()
        self.storage_metrics.measure_soon()

    async def stop(self) -> None:
        await self.notifier.outbox.stop()
        await self.storage_metrics.stop()
        self.store.close()

    def has_bucket(self, name: str) -> bool:
        return self.buckets.find(name) is not None

    def resource(self, call: Call, params: Mapping[str, Any]) -> str | None:
        """ARNs of S3 name no account: whose resource it is, is put into the call."""
        name = params.get("Bucket")
        if name is None:
            return "arn:aws:s3:::*"
        if call.operation == "CreateBucket":
            return f"arn:aws:s3:::{name}"
        bucket = self.buckets.get(name)
        call.account = bucket.account
        if call.operation == "DeleteObjects":
            return None  # each of its keys is a resource, asked about one by one
        key = params.get("Key")
        if key is None:
            return bucket.arn
        if call.operation in _ON_OBJECTS and not self._is_owner(call, bucket):
            found = self._object_of(bucket, params)
            if found is None and "VersionId" not in params:
                call.operation = "ListBucket"  # only who may list the bucket learns that the key is not there
                return bucket.arn
            if found is not None:
                call.account = found.owner
        if "VersionId" in params:
            call.operation = _VERSION_ACTIONS.get(call.operation, call.operation)
        return f"{bucket.arn}/{key}"

    def resource_policy(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """The bucket's policy, and what ACLs allow to the caller said as a statement."""
        bucket = self.buckets.find(params.get("Bucket", ""))
        if bucket is None:
            return None
        policy = self._policy_for(call, bucket)
        named = self._named_by_acl(call, bucket, params) if bucket.acls_enabled else None
        if named is None:
            return policy
        statement = {"Effect": "Allow", "Principal": named, "Action": "s3:*", "Resource": "*"}
        if policy is None:
            return {"Version": "2012-10-17", "Statement": [statement]}
        return {**policy, "Statement": [*_statements(policy), statement]}

    def _policy_for(self, call: Call, bucket: Bucket) -> dict[str, Any] | None:
        """The bucket's policy; only what it denies, where a public one counts for the bucket's own account alone."""
        text = bucket.settings.get("policy")
        policy = policy_document(text) if text is not None else None
        if policy is None or not bucket.blocks("RestrictPublicBuckets") or not public_access.is_public(policy):
            return policy
        if call.principal.kind == "service" or call.principal.account == bucket.account:
            return policy
        denied = [statement for statement in _statements(policy) if statement["Effect"] == "Deny"]
        return {**policy, "Statement": denied} if denied else None

    def condition_keys(self, call: Call, params: Mapping[str, Any]) -> dict[str, str]:
        bucket = self.buckets.find(params.get("Bucket", ""))
        existing = self._object_of(bucket, params) if bucket is not None and "Key" in params else None
        keys = condition_keys(call, params, existing.stored_tags() if existing is not None else {})
        return {**keys, "s3:prefix": params["Key"]} if call.operation == "ListBucket" and "Key" in params else keys

    def refused(self, operation: str, params: dict[str, Any], error: AwsError) -> None:
        self.requests.refused(operation, params, error)

    def bucket_of(self, params: Mapping[str, Any]) -> Bucket:
        """The bucket of an input. Raises NoSuchBucket, or AccessDenied if its owner is not the expected one."""
        bucket = self.buckets.get(params["Bucket"])
        expected = params.get("ExpectedBucketOwner")
        if expected is not None and expected != bucket.account:
            raise s3_error("AccessDenied")
        return bucket

    def demand(self, call: Call, operation: str, params: Mapping[str, Any]) -> None:
        """Raises AccessDenied unless the caller may do this as well: what an operation needs beside its own action."""
        other = replace(call, operation=operation, account=call.principal.account, condition_keys={})
        resource = self.resource(other, params)
        principal = call.principal
        if principal.kind != "root" or principal.account != other.account:
            other.condition_keys = self.condition_keys(other, params)
            self.cloud.authoriser.authorise(other, resource, self.resource_policy(other, params))

    def stored_body(self, version: ObjectVersion) -> Stored:
        """Where the body of a version is. To be called before the first await after the row was read."""
        if version.upload is not None:
            rows = self.store.reader.rows(
                "SELECT blob, size FROM parts WHERE upload = ? ORDER BY number", (version.upload,)
            )
            return Stored(None, tuple((blob, size) for blob, size in rows))
        if version.blob is not None:
            return Stored(None, ((version.blob, version.size),))
        return Stored(version.content or b"")

    def _object_of(self, bucket: Bucket, params: Mapping[str, Any]) -> ObjectVersion | None:
        key, version = params["Key"], params.get("VersionId")
        if version is None:
            return live_object(self.store.reader, bucket, key)
        return object_version(self.store.reader, bucket, key, version)

    def _is_owner(self, call: Call, bucket: Bucket) -> bool:
        """Whether the caller is the root of the account that owns the bucket and everything in it."""
        principal = call.principal
        return principal.kind == "root" and principal.account == bucket.account and not bucket.acls_enabled

    def bucket_acl_allows(self, call: Call, bucket: Bucket) -> bool:
        """Whether the bucket's ACL lets the caller do what the call does."""
        return self._named_by_bucket_acl(call, bucket) is not None

    def _named_by_bucket_acl(self, call: Call, bucket: Bucket) -> str | dict[str, str] | None:
        grants = bucket.settings.get("acl") or [acl.owner_grant(bucket.account)]
        return self._named(grants, call, bucket, on_object=False)

    def _named_by_acl(self, call: Call, bucket: Bucket, params: Mapping[str, Any]) -> str | dict[str, str] | None:
        named = self._named_by_bucket_acl(call, bucket)
        found = self._object_of(bucket, params) if named != "*" and "Key" in params else None
        if found is None:
            return named
        grants = found.stored_grants() or [acl.owner_grant(found.owner)]
        return self._named(grants, call, bucket, on_object=True) or named

    def _named(
        self, grants: list[acl.Grant], call: Call, bucket: Bucket, *, on_object: bool
    ) -> str | dict[str, str] | None:
        counted = acl.without_public(grants) if bucket.blocks("IgnorePublicAcls") else grants
        return acl.named_by(counted, call.principal, call.operation, on_object=on_object)


def _statements(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    stated = policy["Statement"]
    return stated if isinstance(stated, list) else [stated]
