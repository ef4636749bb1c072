"""CopyObject and UploadPartCopy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.s3 import conditions, encryption
from cloudlet.services.s3.bodies import LARGEST
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.checksums import Expected
from cloudlet.services.s3.errors import invalid_argument, no_such_key, no_such_version, s3_error
from cloudlet.services.s3.headers import check_options
from cloudlet.services.s3.multipart import MultipartOperations
from cloudlet.services.s3.objects import (
    NewObject,
    ObjectVersion,
    check_key,
    live_object_with_content,
    object_version,
)
from cloudlet.services.s3.ranges import parse_copy_range

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        CopyObjectOutputTypeDef,
        CopyObjectRequestTypeDef,
        UploadPartCopyOutputTypeDef,
        UploadPartCopyRequestTypeDef,
    )

# What a copy takes from its request even if it takes the rest of the headers from its source.
_OWN_HEADERS = ("StorageClass", "WebsiteRedirectLocation", *encryption.MEMBERS)


@dataclass(frozen=True, slots=True)
class Source:
    bucket: Bucket
    version: ObjectVersion


class CopyOperations(MultipartOperations):
    @operation("CopyObject")
    async def copy_object(self, call: Call, params: "CopyObjectRequestTypeDef") -> "CopyObjectOutputTypeDef":
        bucket = self.bucket_of(params)
        key = params["Key"]
        check_key(key)
        check_options(params)
        source = self._source(call, params)
        _check_changes_something(params, source, bucket)
        new = self._copied(call, bucket, params, source)
        old = source.version.stored_checksum()
        algorithm = params.get("ChecksumAlgorithm") or (old.algorithm if old is not None else "CRC64NVME")
        expected = Expected(algorithm, None)
        received = await self.bodies.copy(self.stored_body(source.version), 0, source.version.size, expected)
        new.size, new.etag = received.size, received.md5
        new.content, new.blob = received.content, received.blob
        new.checksum = orjson.dumps(received.checksum.as_list())
        written = await self.write_object(call, bucket, new, "ObjectCreated:Copy", params)
        output: dict[str, Any] = {
            "CopyObjectResult": {
                "ETag": f'"{new.etag}"',
                "LastModified": new.modified,
                **received.checksum.members(),
            },
            **encryption.reported(new.headers),
        }
        if source.bucket.versioning:
            output["CopySourceVersionId"] = source.version.version
        if written.version is not None:
            output["VersionId"] = written.version
        return output  # type: ignore[return-value]

    @operation("UploadPartCopy")
    async def upload_part_copy(
        self, call: Call, params: "UploadPartCopyRequestTypeDef"
    ) -> "UploadPartCopyOutputTypeDef":
        bucket = self.bucket_of(params)
        check_options(params)
        upload = self.upload_of(bucket, params)
        source = self._source(call, params)
        start, length = 0, source.version.size
        if "CopySourceRange" in params:
            part = parse_copy_range(params["CopySourceRange"], source.version.size)
            start, length = part.start, part.length
        expected = Expected(upload.algorithm, None)
        stored = self.stored_body(source.version)
        received = await self.bodies.copy(stored, start, length, expected, in_file=True)
        modified = await self.put_part(upload, params["PartNumber"], received)
        result: dict[str, Any] = {"ETag": f'"{received.md5}"', "LastModified": modified}
        if upload.declared:
            result |= {name: text for name, text in received.checksum.members().items() if name != "ChecksumType"}
        output: dict[str, Any] = {"CopyPartResult": result, **encryption.reported(upload.headers)}
        if source.bucket.versioning:
            output["CopySourceVersionId"] = source.version.version
        return output  # type: ignore[return-value]

    def _source(self, call: Call, params: Mapping[str, Any]) -> Source:
        """What is to be copied, which the caller must be allowed to read."""
        name, key, version = parse_copy_source(params["CopySource"])
        target: dict[str, Any] = {"Bucket": name, "Key": key}
        if version is not None:
            target["VersionId"] = version
        bucket = self.buckets.get(name)
        expected = params.get("ExpectedSourceBucketOwner")
        if expected is not None and expected != bucket.account:
            raise s3_error("AccessDenied")
        self.demand(call, "GetObject", target)
        reader = self.store.reader
        if version is None:
            found = live_object_with_content(reader, bucket, key)
            if found is None:
                raise no_such_key(key)
        else:
            found = object_version(reader, bucket, key, version)
            if found is None:
                raise no_such_version(key, version)
            if found.delete_marker:
                raise s3_error(
                    "InvalidRequest",
                    "The source of a copy request may not specifically refer to a delete marker by version id.",
                )
        conditions.check_copy_source(params, found)
        if found.size > LARGEST and "CopySourceRange" not in params:
            raise s3_error(
                "InvalidRequest",
                f"The specified copy source is larger than the maximum allowable size for a copy source: {LARGEST}",
            )
        return Source(bucket, found)

    def _copied(self, call: Call, bucket: Bucket, params: Mapping[str, Any], source: Source) -> NewObject:
        """The new object's headers and tags: the source's, or the request's where it says REPLACE."""
        new = self.new_object(call, bucket, params)
        old = source.version
        if params.get("MetadataDirective", "COPY") == "COPY":
            headers = {name: value for name, value in old.stored_headers().items() if name not in _OWN_HEADERS}
            own = orjson.loads(new.headers or b"{}")
            headers |= {name: own[name] for name in _OWN_HEADERS if name in own}
            new.headers = orjson.dumps(headers)
        if params.get("TaggingDirective", "COPY") == "COPY":
            new.tags = old.tags
            if old.tags is not None:
                self.demand(call, "GetObjectTagging", {"Bucket": source.bucket.name, "Key": old.key})
        return new


def parse_copy_source(text: str) -> tuple[str, str, str | None]:
    """`bucket/key?versionId=id`, percent-encoded: (bucket, key, version)."""
    if text.startswith("arn:"):
        raise NotImplementedByCloudlet("copying from access points")
    path, found, version = text.partition("?versionId=")
    name, slash, key = unquote(path).removeprefix("/").partition("/")
    if not name or not slash or not key:
        raise invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", "x-amz-copy-source", text
        )
    return name, key, unquote(version) if found else None


def _check_changes_something(params: Mapping[str, Any], source: Source, bucket: Bucket) -> None:
    if source.bucket.id != bucket.id or source.version.key != params["Key"] or not source.version.live:
        return
    changes = ("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption", "ChecksumAlgorithm")
    if params.get("MetadataDirective", "COPY") == "COPY" and not any(name in params for name in changes):
        raise s3_error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
