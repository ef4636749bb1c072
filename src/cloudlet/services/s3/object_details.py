"""What can be asked and said of an object beside its body: tags and attributes."""

from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.s3 import listing
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.object_operations import ObjectOperations
from cloudlet.services.s3.objects import ObjectVersion
from cloudlet.services.s3.occurrences import Occurrence
from cloudlet.services.s3.tagging import OBJECT_TAGS, tag_set, tags_of_set
from cloudlet.services.s3.uploads import parts_of
from cloudlet.store import Transaction

Params = dict[str, Any]
Output = dict[str, Any]


class ObjectTaggingOperations(ObjectOperations):
    @operation("GetObjectTagging")
    async def get_object_tagging(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        found = self.existing(call, bucket, params)
        return {"TagSet": tag_set(found.stored_tags()), **_version(bucket, found)}

    @operation("PutObjectTagging")
    async def put_object_tagging(self, call: Call, params: Params) -> Output:
        tags = tags_of_set(params["Tagging"]["TagSet"], OBJECT_TAGS)
        return await self._set_tags(call, params, tags, "ObjectTagging:Put")

    @operation("DeleteObjectTagging")
    async def delete_object_tagging(self, call: Call, params: Params) -> Output:
        return await self._set_tags(call, params, None, "ObjectTagging:Delete")

    async def _set_tags(self, call: Call, params: Params, tags: bytes | None, event: str) -> Output:
        bucket = self.bucket_of(params)
        found = self.existing(call, bucket, params)
        now = self.cloud.clock.now()
        version = found.version if bucket.versioning else None

        def write(tx: Transaction) -> None:
            tx.execute("UPDATE objects SET tags = ? WHERE id = ?", (tags, found.id))
            what = Occurrence(event, found.key, found.id, now, None, found.etag, version)
            self.notifier.put(tx, call, bucket, what)

        await self.store.write(write)
        return _version(bucket, found)


class ObjectAttributesOperations(ObjectOperations):
    @operation("GetObjectAttributes")
    async def get_object_attributes(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        found = self.existing(call, bucket, params)
        wanted = params["ObjectAttributes"]
        output: Output = {"LastModified": found.modified, **_version(bucket, found)}
        if "ETag" in wanted:
            output["ETag"] = found.etag
        if "ObjectSize" in wanted:
            output["ObjectSize"] = found.size
        if "StorageClass" in wanted:
            output["StorageClass"] = found.stored_headers().get("StorageClass", "STANDARD")
        checksum = found.stored_checksum()
        if "Checksum" in wanted and checksum is not None:
            output["Checksum"] = checksum.members()
        if "ObjectParts" in wanted and found.upload is not None:
            output["ObjectParts"] = self._parts(found, found.upload, params)
        return output

    def _parts(self, found: ObjectVersion, upload: int, params: Params) -> Output:
        limit = listing.page_size(params.get("MaxParts"), "max-parts")
        marker = int(params.get("PartNumberMarker", 0))
        parts = parts_of(self.store.reader, upload, marker, limit + 1)
        page = parts[:limit]
        return {
            "TotalPartsCount": int(found.etag.rpartition("-")[2]),
            "PartNumberMarker": marker,
            "NextPartNumberMarker": page[-1].number if page else 0,
            "MaxParts": limit,
            "IsTruncated": len(parts) > limit,
            "Parts": [{"PartNumber": part.number, "Size": part.size, **part.members()} for part in page],
        }


def _version(bucket: Bucket, found: ObjectVersion) -> Output:
    return {"VersionId": found.version} if bucket.versioning else {}
