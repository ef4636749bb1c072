"""ACLs of buckets and objects, read and set."""

from collections.abc import Mapping
from typing import Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AccessDenied
from cloudlet.core.service import operation
from cloudlet.services.s3 import acl
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.errors import s3_error
from cloudlet.services.s3.object_operations import ObjectOperations, check_owner_keeps_control
from cloudlet.services.s3.occurrences import Occurrence
from cloudlet.store import Transaction

Params = dict[str, Any]
Output = dict[str, Any]


class AclOperations(ObjectOperations):
    @operation("GetBucketAcl")
    async def get_bucket_acl(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        grants = bucket.settings.get("acl") if bucket.acls_enabled else None
        return self._policy(call, bucket.account, grants)

    @operation("PutBucketAcl")
    async def put_bucket_acl(self, call: Call, params: Params) -> None:
        bucket = self.bucket_of(params)
        grants = _wanted(params, bucket.account, None, bucket)
        if bucket.acls_enabled:
            await self.buckets.put_setting(bucket, "acl", grants)

    @operation("GetObjectAcl")
    async def get_object_acl(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        found = self.existing(call, bucket, params)
        return self._policy(call, found.owner, found.stored_grants() if bucket.acls_enabled else None)

    @operation("PutObjectAcl")
    async def put_object_acl(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        found = self.existing(call, bucket, params)
        grants = _wanted(params, found.owner, bucket.account, bucket)
        version = found.version if bucket.versioning else None
        if bucket.acls_enabled:
            now = self.cloud.clock.now()

            def write(tx: Transaction) -> None:
                tx.execute("UPDATE objects SET acl = ? WHERE id = ?", (orjson.dumps(grants), found.id))
                what = Occurrence("ObjectAcl:Put", found.key, found.id, now, None, found.etag, version)
                self.notifier.put(tx, call, bucket, what)

            await self.store.write(write)
        return {"VersionId": version} if version is not None and "VersionId" in params else {}

    def _policy(self, call: Call, owner: str, grants: list[acl.Grant] | None) -> Output:
        known = {bucket.account for bucket in self.buckets.all()} | {owner, call.principal.account}
        wanted = grants if grants is not None else [acl.owner_grant(owner)]
        return {"Owner": acl.owner(owner), "Grants": acl.rendered(wanted, known)}


def _wanted(params: Mapping[str, Any], owner: str, bucket_owner: str | None, bucket: Bucket) -> list[acl.Grant]:
    """The grants of a Put...Acl, by canned ACL, headers or document. Raises where ACLs are off or may not be public."""
    grants = acl.requested_grants(params, owner, bucket_owner)
    if grants is None:
        if "AccessControlPolicy" not in params:
            raise s3_error("MissingRequestBodyError" if bucket_owner else "MalformedACLError")
        grants = acl.document_grants(params["AccessControlPolicy"], owner)
    if not bucket.acls_enabled:
        check_owner_keeps_control(params, grants, bucket)
    if bucket.blocks("BlockPublicAcls") and acl.is_public(grants):
        raise AccessDenied
    return grants
