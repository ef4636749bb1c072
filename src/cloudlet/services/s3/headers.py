"""What of a request's headers is kept with an object, and what Cloudlet must refuse."""

from collections.abc import Mapping
from typing import Any

import orjson

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.s3 import encryption
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.errors import s3_error

_KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
    "Metadata",
    "StorageClass",
)
_REFUSED = {
    "SSECustomerAlgorithm": "server-side encryption with customer-provided keys (SSE-C)",
    "SSECustomerKey": "server-side encryption with customer-provided keys (SSE-C)",
    "CopySourceSSECustomerAlgorithm": "server-side encryption with customer-provided keys (SSE-C)",
    "SSEKMSKeyId": encryption.OWN_KEYS,
    "SSEKMSEncryptionContext": "encryption contexts of KMS",
    "ObjectLockMode": "S3 Object Lock",
    "ObjectLockRetainUntilDate": "S3 Object Lock",
    "ObjectLockLegalHoldStatus": "S3 Object Lock",
    "ObjectLockEventHold": "S3 Object Lock",
    "WriteOffsetBytes": "appending to objects (directory buckets)",
}
_REFUSED_NAMES = _REFUSED.keys()
# Classes whose objects can be read at once, as all objects here can.
_STORAGE_CLASSES = frozenset(
    {"STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "REDUCED_REDUNDANCY"}
)
_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE", "SNOW", "OUTPOSTS", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP"})
_DEFAULT_TYPE = "binary/octet-stream"
_DEFAULT_HEADERS = orjson.dumps({"ContentType": _DEFAULT_TYPE})
_LARGEST_METADATA = 2048

_OVERRIDES = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}


def check_options(params: Mapping[str, Any]) -> None:
    """Raises NotImplementedByCloudlet for what would change behaviour and is not there."""
    if not _REFUSED_NAMES.isdisjoint(params):
        raise NotImplementedByCloudlet(next(_REFUSED[name] for name in params if name in _REFUSED))
    if "ServerSideEncryption" in params:
        encryption.check_algorithm(params["ServerSideEncryption"])
    storage_class = params.get("StorageClass")
    if storage_class is not None and storage_class not in _STORAGE_CLASSES:
        if storage_class in _ARCHIVES:
            raise NotImplementedByCloudlet(f"the storage class {storage_class}")
        raise s3_error("InvalidStorageClass", StorageClassRequested=storage_class)


def headers_to_keep(bucket: Bucket, params: Mapping[str, Any]) -> bytes:
    """JSON of members of GetObject's output. Raises MetadataTooLarge."""
    kept = {name: params[name] for name in _KEPT if name in params} | encryption.members_to_keep(bucket, params)
    if not kept:
        return _DEFAULT_HEADERS
    if "Metadata" in kept:
        _check_metadata(kept["Metadata"])
    if "Expires" in kept:
        kept["Expires"] = kept["Expires"].timestamp()
    if "ContentEncoding" in kept:
        encoding = ", ".join(
            name for name in (part.strip() for part in kept.pop("ContentEncoding").split(",")) if name != "aws-chunked"
        )
        if encoding:
            kept["ContentEncoding"] = encoding
    if kept.get("StorageClass") == "STANDARD":
        del kept["StorageClass"]
    redirect = kept.get("WebsiteRedirectLocation")
    if redirect is not None and not redirect.startswith(("/", "http://", "https://")):
        raise s3_error(
            "InvalidArgument",
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
        )
    kept.setdefault("ContentType", _DEFAULT_TYPE)
    return orjson.dumps(kept)


def overrides(params: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a read's output that its request replaces (response-content-type, …)."""
    return {_OVERRIDES[name]: params[name] for name in params if name in _OVERRIDES}


def _check_metadata(metadata: Mapping[str, str]) -> None:
    size = sum(len(name) + len(value.encode("latin-1", "replace")) for name, value in metadata.items())
    if size > _LARGEST_METADATA:
        raise s3_error("MetadataTooLarge", Size=size, MaxSizeAllowed=_LARGEST_METADATA)
