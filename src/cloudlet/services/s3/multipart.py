"""Multipart upload: begun, filled, completed, given up, listed."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.s3 import acl, checksums, conditions, encryption, listing
from cloudlet.services.s3.bodies import Received
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.checksums import Expected, expected_checksum
from cloudlet.services.s3.errors import invalid_argument, no_such_upload, s3_error
from cloudlet.services.s3.headers import check_options
from cloudlet.services.s3.object_operations import EMPTY_BODY, ObjectOperations
from cloudlet.services.s3.objects import NewObject, Written, check_key, place_of, put_object
from cloudlet.services.s3.uploads import (
    MOST_PARTS,
    Part,
    Upload,
    chosen_parts,
    find_upload,
    insert_upload,
    joined_checksum,
    joined_etag,
    keep_only,
    parts_of,
)
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        AbortMultipartUploadRequestTypeDef,
        CompleteMultipartUploadOutputTypeDef,
        CompleteMultipartUploadRequestTypeDef,
        CreateMultipartUploadOutputTypeDef,
        CreateMultipartUploadRequestTypeDef,
        ListMultipartUploadsOutputTypeDef,
        ListMultipartUploadsRequestTypeDef,
        ListPartsOutputTypeDef,
        ListPartsRequestTypeDef,
        UploadPartOutputTypeDef,
        UploadPartRequestTypeDef,
    )


@dataclass(frozen=True, slots=True)
class Completed:
    """An object made of parts, by this request or by the same one before."""

    etag: str
    headers: bytes | None
    checksum: checksums.Checksum | None
    version: str | None


class MultipartOperations(ObjectOperations):
    @operation("CreateMultipartUpload")
    async def create_multipart_upload(
        self, call: Call, params: "CreateMultipartUploadRequestTypeDef"
    ) -> "CreateMultipartUploadOutputTypeDef":
        bucket = self.bucket_of(params)
        check_key(params["Key"])
        check_options(params)
        new = self.new_object(call, bucket, params)
        declared = "ChecksumAlgorithm" in params
        algorithm = params.get("ChecksumAlgorithm", checksums.DEFAULT_ALGORITHM)
        if "ChecksumType" in params and not declared:
            raise s3_error(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )
        type_ = params.get("ChecksumType") or checksums.default_type(algorithm)
        checksums.check_type(algorithm, type_)
        upload_id = secrets.token_urlsafe(72)
        now = self.cloud.clock.now()
        values = (
            upload_id,
            bucket.id,
            new.key,
            now,
            new.owner,
            new.headers,
            new.tags,
            new.acl,
            algorithm,
            type_,
            declared,
        )
        await self.store.write(lambda tx: insert_upload(tx, bucket, values))
        output: dict[str, Any] = {
            "Bucket": bucket.name,
            "Key": new.key,
            "UploadId": upload_id,
            **encryption.reported(new.headers),
        }
        if declared:
            output |= {"ChecksumAlgorithm": algorithm, "ChecksumType": type_}
        return output  # type: ignore[return-value]

    @operation("UploadPart")
    async def upload_part(self, call: Call, params: "UploadPartRequestTypeDef") -> "UploadPartOutputTypeDef":
        bucket = self.bucket_of(params)
        check_options(params)
        upload = self.upload_of(bucket, params)
        received = await self._receive_part(call, upload, params)
        await self.put_part(upload, params["PartNumber"], received)
        output: dict[str, Any] = {"ETag": f'"{received.md5}"', **encryption.reported(upload.headers)}
        output |= {name: text for name, text in received.checksum.members().items() if name != "ChecksumType"}
        return output  # type: ignore[return-value]

    async def _receive_part(self, call: Call, upload: Upload, params: Mapping[str, Any]) -> Received:
        trailer = call.http.headers.get("x-amz-trailer", "") if call.http is not None else ""
        expected = expected_checksum(params, trailer)
        if not expected.declared:
            expected = Expected(upload.algorithm, None, declared=False)
        elif expected.algorithm != upload.algorithm and upload.declared:
            raise s3_error(
                "InvalidRequest",
                f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, "
                f"actual checksum Type: {expected.algorithm.lower()}",
            )
        body = params.get("Body", EMPTY_BODY)
        return await self.bodies.receive(
            body, expected, md5=params.get("ContentMD5"), keep=upload.algorithm, in_file=True
        )

    def upload_of(self, bucket: Bucket, params: Mapping[str, Any]) -> Upload:
        """The upload that a part is for. Raises NoSuchUpload, InvalidArgument."""
        number = params["PartNumber"]
        if not 1 <= number <= MOST_PARTS:
            raise invalid_argument(
                f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive", "partNumber", number
            )
        return find_upload(self.store.reader, bucket, params["Key"], params["UploadId"])

    async def put_part(self, upload: Upload, number: int, received: Received) -> float:
        """Puts a part in place of an earlier one with its number; returns when."""
        now = self.cloud.clock.now()
        checksum = orjson.dumps(received.checksum.as_list())

        def write(tx: Transaction) -> None:
            if tx.one("SELECT 1 FROM uploads WHERE id = ?", (upload.id,)) is None:
                raise no_such_upload(upload.upload_id)
            old = tx.one("SELECT blob FROM parts WHERE upload = ? AND number = ?", (upload.id, number))
            tx.execute(
                "INSERT OR REPLACE INTO parts (upload, number, size, etag, modified, checksum, blob)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (upload.id, number, received.size, received.md5, now, checksum, received.blob),
            )
            if old is not None:
                tx.after_commit(lambda: self.bodies.delete(old))

        try:
            await self.store.write(write)
        except Exception:
            if received.blob is not None:
                self.bodies.delete([received.blob])
            raise
        return now

    @operation("CompleteMultipartUpload")
    async def complete_multipart_upload(
        self, call: Call, params: "CompleteMultipartUploadRequestTypeDef"
    ) -> "CompleteMultipartUploadOutputTypeDef":
        bucket = self.bucket_of(params)
        if not (params.get("MultipartUpload") or {}).get("Parts"):
            raise s3_error("MalformedXML")
        now = self.cloud.clock.now()
        done = await self.store.write(lambda tx: self._complete(tx, call, bucket, params, now))
        host = call.http.host if call.http is not None else "s3.amazonaws.com"
        output: dict[str, Any] = {
            "Location": f"http://{host}/{bucket.name}/{params['Key']}",
            "Bucket": bucket.name,
            "Key": params["Key"],
            "ETag": f'"{done.etag}"',
            **encryption.reported(done.headers),
        }
        if done.checksum is not None:
            output |= done.checksum.members()
        if done.version is not None:
            output["VersionId"] = done.version
        return output  # type: ignore[return-value]

    def _complete(
        self, tx: Transaction, call: Call, bucket: Bucket, params: Mapping[str, Any], now: float
    ) -> Completed:
        key, upload_id = params["Key"], params["UploadId"]
        before = _completed_before(tx, bucket, key, upload_id)
        if before is not None:
            return before
        upload = find_upload(tx, bucket, key, upload_id)
        parts = parts_of(tx, upload.id)
        chosen = chosen_parts({part.number: part for part in parts}, params["MultipartUpload"]["Parts"], upload)
        checksum = joined_checksum(upload, chosen)
        size = sum(part.size for part in chosen)
        _check_whole(params, upload, checksum, size)
        place = place_of(tx, bucket, key)
        conditions.check_write(params.get("IfMatch"), params.get("IfNoneMatch"), key, place.current)
        freed = keep_only(tx, upload, chosen, parts)
        new = NewObject(
            key=key,
            modified=now,
            size=size,
            etag=joined_etag(chosen),
            owner=upload.owner,
            headers=upload.headers,
            checksum=orjson.dumps(checksum.as_list()),
            tags=upload.tags,
            acl=upload.acl,
            upload=upload.id,
        )
        written = put_object(tx, bucket, new, place)
        tx.execute("DELETE FROM uploads WHERE id = ?", (upload.id,))
        tx.execute("INSERT INTO completed_uploads (upload_id, object) VALUES (?, ?)", (upload_id, written.id))
        self._completed(tx, call, bucket, new, written, freed)
        return Completed(new.etag, new.headers, checksum, written.version)

    def _completed(
        self, tx: Transaction, call: Call, bucket: Bucket, new: NewObject, written: Written, freed: list[str]
    ) -> None:
        """What follows from the new object: its event, and the end of files that nothing names any more."""
        if "notification" in bucket.settings:
            self.notifier.object_created(tx, call, bucket, "ObjectCreated:CompleteMultipartUpload", new, written)
        tx.after_commit(lambda: self.bodies.delete([*freed, *written.freed]))

    @operation("AbortMultipartUpload")
    async def abort_multipart_upload(self, call: Call, params: "AbortMultipartUploadRequestTypeDef") -> None:
        bucket = self.bucket_of(params)
        await self.store.write(lambda tx: self.abort(tx, find_upload(tx, bucket, params["Key"], params["UploadId"]).id))

    def abort(self, tx: Transaction, upload: int) -> None:
        freed = [part.blob for part in parts_of(tx, upload)]
        tx.execute("DELETE FROM parts WHERE upload = ?", (upload,))
        tx.execute("DELETE FROM uploads WHERE id = ?", (upload,))
        tx.after_commit(lambda: self.bodies.delete(freed))

    @operation("ListParts")
    async def list_parts(self, call: Call, params: "ListPartsRequestTypeDef") -> "ListPartsOutputTypeDef":
        bucket = self.bucket_of(params)
        limit = listing.page_size(params.get("MaxParts"), "max-parts")
        marker = int(params.get("PartNumberMarker", 0))
        upload = find_upload(self.store.reader, bucket, params["Key"], params["UploadId"])
        found = parts_of(self.store.reader, upload.id, marker, limit + 1)
        page = found[:limit]
        user = acl.owner(upload.owner)
        output: dict[str, Any] = {
            "Bucket": bucket.name,
            "Key": upload.key,
            "UploadId": upload.upload_id,
            "PartNumberMarker": marker,
            "NextPartNumberMarker": page[-1].number if page else 0,
            "MaxParts": limit,
            "IsTruncated": len(found) > limit,
            "Parts": [_listed_part(part, upload) for part in page],
            "Initiator": user,
            "Owner": user,
            "StorageClass": _storage_class(upload.headers),
        }
        if upload.declared:
            output |= {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.type}
        return output  # type: ignore[return-value]

    @operation("ListMultipartUploads")
    async def list_multipart_uploads(
        self, call: Call, params: "ListMultipartUploadsRequestTypeDef"
    ) -> "ListMultipartUploadsOutputTypeDef":
        bucket = self.bucket_of(params)
        limit = listing.page_size(params.get("MaxUploads"), "max-uploads")
        encode = listing.encoder(params.get("EncodingType"))
        key = params.get("KeyMarker", "")
        upload_id = params.get("UploadIdMarker", "") if key else ""
        prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")

        def read(reader: Reader) -> listing.Page:
            row = reader.one("SELECT id FROM uploads WHERE upload_id = ?", (upload_id,)) if upload_id else None
            scan = listing.upload_scan(reader, bucket, limit, key if row is not None else "", row[0] if row else 0)
            return listing.page_of(scan, prefix, delimiter, key, limit, from_row=row is not None)

        page = await self.store.query(read)
        output: dict[str, Any] = {
            "Bucket": bucket.name,
            "KeyMarker": encode(key),
            "UploadIdMarker": upload_id,
            "Prefix": encode(prefix),
            "MaxUploads": limit,
            "IsTruncated": page.last is not None,
            "Uploads": [_listed_upload(row, encode) for row in page.rows],
            "CommonPrefixes": [{"Prefix": encode(common)} for common in page.prefixes],
        }
        if page.last is not None or page.rows:
            output["NextKeyMarker"] = encode(page.last or page.rows[-1][0])
            output["NextUploadIdMarker"] = page.last_row[2] if page.last_row is not None else ""
        if delimiter:
            output["Delimiter"] = encode(delimiter)
        if params.get("EncodingType"):
            output["EncodingType"] = params.get("EncodingType")
        return output  # type: ignore[return-value]


def _completed_before(tx: Transaction, bucket: Bucket, key: str, upload_id: str) -> Completed | None:
    """Completing twice is the same as once, as long as the object is there."""
    row = tx.one(
        "SELECT o.etag, o.headers, o.checksum, o.version FROM completed_uploads c JOIN objects o ON o.id = c.object"
        " WHERE c.upload_id = ? AND o.bucket = ? AND o.key = ?",
        (upload_id, bucket.id, key),
    )
    if row is None:
        return None
    etag, headers, stored, version = row
    checksum = checksums.Checksum(*orjson.loads(stored)) if stored else None
    return Completed(etag, headers, checksum, version if bucket.versioning else None)


def _check_whole(params: Mapping[str, Any], upload: Upload, checksum: checksums.Checksum, size: int) -> None:
    """What the client says about the object as a whole must be so."""
    if params.get("MpuObjectSize", size) != size:
        raise s3_error(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {params['MpuObjectSize']} does not match what was "
            f"computed: {size}",
        )
    if upload.declared and params.get("ChecksumType", upload.type) != upload.type:
        raise s3_error(
            "InvalidRequest",
            f"The upload was created using the {upload.type} checksum mode. The complete request must use the same "
            "checksum mode.",
        )
    given = params.get(checksums.MEMBERS[upload.algorithm])
    if given is not None and given.partition("-")[0] != checksum.value.partition("-")[0]:
        raise checksums.mismatch(upload.algorithm)


def _listed_part(part: Part, upload: Upload) -> dict[str, Any]:
    entry = {"PartNumber": part.number, "LastModified": part.modified, "ETag": f'"{part.etag}"', "Size": part.size}
    return {**entry, **part.members()} if upload.declared else entry


def _listed_upload(row: listing.Row, encode: Any) -> dict[str, Any]:
    key, _, upload_id, initiated, owner, headers, algorithm, type_, declared = row
    user = acl.owner(owner)
    entry: dict[str, Any] = {
        "Key": encode(key),
        "UploadId": upload_id,
        "Initiated": initiated,
        "Initiator": user,
        "Owner": user,
        "StorageClass": _storage_class(headers),
    }
    return {**entry, "ChecksumAlgorithm": algorithm, "ChecksumType": type_} if declared else entry


def _storage_class(headers: bytes | None) -> str:
    return orjson.loads(headers).get("StorageClass", "STANDARD") if headers else "STANDARD"
