"""Multipart uploads: joined, refused, given up, listed."""

import hashlib
import os
from typing import Any

import pytest

MB = 1024 * 1024


def start(s3: Any, bucket: str, key: str = "big", **params: Any) -> str:
    return s3.create_multipart_upload(Bucket=bucket, Key=key, **params)["UploadId"]


def upload(s3: Any, bucket: str, upload_id: str, bodies: list[bytes], **params: Any) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for number, body in enumerate(bodies, 1):
        answer = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload_id, PartNumber=number, Body=body, **params)
        checksums = {name: answer[name] for name in answer if name.startswith("Checksum")}
        parts.append({"PartNumber": number, "ETag": answer["ETag"], **checksums})
    return parts


def complete(s3: Any, bucket: str, upload_id: str, parts: list[dict[str, Any]]) -> Any:
    return s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=upload_id, MultipartUpload={"Parts": parts})


def test_parts_become_one_object(s3: Any, bucket: str) -> None:
    bodies = [os.urandom(5 * MB), os.urandom(5 * MB), b"end"]
    upload_id = start(s3, bucket, Metadata={"a": "b"})
    done = complete(s3, bucket, upload_id, upload(s3, bucket, upload_id, bodies))
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    whole = b"".join(bodies)
    got = s3.get_object(Bucket=bucket, Key="big")
    assert got["Body"].read() == whole
    assert got["Metadata"] == {"a": "b"}
    crossing = s3.get_object(Bucket=bucket, Key="big", Range=f"bytes={5 * MB - 2}-{5 * MB + 1}")
    assert crossing["Body"].read() == whole[5 * MB - 2 : 5 * MB + 2]
    part = s3.get_object(Bucket=bucket, Key="big", PartNumber=3)
    assert (part["Body"].read(), part["PartsCount"]) == (b"end", 3)


@pytest.mark.parametrize(("algorithm", "type_"), [("CRC32", "FULL_OBJECT"), ("SHA256", "COMPOSITE")])
def test_checksums_of_the_whole(s3: Any, bucket: str, algorithm: str, type_: str) -> None:
    bodies = [os.urandom(5 * MB), b"end"]
    upload_id = start(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType=type_)
    complete(s3, bucket, upload_id, upload(s3, bucket, upload_id, bodies, ChecksumAlgorithm=algorithm))
    head = s3.head_object(Bucket=bucket, Key="big", ChecksumMode="ENABLED")
    assert head["ChecksumType"] == type_
    if type_ == "FULL_OBJECT":
        plain = s3.put_object(Bucket=bucket, Key="plain", Body=b"".join(bodies), ChecksumAlgorithm=algorithm)
        assert head[f"Checksum{algorithm}"] == plain[f"Checksum{algorithm}"]
    else:
        assert head[f"Checksum{algorithm}"].endswith("-2")


def test_what_does_not_fit_is_refused(s3: Any, bucket: str, error_of: Any) -> None:
    upload_id = start(s3, bucket)
    parts = upload(s3, bucket, upload_id, [b"small", b"end"])
    target = {"Bucket": bucket, "Key": "big", "UploadId": upload_id}

    def refusal(wanted: list[dict[str, Any]]) -> str:
        return error_of(s3.complete_multipart_upload, **target, MultipartUpload={"Parts": wanted})[0]

    assert refusal(parts) == "EntityTooSmall"
    assert refusal(parts[::-1]) == "InvalidPartOrder"
    assert refusal([{"PartNumber": 7, "ETag": parts[0]["ETag"]}]) == "InvalidPart"
    assert error_of(s3.upload_part, **target, PartNumber=10_001, Body=b"")[0] == "InvalidArgument"
    assert error_of(s3.head_object, Bucket=bucket, Key="big")[1] == 404


def test_completing_twice_is_completing_once(s3: Any, bucket: str) -> None:
    upload_id = start(s3, bucket)
    parts = upload(s3, bucket, upload_id, [b"only"])
    first, second = complete(s3, bucket, upload_id, parts), complete(s3, bucket, upload_id, parts)
    assert first["ETag"] == second["ETag"]


def test_an_aborted_upload_is_gone(s3: Any, bucket: str, error_of: Any) -> None:
    upload_id = start(s3, bucket)
    upload(s3, bucket, upload_id, [b"x"])
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload_id]
    s3.abort_multipart_upload(Bucket=bucket, Key="big", UploadId=upload_id)
    assert error_of(s3.list_parts, Bucket=bucket, Key="big", UploadId=upload_id) == ("NoSuchUpload", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_pages_of_parts(s3: Any, bucket: str) -> None:
    upload_id = start(s3, bucket)
    upload(s3, bucket, upload_id, [b"1", b"22", b"333"])
    first = s3.list_parts(Bucket=bucket, Key="big", UploadId=upload_id, MaxParts=2)
    rest = s3.list_parts(Bucket=bucket, Key="big", UploadId=upload_id, PartNumberMarker=first["NextPartNumberMarker"])
    assert first["IsTruncated"]
    assert [part["Size"] for part in first["Parts"] + rest["Parts"]] == [1, 2, 3]


def test_a_part_copied_from_an_object(s3: Any, bucket: str) -> None:
    body = os.urandom(6 * MB)
    s3.put_object(Bucket=bucket, Key="source", Body=body)
    upload_id = start(s3, bucket)
    copied = s3.upload_part_copy(
        Bucket=bucket,
        Key="big",
        UploadId=upload_id,
        PartNumber=1,
        CopySource={"Bucket": bucket, "Key": "source"},
        CopySourceRange=f"bytes=1-{5 * MB}",
    )["CopyPartResult"]
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="big",
        UploadId=upload_id,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": copied["ETag"]}]},
    )
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == body[1 : 5 * MB + 1]
