"""Buckets: made, listed, found, versioned, deleted."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.s3 import acl, listing
from cloudlet.services.s3.base import S3Base
from cloudlet.services.s3.buckets import Bucket, check_name
from cloudlet.services.s3.errors import s3_error
from cloudlet.services.s3.tagging import BUCKET_TAGS, tags_of_set

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        CreateBucketOutputTypeDef,
        CreateBucketRequestTypeDef,
        DeleteBucketRequestTypeDef,
        GetBucketLocationOutputTypeDef,
        GetBucketLocationRequestTypeDef,
        GetBucketVersioningOutputTypeDef,
        GetBucketVersioningRequestTypeDef,
        HeadBucketOutputTypeDef,
        HeadBucketRequestTypeDef,
        ListBucketsOutputTypeDef,
        ListBucketsRequestTypeDef,
        PutBucketVersioningRequestTypeDef,
    )

_DEFAULT_REGION = "us-east-1"
_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


class BucketOperations(S3Base):
    @operation("CreateBucket")
    async def create_bucket(self, call: Call, params: "CreateBucketRequestTypeDef") -> "CreateBucketOutputTypeDef":
        """ACLs are off and public access is blocked unless asked otherwise, as on AWS since April 2023."""
        name = params["Bucket"]
        check_name(name)
        if call.principal.kind == "anonymous":
            raise s3_error("AccessDenied")
        if params.get("ObjectLockEnabledForBucket"):
            raise NotImplementedByCloudlet("S3 Object Lock")
        if params.get("BucketNamespace", "global") != "global":
            raise NotImplementedByCloudlet("bucket names of an account's own (BucketNamespace)")
        configuration = params.get("CreateBucketConfiguration") or {}
        if configuration.get("Location") or configuration.get("Bucket"):
            raise NotImplementedByCloudlet("directory buckets")
        region = _region(call, configuration.get("LocationConstraint"))
        account = call.principal.account
        settings: dict[str, Any] = {
            "ownership": params.get("ObjectOwnership", "BucketOwnerEnforced"),
            "public_access_block": _BLOCKED,
        }
        grants = _initial_grants(params, account, settings["ownership"])
        if grants is not None:
            settings["acl"] = grants
        tags: Any = configuration.get("Tags", ())
        if tags_of_set(tags, BUCKET_TAGS) is not None:
            settings["tagging"] = {tag["Key"]: tag["Value"] for tag in tags}
        bucket = Bucket(0, name, account, region, self.cloud.clock.now(), settings=settings)
        existing = self.buckets.find(name)
        if existing is not None and existing.account == account and region == _DEFAULT_REGION == existing.region:
            await self._reset_acl(existing, grants)
        else:
            await self.buckets.create(bucket)
        location = f"/{name}" if region == _DEFAULT_REGION else f"http://{name}.s3.amazonaws.com/"
        return {"Location": location, "BucketArn": bucket.arn}  # type: ignore[return-value]

    async def _reset_acl(self, bucket: Bucket, grants: list[acl.Grant] | None) -> None:
        """In us-east-1, making one's own bucket again succeeds and sets the ACL anew."""
        if bucket.acls_enabled:
            await self.buckets.put_setting(bucket, "acl", grants)

    @operation("HeadBucket")
    async def head_bucket(self, call: Call, params: "HeadBucketRequestTypeDef") -> "HeadBucketOutputTypeDef":
        bucket = self.bucket_of(params)
        return {"BucketRegion": bucket.region, "BucketArn": bucket.arn, "AccessPointAlias": False}  # type: ignore[return-value]

    @operation("ListBuckets")
    async def list_buckets(self, call: Call, params: "ListBucketsRequestTypeDef") -> "ListBucketsOutputTypeDef":
        account = call.principal.account
        if call.principal.kind == "anonymous":
            raise s3_error("AccessDenied")
        prefix, region, token = params.get("Prefix", ""), params.get("BucketRegion"), params.get("ContinuationToken")
        after = listing.unseal(token) if token else ""
        found = [
            bucket
            for bucket in self.buckets.of_account(account)
            if bucket.name.startswith(prefix) and bucket.name > after and region in (None, bucket.region)
        ]
        limit = params.get("MaxBuckets", 10_000)
        output: dict[str, Any] = {
            "Owner": acl.owner(account),
            "Buckets": [
                {
                    "Name": bucket.name,
                    "CreationDate": bucket.created,
                    "BucketRegion": bucket.region,
                    "BucketArn": bucket.arn,
                }
                for bucket in found[:limit]
            ],
        }
        if len(found) > limit:
            output["ContinuationToken"] = listing.seal(found[limit - 1].name)
        if prefix:
            output["Prefix"] = prefix
        return output  # type: ignore[return-value]

    @operation("DeleteBucket")
    async def delete_bucket(self, call: Call, params: "DeleteBucketRequestTypeDef") -> None:
        bucket = self.bucket_of(params)
        self.bodies.delete(await self.buckets.delete(bucket))

    @operation("GetBucketLocation")
    async def get_bucket_location(
        self, call: Call, params: "GetBucketLocationRequestTypeDef"
    ) -> "GetBucketLocationOutputTypeDef":
        region = self.bucket_of(params).region
        return {"LocationConstraint": None if region == _DEFAULT_REGION else region}  # type: ignore[return-value]

    @operation("GetBucketVersioning")
    async def get_bucket_versioning(
        self, call: Call, params: "GetBucketVersioningRequestTypeDef"
    ) -> "GetBucketVersioningOutputTypeDef":
        status = self.bucket_of(params).versioning
        return {"Status": status} if status else {}  # type: ignore[return-value]

    @operation("PutBucketVersioning")
    async def put_bucket_versioning(self, call: Call, params: "PutBucketVersioningRequestTypeDef") -> None:
        bucket = self.bucket_of(params)
        configuration = params["VersioningConfiguration"]
        if configuration.get("MFADelete") == "Enabled":
            raise NotImplementedByCloudlet("MFA delete")
        status = configuration.get("Status")
        if status not in ("Enabled", "Suspended"):
            raise s3_error("IllegalVersioningConfigurationException")
        await self.buckets.put_versioning(bucket, status)


def _region(call: Call, constraint: str | None) -> str:
    """Where the bucket is to be. Through us-east-1 it may be anywhere, elsewhere only there."""
    here = call.region or _DEFAULT_REGION
    if constraint == _DEFAULT_REGION:
        raise s3_error("InvalidLocationConstraint", LocationConstraint=constraint)
    region = "eu-west-1" if constraint == "EU" else constraint
    if here == _DEFAULT_REGION:
        return region or _DEFAULT_REGION
    if region is None or region != here:
        words = (
            f"The {constraint or 'unspecified'} location constraint is incompatible for the region specific endpoint "
            "this request was sent to."
        )
        raise s3_error("IllegalLocationConstraintException", words)
    return region


def _initial_grants(params: Any, account: str, ownership: str) -> list[acl.Grant] | None:
    grants = acl.requested_grants(params, account, None)
    if grants is None or params.get("ACL") == "private":
        return None
    if ownership == "BucketOwnerEnforced":
        raise s3_error("InvalidBucketAclWithObjectOwnership")
    if acl.is_public(grants):
        raise s3_error("InvalidBucketAclWithBlockPublicAccessError")
    return grants
