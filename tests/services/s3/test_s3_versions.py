"""Versioning: order, delete markers, the null version, removal for good."""

from typing import Any


def versions(s3: Any, bucket: str) -> list[tuple[str, bool]]:
    answer = s3.list_object_versions(Bucket=bucket)
    return [(entry["VersionId"], entry["IsLatest"]) for entry in answer.get("Versions", [])]


def test_every_write_is_a_version(s3: Any, versioned: str) -> None:
    ids = [s3.put_object(Bucket=versioned, Key="k", Body=body)["VersionId"] for body in (b"1", b"2", b"3")]
    assert versions(s3, versioned) == [(ids[2], True), (ids[1], False), (ids[0], False)]
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"3"
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=ids[0])["Body"].read() == b"1"


def test_a_delete_marker_hides_the_object(s3: Any, versioned: str, error_of: Any) -> None:
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert marker["DeleteMarker"]
    assert error_of(s3.get_object, Bucket=versioned, Key="k") == ("NoSuchKey", 404)
    assert error_of(s3.get_object, Bucket=versioned, Key="k", VersionId=marker["VersionId"])[1] == 405
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    s3.delete_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == version


def test_removing_the_latest_brings_back_the_one_before(s3: Any, versioned: str) -> None:
    s3.put_object(Bucket=versioned, Key="k", Body=b"1")
    second = s3.put_object(Bucket=versioned, Key="k", Body=b"2")["VersionId"]
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"1"


def test_suspended_versioning_keeps_one_null_version(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    named = s3.put_object(Bucket=bucket, Key="k", Body=b"named")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"after")
    assert versions(s3, bucket) == [("null", True), (named, False)]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"after"


def test_pages_of_versions(s3: Any, versioned: str) -> None:
    written = [
        (key, s3.put_object(Bucket=versioned, Key=key, Body=b"")["VersionId"]) for key in "abc" for _ in range(3)
    ]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": 2})
    found = [(entry["Key"], entry["VersionId"], entry["IsLatest"]) for page in pages for entry in page["Versions"]]
    newest = dict(written)
    assert [(key, version) for key, version, _ in found] == [
        pair for key in "abc" for pair in reversed([p for p in written if p[0] == key])
    ]
    assert [version for _, version, latest in found if latest] == [newest[key] for key in "abc"]


def test_many_keys_deleted_at_once(s3: Any, bucket: str) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "none"}, {"Key": "b"}]})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["a", "none", "b"]
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c"]
