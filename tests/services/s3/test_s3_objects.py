"""Objects: bodies of all sizes, headers, ranges, conditions, checksums."""

import base64
import hashlib
import os
import zlib
from typing import Any

import pytest


@pytest.mark.parametrize("size", [0, 1, 4096, 32 * 1024, 32 * 1024 + 1, 200_000, 3_000_001])
def test_a_body_comes_back(s3: Any, bucket: str, size: int) -> None:
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="key", Body=body)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="key")
    assert got["Body"].read() == body
    assert got["ContentLength"] == size


def test_the_last_write_stands(s3: Any, bucket: str) -> None:
    for body in (b"one", os.urandom(100_000), b"three"):
        s3.put_object(Bucket=bucket, Key="key", Body=body)
        assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == body


def test_headers_and_metadata_are_kept(s3: Any, bucket: str) -> None:
    kept = {
        "ContentType": "text/csv",
        "CacheControl": "max-age=60",
        "ContentDisposition": "attachment",
        "ContentLanguage": "de",
        "ContentEncoding": "gzip",
        "Metadata": {"shop": "Berlin"},
    }
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", **kept)
    head = s3.head_object(Bucket=bucket, Key="key")
    assert {name: head[name] for name in kept} == kept
    assert head["ServerSideEncryption"] == "AES256"
    changed = s3.get_object(Bucket=bucket, Key="key", ResponseContentType="text/plain")
    assert changed["ContentType"] == "text/plain"


@pytest.mark.parametrize("size", [10, 100_000])
def test_ranges(s3: Any, bucket: str, error_of: Any, size: int) -> None:
    body = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="key", Body=body)
    for asked, wanted in (("bytes=2-5", body[2:6]), ("bytes=7-", body[7:]), ("bytes=-3", body[-3:])):
        got = s3.get_object(Bucket=bucket, Key="key", Range=asked)
        assert got["Body"].read() == wanted
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["ContentRange"].endswith(f"/{size}")
    assert error_of(s3.get_object, Bucket=bucket, Key="key", Range=f"bytes={size}-") == ("InvalidRange", 416)


def test_conditional_reads(s3: Any, bucket: str, error_of: Any) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="key")["LastModified"]
    s3.get_object(Bucket=bucket, Key="key", IfMatch=etag)
    assert error_of(s3.get_object, Bucket=bucket, Key="key", IfNoneMatch=etag)[1] == 304
    assert error_of(s3.get_object, Bucket=bucket, Key="key", IfModifiedSince=modified)[1] == 304
    assert error_of(s3.get_object, Bucket=bucket, Key="key", IfMatch='"other"') == ("PreconditionFailed", 412)


def test_conditional_writes(s3: Any, bucket: str, error_of: Any) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"1", IfNoneMatch="*")["ETag"]
    assert error_of(s3.put_object, Bucket=bucket, Key="key", Body=b"2", IfNoneMatch="*")[1] == 412
    s3.put_object(Bucket=bucket, Key="key", Body=b"3", IfMatch=etag)
    assert error_of(s3.put_object, Bucket=bucket, Key="key", Body=b"4", IfMatch=etag)[1] == 412
    assert error_of(s3.put_object, Bucket=bucket, Key="none", Body=b"5", IfMatch=etag) == ("NoSuchKey", 404)
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"3"


def test_checksums_are_verified_and_kept(s3: Any, bucket: str, error_of: Any) -> None:
    crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    s3.put_object(Bucket=bucket, Key="key", Body=b"hello", ChecksumCRC32=crc)
    assert s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc
    assert error_of(s3.put_object, Bucket=bucket, Key="bad", Body=b"other", ChecksumCRC32=crc) == ("BadDigest", 400)
    assert error_of(s3.head_object, Bucket=bucket, Key="bad")[1] == 404


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_every_algorithm(s3: Any, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="key", Body=b"x" * 50_000, ChecksumAlgorithm=algorithm)
    member = f"Checksum{algorithm}"
    assert s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")[member] == put[member]


def test_a_wrong_content_md5_changes_nothing(s3: Any, bucket: str, error_of: Any) -> None:
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5=wrong) == ("BadDigest", 400)
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="?") == ("InvalidDigest", 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_keys_of_any_text(s3: Any, bucket: str, error_of: Any) -> None:
    for key in ("a b+c%20&d=e?f", "ünï/çödé/漢字", "/leading//double/", "x" * 1024):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert error_of(s3.put_object, Bucket=bucket, Key="x" * 1025) == ("KeyTooLongError", 400)


def test_copies(s3: Any, bucket: str, error_of: Any) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x" * 40_000, Metadata={"m": "1"}, Tagging="t=1")
    source = {"Bucket": bucket, "Key": "a"}
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source)
    assert s3.head_object(Bucket=bucket, Key="b")["Metadata"] == {"m": "1"}
    assert s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket=bucket, Key="a", CopySource=source, MetadataDirective="REPLACE", Metadata={"m": "2"})
    assert s3.head_object(Bucket=bucket, Key="a")["Metadata"] == {"m": "2"}
    assert error_of(s3.copy_object, Bucket=bucket, Key="a", CopySource=source) == ("InvalidRequest", 400)


def test_tags(s3: Any, bucket: str, error_of: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1&b=two")
    assert s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 2
    tags = [{"Key": f"k{number}", "Value": ""} for number in range(11)]
    assert error_of(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": tags})[0] == "BadRequest"
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_what_cloudlet_does_not_have_is_refused(s3: Any, bucket: str, error_of: Any) -> None:
    refused = error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ObjectLockLegalHoldStatus="ON")
    assert refused == ("NotImplemented", 501)


def test_objects_survive_kill_9(own_server: Any) -> None:
    s3 = own_server.client("s3")
    s3.create_bucket(Bucket="durable")
    bodies = {f"k{number}": os.urandom(size) for number, size in enumerate((10, 50_000, 2_000_000))}
    for key, body in bodies.items():
        s3.put_object(Bucket="durable", Key=key, Body=body)
    own_server.restart()
    s3 = own_server.client("s3")
    for key, body in bodies.items():
        assert s3.get_object(Bucket="durable", Key=key)["Body"].read() == body
