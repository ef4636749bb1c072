"""What is configured about a bucket as a whole: policy, public access, ownership, tags, CORS, website, lifecycle, …"""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AccessDenied, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.s3 import acl, cors, encryption, lifecycle, public_access, websites
from cloudlet.services.s3.base import LIFECYCLE_CHANGED, S3Base
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.errors import s3_error
from cloudlet.services.s3.policies import check_policy, policy_document
from cloudlet.services.s3.tagging import BUCKET_TAGS, tag_set, tags_of_set

if TYPE_CHECKING:
    from collections.abc import Mapping

Params = dict[str, Any]
Output = dict[str, Any]

_DEFAULT_ENCRYPTION = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
}
_BLOCK_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class ConfigurationOperations(S3Base):
    @operation("PutBucketPolicy")
    async def put_bucket_policy(self, call: Call, params: Params) -> None:
        bucket = self.bucket_of(params)
        document = check_policy(params["Policy"], bucket.arn)
        if bucket.blocks("BlockPublicPolicy") and public_access.is_public(document):
            raise AccessDenied(
                f"User: {call.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
                f'"{bucket.arn}" because public policies are prevented by the BlockPublicPolicy setting in S3 Block '
                "Public Access."
            )
        await self.buckets.put_setting(bucket, "policy", params["Policy"])

    @operation("GetBucketPolicy")
    async def get_bucket_policy(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        return {"Policy": _setting(bucket, "policy", "NoSuchBucketPolicy")}

    @operation("DeleteBucketPolicy")
    async def delete_bucket_policy(self, call: Call, params: Params) -> None:
        await self.buckets.put_setting(self.bucket_of(params), "policy", None)

    @operation("GetBucketPolicyStatus")
    async def get_bucket_policy_status(self, call: Call, params: Params) -> Output:
        """Whether the bucket is public, by its policy or by its ACL."""
        bucket = self.bucket_of(params)
        text = bucket.settings.get("policy")
        by_acl = acl.is_public(bucket.settings.get("acl", [])) and not bucket.blocks("IgnorePublicAcls")
        by_policy = text is not None and public_access.is_public(policy_document(text))
        return {"PolicyStatus": {"IsPublic": by_policy or (bucket.acls_enabled and by_acl)}}

    @operation("PutPublicAccessBlock")
    async def put_public_access_block(self, call: Call, params: Params) -> None:
        given = params["PublicAccessBlockConfiguration"]
        flags = {flag: bool(given.get(flag)) for flag in _BLOCK_FLAGS}
        await self.buckets.put_setting(self.bucket_of(params), "public_access_block", flags)

    @operation("GetPublicAccessBlock")
    async def get_public_access_block(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        found = _setting(bucket, "public_access_block", "NoSuchPublicAccessBlockConfiguration")
        return {"PublicAccessBlockConfiguration": found}

    @operation("DeletePublicAccessBlock")
    async def delete_public_access_block(self, call: Call, params: Params) -> None:
        await self.buckets.put_setting(self.bucket_of(params), "public_access_block", None)

    @operation("PutBucketOwnershipControls")
    async def put_bucket_ownership_controls(self, call: Call, params: Params) -> None:
        bucket = self.bucket_of(params)
        rules = params["OwnershipControls"]["Rules"]
        if len(rules) != 1:
            raise s3_error("MalformedXML")
        ownership = rules[0]["ObjectOwnership"]
        grants = bucket.settings.get("acl")
        if ownership == "BucketOwnerEnforced" and grants and grants != [acl.owner_grant(bucket.account)]:
            raise s3_error("InvalidBucketAclWithObjectOwnership")
        await self.buckets.put_setting(bucket, "ownership", ownership)

    @operation("GetBucketOwnershipControls")
    async def get_bucket_ownership_controls(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        found = _setting(bucket, "ownership", "OwnershipControlsNotFoundError")
        return {"OwnershipControls": {"Rules": [{"ObjectOwnership": found}]}}

    @operation("DeleteBucketOwnershipControls")
    async def delete_bucket_ownership_controls(self, call: Call, params: Params) -> None:
        await self.buckets.put_setting(self.bucket_of(params), "ownership", None)

    @operation("PutBucketTagging")
    async def put_bucket_tagging(self, call: Call, params: Params) -> None:
        tags = params["Tagging"]["TagSet"]
        tags_of_set(tags, BUCKET_TAGS)
        named = {tag["Key"]: tag["Value"] for tag in tags}
        await self.buckets.put_setting(self.bucket_of(params), "tagging", named or None)

    @operation("GetBucketTagging")
    async def get_bucket_tagging(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        return {"TagSet": tag_set(_setting(bucket, "tagging", "NoSuchTagSet"))}

    @operation("DeleteBucketTagging")
    async def delete_bucket_tagging(self, call: Call, params: Params) -> None:
        await self.buckets.put_setting(self.bucket_of(params), "tagging", None)

    @operation("PutBucketCors")
    async def put_bucket_cors(self, call: Call, params: Params) -> None:
        rules = params["CORSConfiguration"]["CORSRules"]
        cors.check_rules(rules)
        await self.buckets.put_setting(self.bucket_of(params), "cors", rules)

    @operation("GetBucketCors")
    async def get_bucket_cors(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        return {"CORSRules": _setting(bucket, "cors", "NoSuchCORSConfiguration")}

    @operation("DeleteBucketCors")
    async def delete_bucket_cors(self, call: Call, params: Params) -> None:
        await self.buckets.put_setting(self.bucket_of(params), "cors", None)

    @operation("PutBucketWebsite")
    async def put_bucket_website(self, call: Call, params: Params) -> None:
        websites.check_configuration(params["WebsiteConfiguration"])
        await self.buckets.put_setting(self.bucket_of(params), "website", params["WebsiteConfiguration"])

    @operation("GetBucketWebsite")
    async def get_bucket_website(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        return _setting(bucket, "website", "NoSuchWebsiteConfiguration")

    @operation("DeleteBucketWebsite")
    async def delete_bucket_website(self, call: Call, params: Params) -> None:
        await self.buckets.put_setting(self.bucket_of(params), "website", None)

    @operation("PutBucketEncryption")
    async def put_bucket_encryption(self, call: Call, params: Params) -> None:
        rules = encryption.rules_to_keep(params["ServerSideEncryptionConfiguration"]["Rules"])
        await self.buckets.put_setting(self.bucket_of(params), "encryption", {"Rules": rules})

    @operation("GetBucketEncryption")
    async def get_bucket_encryption(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        return {"ServerSideEncryptionConfiguration": bucket.settings.get("encryption", _DEFAULT_ENCRYPTION)}

    @operation("DeleteBucketEncryption")
    async def delete_bucket_encryption(self, call: Call, params: Params) -> None:
        await self.buckets.put_setting(self.bucket_of(params), "encryption", None)

    @operation("PutBucketLifecycleConfiguration")
    async def put_bucket_lifecycle_configuration(self, call: Call, params: Params) -> Output:
        rules = (params.get("LifecycleConfiguration") or {}).get("Rules") or []
        bucket = self.bucket_of(params)
        await self.buckets.put_setting(bucket, "lifecycle", lifecycle.rules_to_keep(rules))
        self.cloud.signals.notify(LIFECYCLE_CHANGED)
        return {"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}

    @operation("GetBucketLifecycleConfiguration")
    async def get_bucket_lifecycle_configuration(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        rules = _setting(bucket, "lifecycle", "NoSuchLifecycleConfiguration")
        return {
            "Rules": lifecycle.rendered(rules),
            "TransitionDefaultMinimumObjectSize": "all_storage_classes_128K",
        }

    @operation("DeleteBucketLifecycle")
    async def delete_bucket_lifecycle(self, call: Call, params: Params) -> None:
        await self.buckets.put_setting(self.bucket_of(params), "lifecycle", None)


class DefaultsOperations(S3Base):
    """Features that Cloudlet does not have: reading them tells so, as AWS does of a bucket that does not use them."""

    @operation("GetBucketRequestPayment")
    async def get_bucket_request_payment(self, call: Call, params: Params) -> Output:
        self.bucket_of(params)
        return {"Payer": "BucketOwner"}

    @operation("PutBucketRequestPayment")
    async def put_bucket_request_payment(self, call: Call, params: Params) -> None:
        self.bucket_of(params)
        if params["RequestPaymentConfiguration"]["Payer"] != "BucketOwner":
            raise NotImplementedByCloudlet("requester pays")

    @operation("GetBucketAccelerateConfiguration")
    async def get_bucket_accelerate_configuration(self, call: Call, params: Params) -> Output:
        self.bucket_of(params)
        return {}

    @operation("GetBucketLogging")
    async def get_bucket_logging(self, call: Call, params: Params) -> Output:
        self.bucket_of(params)
        return {}

    @operation("PutBucketLogging")
    async def put_bucket_logging(self, call: Call, params: Params) -> None:
        """Logging can be switched off, which it is."""
        self.bucket_of(params)
        if "LoggingEnabled" in params["BucketLoggingStatus"]:
            raise NotImplementedByCloudlet("server access logging")

    @operation("GetBucketReplication")
    async def get_bucket_replication(self, call: Call, params: Params) -> None:
        self.bucket_of(params)
        raise s3_error("ReplicationConfigurationNotFoundError")

    @operation("GetObjectLockConfiguration")
    async def get_object_lock_configuration(self, call: Call, params: Params) -> None:
        bucket = self.bucket_of(params)
        raise s3_error("ObjectLockConfigurationNotFoundError", BucketName=bucket.name)


def _setting(bucket: Bucket, name: str, missing: str) -> Any:
    """Raises the error that AWS gives where there is none."""
    settings: Mapping[str, Any] = bucket.settings
    if name not in settings:
        raise s3_error(missing, BucketName=bucket.name)
    return settings[name]
