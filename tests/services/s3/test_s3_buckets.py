"""Buckets: names, regions, owners, emptiness."""

from typing import Any
from uuid import uuid4

import pytest


def test_a_bucket_lives_until_it_is_deleted(s3: Any, error_of: Any) -> None:
    name = f"life-{uuid4().hex[:8]}"
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.delete_bucket(Bucket=name)
    assert error_of(s3.get_bucket_location, Bucket=name) == ("NoSuchBucket", 404)


def test_only_an_empty_bucket_is_deleted(s3: Any, bucket: str, error_of: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert error_of(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("name", ["Abc", "ab", "a..b", "192.168.0.1", "-abc", "a_b", "x" * 64, "xn--abc"])
def test_names_keep_the_rules(server: Any, error_of: Any, name: str) -> None:
    s3 = server.client("s3", parameter_validation=False)
    assert error_of(s3.create_bucket, Bucket=name) == ("InvalidBucketName", 400)


def test_the_region_is_where_the_bucket_was_made(server: Any, s3: Any, error_of: Any) -> None:
    name = f"eu-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-central-1"
    code = error_of(s3.create_bucket, Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert code == ("BucketAlreadyOwnedByYou", 409)


def test_pages_of_buckets(s3: Any) -> None:
    names = sorted(f"page-{uuid4().hex[:8]}" for _ in range(3))
    for name in names:
        s3.create_bucket(Bucket=name)
    first = s3.list_buckets(Prefix="page-", MaxBuckets=2)
    rest = s3.list_buckets(Prefix="page-", MaxBuckets=2, ContinuationToken=first["ContinuationToken"])
    assert [b["Name"] for b in first["Buckets"] + rest["Buckets"]] == names


def test_new_buckets_are_closed_as_on_aws(s3: Any, bucket: str, error_of: Any) -> None:
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert error_of(s3.put_object, Bucket=bucket, Key="k", ACL="public-read") == (
        "AccessControlListNotSupported",
        400,
    )


def test_what_is_not_configured_is_an_error(s3: Any, bucket: str, error_of: Any) -> None:
    assert error_of(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
    assert error_of(s3.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)
    assert error_of(s3.get_bucket_website, Bucket=bucket) == ("NoSuchWebsiteConfiguration", 404)
    assert error_of(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
    assert error_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == ("NoSuchLifecycleConfiguration", 404)
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_expected_owner(s3: Any, bucket: str, error_of: Any) -> None:
    s3.get_bucket_location(Bucket=bucket, ExpectedBucketOwner="000000000000")
    assert error_of(s3.get_bucket_location, Bucket=bucket, ExpectedBucketOwner="111111111111")[1] == 403
