"""PutObject, GetObject, HeadObject and what changes or removes single objects."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.accounts import canonical_owner_id
from cloudlet.core.context import Call
from cloudlet.core.errors import AccessDenied
from cloudlet.core.http import Body
from cloudlet.core.service import operation
from cloudlet.services.s3 import acl, conditions, encryption, lifecycle
from cloudlet.services.s3.base import S3Base
from cloudlet.services.s3.bodies import Received
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.checksums import expected_checksum
from cloudlet.services.s3.errors import no_such_key, no_such_version, s3_error
from cloudlet.services.s3.headers import check_options, headers_to_keep, overrides
from cloudlet.services.s3.objects import (
    NewObject,
    ObjectVersion,
    Written,
    check_key,
    last_other_version,
    live_object_with_content,
    object_version,
    place_of,
    put_object,
)
from cloudlet.services.s3.ranges import ByteRange, parse_range
from cloudlet.services.s3.tagging import parse_tagging_header
from cloudlet.services.s3.uploads import parts_of
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        GetObjectOutputTypeDef,
        GetObjectRequestTypeDef,
        HeadObjectOutputTypeDef,
        HeadObjectRequestTypeDef,
        PutObjectOutputTypeDef,
        PutObjectRequestTypeDef,
    )

EMPTY_BODY = Body.of(b"")


class ObjectOperations(S3Base):
    @operation("PutObject")
    async def put_object(self, call: Call, params: "PutObjectRequestTypeDef") -> "PutObjectOutputTypeDef":
        bucket = self.bucket_of(params)
        check_key(params["Key"])
        check_options(params)
        new = self.new_object(call, bucket, params)
        received = await self.receive(call, params)
        new.size, new.etag = received.size, received.md5
        new.content, new.blob = received.content, received.blob
        new.checksum = orjson.dumps(received.checksum.as_list())
        written = await self.write_object(call, bucket, new, "ObjectCreated:Put", params)
        output: dict[str, Any] = {
            "ETag": f'"{new.etag}"',
            **encryption.reported(new.headers),
            **received.checksum.members(),
            **lifecycle.expiration_member(bucket, new.key, new.size, new.tags, new.modified),
        }
        if written.version is not None:
            output["VersionId"] = written.version
        return output  # type: ignore[return-value]

    @operation("GetObject")
    async def get_object(self, call: Call, params: "GetObjectRequestTypeDef") -> "GetObjectOutputTypeDef":
        bucket = self.bucket_of(params)
        found = self.existing(call, bucket, params)
        conditions.check_read(params, found)
        output = self.read_output(bucket, found, params)
        part = self._requested_range(found, params, output)
        start, length = (part.start, part.length) if part is not None else (0, found.size)
        stored = self.stored_body(found)
        if stored.content is not None:
            output["Body"] = stored.content[start : start + length] if part is not None else stored.content
        else:
            output["Body"] = self.bodies.stream(stored.segments(start, length))
        return output  # type: ignore[return-value]

    @operation("HeadObject")
    async def head_object(self, call: Call, params: "HeadObjectRequestTypeDef") -> "HeadObjectOutputTypeDef":
        bucket = self.bucket_of(params)
        found = self.existing(call, bucket, params)
        conditions.check_read(params, found)
        output = self.read_output(bucket, found, params)
        self._requested_range(found, params, output)
        return output  # type: ignore[return-value]

    def new_object(self, call: Call, bucket: Bucket, params: Mapping[str, Any]) -> NewObject:
        """What the request says about the object beside its body: also of CopyObject and CreateMultipartUpload."""
        tags = parse_tagging_header(params.get("Tagging"))
        if tags is not None:
            self.demand(call, "PutObjectTagging", {"Bucket": bucket.name, "Key": params["Key"]})
        owner, grants = self.object_owner_and_grants(call, bucket, params)
        return NewObject(
            key=params["Key"],
            modified=0.0,
            size=0,
            etag="",
            owner=owner,
            headers=headers_to_keep(bucket, params),
            tags=tags,
            acl=orjson.dumps(grants) if grants is not None else None,
        )

    def object_owner_and_grants(
        self, call: Call, bucket: Bucket, params: Mapping[str, Any]
    ) -> tuple[str, list[acl.Grant] | None]:
        """Who will own a new object, and its ACL (None: the owner alone)."""
        writer = call.principal.account
        owner = bucket.account
        if bucket.acls_enabled and writer and call.principal.kind != "service":
            gives_away = params.get("ACL") == "bucket-owner-full-control"
            owner = bucket.account if bucket.ownership == "BucketOwnerPreferred" and gives_away else writer
        grants = acl.requested_grants(params, owner, bucket.account)
        if grants is None:
            return owner, None
        if not bucket.acls_enabled:
            check_owner_keeps_control(params, grants, bucket)
            return owner, None
        if bucket.blocks("BlockPublicAcls") and acl.is_public(grants):
            raise AccessDenied
        if owner != writer and not self.bucket_acl_allows(call, bucket):
            self.demand(call, "PutObjectAcl", {"Bucket": bucket.name, "Key": params["Key"]})
        return owner, grants

    async def receive(self, call: Call, params: Mapping[str, Any], *, in_file: bool = False) -> Received:
        trailer = call.http.headers.get("x-amz-trailer", "") if call.http is not None else ""
        body = params.get("Body", EMPTY_BODY)
        expected = expected_checksum(params, trailer)
        return await self.bodies.receive(body, expected, md5=params.get("ContentMD5"), in_file=in_file)

    async def write_object(
        self, call: Call, bucket: Bucket, new: NewObject, event: str, params: Mapping[str, Any]
    ) -> Written:
        """Puts the new version in place, with the event that follows. Its file is deleted if that fails."""
        if_match, if_none_match = params.get("IfMatch"), params.get("IfNoneMatch")
        new.modified = self.cloud.clock.now()
        # Receiving the body may have taken long: what has been configured meanwhile counts.
        bucket = self.buckets.current(bucket)

        def write(tx: Transaction) -> Written:
            place = place_of(tx, bucket, new.key)
            if if_match is not None or if_none_match is not None:
                conditions.check_write(if_match, if_none_match, new.key, place.current)
            written = put_object(tx, bucket, new, place)
            if "notification" in bucket.settings:
                self.notifier.object_created(tx, call, bucket, event, new, written)
            if written.freed:
                tx.after_commit(lambda: self.bodies.delete(written.freed))
            return written

        try:
            return await self.store.write(write)
        except Exception:
            if new.blob is not None:
                self.bodies.delete([new.blob])
            raise

    def existing(self, call: Call, bucket: Bucket, params: Mapping[str, Any]) -> ObjectVersion:
        """The version that a read is about. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed for a delete marker."""
        key, version = params["Key"], params.get("VersionId")
        if version is None:
            found = live_object_with_content(self.store.reader, bucket, key)
            if found is None:
                raise self._missing(bucket, key)
            return found
        found = object_version(self.store.reader, bucket, key, version)
        if found is None:
            raise no_such_version(key, version)
        if found.delete_marker:
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": found.version, "Allow": "DELETE"}
            headers["Last-Modified"] = found.validators()["Last-Modified"]
            raise s3_error("MethodNotAllowed", headers=headers, Method="GET", ResourceType="DeleteMarker")
        return found

    def _missing(self, bucket: Bucket, key: str) -> Exception:
        marker = last_other_version(self.store.reader, bucket, key) if bucket.versioning else None
        if marker is None:
            return no_such_key(key)
        return no_such_key(key, {"x-amz-delete-marker": "true", "x-amz-version-id": marker.version})

    def read_output(self, bucket: Bucket, found: ObjectVersion, params: Mapping[str, Any]) -> dict[str, Any]:
        """What GetObject and HeadObject say about an object as a whole."""
        output = found.stored_headers()
        output["LastModified"] = found.modified
        output["ETag"] = f'"{found.etag}"'
        output["ContentLength"] = found.size
        output["AcceptRanges"] = "bytes"
        output.setdefault("ServerSideEncryption", "AES256")
        if bucket.versioning:
            output["VersionId"] = found.version
        if found.tags is not None:
            output["TagCount"] = len(found.stored_tags())
        if "lifecycle" in bucket.settings and found.live:
            output |= lifecycle.expiration_member(bucket, found.key, found.size, found.tags, found.modified)
        if params.get("ChecksumMode") == "ENABLED" and "Range" not in params and found.checksum is not None:
            output |= self._checksum_members(found, params.get("PartNumber"))
        output |= overrides(params)
        return output

    def _checksum_members(self, found: ObjectVersion, number: int | None) -> dict[str, Any]:
        """The checksum of the object, or of the part that is asked for."""
        whole = found.stored_checksum()
        if whole is None:
            return {}
        if number is None or found.upload is None:
            return whole.members()
        parts = parts_of(self.store.reader, found.upload, 0, number)
        return {**parts[-1].members(), "ChecksumType": whole.type} if len(parts) == number else {}

    def _requested_range(
        self, found: ObjectVersion, params: Mapping[str, Any], output: dict[str, Any]
    ) -> ByteRange | None:
        """The bytes that a Range or PartNumber asks for, noted in the output."""
        if "PartNumber" in params:
            if "Range" in params:
                raise s3_error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
            part = self.part_range(found, params, output)
        elif "Range" in params:
            part = parse_range(params["Range"], found.size)
        else:
            return None
        if part is not None:
            output["ContentLength"] = part.length
            if part.length:
                output["ContentRange"] = part.content_range
        return part

    def part_range(self, found: ObjectVersion, params: Mapping[str, Any], output: dict[str, Any]) -> ByteRange:
        """The bytes of one part. An object that was not put in parts is its own first part."""
        number = params["PartNumber"]
        if found.upload is None:
            if number != 1:
                raise s3_error("InvalidPartNumber", ActualPartCount=1, PartNumberRequested=number)
            return ByteRange(0, found.size, found.size)
        count = int(found.etag.rpartition("-")[2])
        row = self.store.reader.one(
            "SELECT position, size FROM parts WHERE upload = ? ORDER BY number LIMIT 1 OFFSET ?",
            (found.upload, number - 1),
        )
        if row is None or number < 1:
            raise s3_error("InvalidPartNumber", ActualPartCount=count, PartNumberRequested=number)
        output["PartsCount"] = count
        return ByteRange(row[0], row[1], found.size)


def check_owner_keeps_control(params: Mapping[str, Any], grants: list[acl.Grant], bucket: Bucket) -> None:
    """Without ACLs, a request may only ask for what is so anyway. Raises AccessControlListNotSupported."""
    if params.get("ACL") == "bucket-owner-full-control":
        return
    owner = canonical_owner_id(bucket.account)
    if "ACL" in params or [(g.get("id"), g["permission"]) for g in grants] != [(owner, "FULL_CONTROL")]:
        raise s3_error("AccessControlListNotSupported")
