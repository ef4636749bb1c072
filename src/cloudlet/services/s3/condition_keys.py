"""S3's own condition keys, as policies of buckets and identities refer to them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from cloudlet.core.context import Call

_MEMBERS = {
    "Prefix": "s3:prefix",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
    "VersionId": "s3:VersionId",
    "ACL": "s3:x-amz-acl",
    "CopySource": "s3:x-amz-copy-source",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "StorageClass": "s3:x-amz-storage-class",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
}


def condition_keys(call: Call, params: Mapping[str, Any], existing_tags: Mapping[str, str]) -> dict[str, str]:
    """`existing_tags` are those of the object that the call is about."""
    keys = {key: str(params[member]) for member, key in _MEMBERS.items() if member in params}
    keys |= {f"s3:ExistingObjectTag/{name}": value for name, value in existing_tags.items()}
    requested = _requested_tags(params)
    keys |= {f"s3:RequestObjectTag/{name}": value for name, value in requested.items()}
    if requested:
        keys["s3:RequestObjectTagKeys"] = ",".join(requested)
    configuration = params.get("CreateBucketConfiguration") or {}
    if "LocationConstraint" in configuration:
        keys["s3:LocationConstraint"] = configuration["LocationConstraint"]
    http = call.http
    if http is not None:
        keys["s3:authType"] = "REST-QUERY-STRING" if "X-Amz-Signature=" in http.query else "REST-HEADER"
        keys["s3:signatureversion"] = "AWS4-HMAC-SHA256"
        if "x-amz-content-sha256" in http.headers:
            keys["s3:x-amz-content-sha256"] = http.headers["x-amz-content-sha256"]
    return keys


def _requested_tags(params: Mapping[str, Any]) -> dict[str, str]:
    tagging = params.get("Tagging")
    if isinstance(tagging, str):
        return dict(parse_qsl(tagging, keep_blank_values=True))
    if isinstance(tagging, Mapping):
        return {tag["Key"]: tag["Value"] for tag in tagging.get("TagSet", ())}
    return {}
