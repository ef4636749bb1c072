"""Which server-side encryption is reported of an object: its request's, else its bucket's default."""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.errors import invalid_argument, s3_error

# What answers say of an object that has nothing of its own: AES256, which is S3's own default, is not kept.
MEMBERS = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
OWN_KEYS = "server-side encryption with KMS keys of one's own (SSE-KMS)"
_DUAL_LAYER = "dual-layer server-side encryption (DSSE-KMS)"


def check_algorithm(algorithm: str) -> None:
    """Of a request for an object. Raises InvalidArgument, NotImplementedByCloudlet."""
    if algorithm not in ("AES256", "aws:kms"):
        if algorithm.startswith("aws:"):
            raise NotImplementedByCloudlet(_DUAL_LAYER if algorithm == "aws:kms:dsse" else f"encryption by {algorithm}")
        raise invalid_argument(
            "The encryption method specified is not supported", "x-amz-server-side-encryption", algorithm
        )


def rules_to_keep(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A bucket's default as GetBucketEncryption shows it. Raises MalformedXML, NotImplementedByCloudlet."""
    if len(rules) != 1:
        raise s3_error("MalformedXML")
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {"SSEAlgorithm": "AES256"}
    if "KMSMasterKeyID" in default:
        raise NotImplementedByCloudlet(OWN_KEYS)
    check_algorithm(default["SSEAlgorithm"])
    return [{"BucketKeyEnabled": False, **rules[0], "ApplyServerSideEncryptionByDefault": default}]


def members_to_keep(bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a new object's encryption among its headers."""
    algorithm = params.get("ServerSideEncryption")
    configuration = bucket.settings.get("encryption")
    rule = configuration["Rules"][0] if configuration is not None else {}
    if algorithm is None and rule:
        algorithm = rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm")
    if algorithm != "aws:kms":
        return {}
    kept: dict[str, Any] = {"ServerSideEncryption": algorithm, "SSEKMSKeyId": _aws_managed_key(bucket)}
    if params.get("BucketKeyEnabled", rule.get("BucketKeyEnabled")):
        kept["BucketKeyEnabled"] = True
    return kept


def reported(headers: bytes | None) -> dict[str, Any]:
    """The members of a write's output, from the headers that it keeps."""
    if not headers or b"SSEKMSKeyId" not in headers:
        return {"ServerSideEncryption": "AES256"}
    kept = orjson.loads(headers)
    return {name: kept[name] for name in MEMBERS if name in kept} or {"ServerSideEncryption": "AES256"}


def _aws_managed_key(bucket: Bucket) -> str:
    """The key that `alias/aws/s3` names: always the same in an account and region."""
    where = f"arn:aws:kms:{bucket.region}:{bucket.account}:"
    return f"{where}key/{uuid5(NAMESPACE_URL, where + 'alias/aws/s3')}"
