"""ListObjects, ListObjectsV2, ListObjectVersions."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.s3 import acl, listing
from cloudlet.services.s3.base import S3Base
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.checksums import Checksum
from cloudlet.services.s3.errors import invalid_argument
from cloudlet.services.s3.listing import Page, Row
from cloudlet.store import Reader

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        ListObjectsOutputTypeDef,
        ListObjectsRequestTypeDef,
        ListObjectsV2OutputTypeDef,
        ListObjectsV2RequestTypeDef,
        ListObjectVersionsOutputTypeDef,
        ListObjectVersionsRequestTypeDef,
    )

Encode = Callable[[str], str]


class ListingOperations(S3Base):
    @operation("ListObjects")
    async def list_objects(self, call: Call, params: "ListObjectsRequestTypeDef") -> "ListObjectsOutputTypeDef":
        marker = params.get("Marker", "")
        page, output, encode = await self._list(params, marker)
        output |= {"Marker": encode(marker), "Prefix": params.get("Prefix", "")}  # not encoded in this version
        if page.last is not None and params.get("Delimiter"):
            output["NextMarker"] = encode(page.last)
        output["Contents"] = [_entry(row, encode, with_owner=True) for row in page.rows]
        return output  # type: ignore[return-value]

    @operation("ListObjectsV2")
    async def list_objects_v2(self, call: Call, params: "ListObjectsV2RequestTypeDef") -> "ListObjectsV2OutputTypeDef":
        token, start_after = params.get("ContinuationToken"), params.get("StartAfter", "")
        page, output, encode = await self._list(params, listing.unseal(token) if token else start_after)
        output["KeyCount"] = len(page.rows) + len(page.prefixes)
        if token is not None:
            output["ContinuationToken"] = token
        if start_after:
            output["StartAfter"] = encode(start_after)
        if page.last is not None:
            output["NextContinuationToken"] = listing.seal(page.last)
        with_owner = bool(params.get("FetchOwner"))
        output["Contents"] = [_entry(row, encode, with_owner=with_owner) for row in page.rows]
        return output  # type: ignore[return-value]

    @operation("ListObjectVersions")
    async def list_object_versions(
        self, call: Call, params: "ListObjectVersionsRequestTypeDef"
    ) -> "ListObjectVersionsOutputTypeDef":
        bucket = self.bucket_of(params)
        limit = listing.page_size(params.get("MaxKeys"), "max-keys")
        key, version = params.get("KeyMarker", ""), params.get("VersionIdMarker", "")
        if version and not key:
            raise invalid_argument(
                "A version-id marker cannot be specified without a key marker.", "version-id-marker", version
            )
        prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")

        def read(reader: Reader) -> Page:
            after_id = listing.version_position(reader, bucket, key, version) if version else 0
            scan = listing.version_scan(reader, bucket, limit + 2, key if version else "", after_id)
            if limit == 0:
                return Page()
            return listing.page_of(scan, prefix, delimiter, key, limit, from_row=bool(version))

        page = await self.store.query(read)
        output, encode = _frame(bucket, params, limit, page)
        output |= {"KeyMarker": encode(key), "VersionIdMarker": version}
        if page.last is not None:
            output["NextKeyMarker"] = encode(page.last)
            output["NextVersionIdMarker"] = page.last_row[2] if page.last_row is not None else ""
        newest = _newest(page, key if version else "")
        output["Versions"] = [_version(row, encode, row[1] in newest) for row in page.rows if not row[4]]
        output["DeleteMarkers"] = [_marker(row, encode, row[1] in newest) for row in page.rows if row[4]]
        return output  # type: ignore[return-value]

    async def _list(self, params: Mapping[str, Any], after: str) -> tuple[Page, dict[str, Any], Encode]:
        bucket = self.bucket_of(params)
        limit = listing.page_size(params.get("MaxKeys"), "max-keys")
        prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")

        def read(reader: Reader) -> Page:
            if limit == 0:
                return Page()
            return listing.page_of(listing.live_scan(reader, bucket, limit + 1), prefix, delimiter, after, limit)

        for text in (prefix, delimiter, after):
            _check_text(text)
        page = await self.store.query(read)
        return page, *_frame(bucket, params, limit, page)


def _frame(bucket: Bucket, params: Mapping[str, Any], limit: int, page: Page) -> tuple[dict[str, Any], Encode]:
    """What all listings of keys have in common."""
    encode = listing.encoder(params.get("EncodingType"))
    output: dict[str, Any] = {
        "Name": bucket.name,
        "Prefix": encode(params.get("Prefix", "")),
        "MaxKeys": limit,
        "IsTruncated": page.last is not None,
        "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in page.prefixes],
    }
    if params.get("Delimiter"):
        output["Delimiter"] = encode(params["Delimiter"])
    if params.get("EncodingType"):
        output["EncodingType"] = params["EncodingType"]
    return output, encode


def _entry(row: Row, encode: Encode, *, with_owner: bool) -> dict[str, Any]:
    key, modified, size, etag, owner, headers, checksum = row
    entry: dict[str, Any] = {
        "Key": encode(key),
        "LastModified": modified,
        "ETag": f'"{etag}"',
        "Size": size,
        "StorageClass": _storage_class(headers),
        **_checksum_members(checksum),
    }
    if with_owner:
        entry["Owner"] = acl.owner(owner)
    return entry


def _version(row: Row, encode: Encode, is_latest: bool) -> dict[str, Any]:
    key, _, version, _, _, modified, size, etag, owner, headers, checksum = row
    return {
        "Key": encode(key),
        "VersionId": version,
        "IsLatest": is_latest,
        "LastModified": modified,
        "ETag": f'"{etag}"',
        "Size": size,
        "StorageClass": _storage_class(headers),
        "Owner": acl.owner(owner),
        **_checksum_members(checksum),
    }


def _marker(row: Row, encode: Encode, is_latest: bool) -> dict[str, Any]:
    return {
        "Key": encode(row[0]),
        "VersionId": row[2],
        "IsLatest": is_latest,
        "LastModified": row[5],
        "Owner": acl.owner(row[8]),
    }


def _newest(page: Page, continued: str) -> set[int]:
    """The ids of the latest versions: the first row of each key, but of the key that an earlier page began."""
    newest: set[int] = set()
    previous = continued
    for row in page.rows:
        if row[0] != previous:
            newest.add(row[1])
            previous = row[0]
    return newest


def _storage_class(headers: bytes | None) -> str:
    if headers is None or b"StorageClass" not in headers:
        return "STANDARD"
    return orjson.loads(headers).get("StorageClass", "STANDARD")


def _checksum_members(checksum: bytes | None) -> dict[str, Any]:
    if checksum is None:
        return {}
    found = Checksum(*orjson.loads(checksum))
    return {"ChecksumAlgorithm": [found.algorithm], "ChecksumType": found.type}


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AwsError("InvalidURI", "Couldn't parse the specified URI.") from None
