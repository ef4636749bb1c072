"""Server-side encryption: what is asked for, or the bucket's default, is reported of each object."""

from typing import Any

import pytest
import requests

KMS = {"SSEAlgorithm": "aws:kms"}


def set_default(s3: Any, bucket: str, default: dict[str, str], **rule: Any) -> None:
    rules = [{"ApplyServerSideEncryptionByDefault": default, **rule}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def reported(answer: dict[str, Any]) -> tuple[str, str | None, bool]:
    return answer["ServerSideEncryption"], answer.get("SSEKMSKeyId"), answer.get("BucketKeyEnabled", False)


@pytest.fixture
def kms_bucket(s3: Any, bucket: str) -> str:
    set_default(s3, bucket, KMS)
    return bucket


@pytest.fixture
def key(s3: Any, kms_bucket: str) -> str:
    """The account's key for S3."""
    return s3.put_object(Bucket=kms_bucket, Key="first", Body=b"")["SSEKMSKeyId"]


def test_the_default_of_a_bucket_is_shown(s3: Any, kms_bucket: str) -> None:
    shown = s3.get_bucket_encryption(Bucket=kms_bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert shown == [{"ApplyServerSideEncryptionByDefault": KMS, "BucketKeyEnabled": False}]
    s3.delete_bucket_encryption(Bucket=kms_bucket)
    assert reported(s3.put_object(Bucket=kms_bucket, Key="k", Body=b"")) == ("AES256", None, False)


def test_the_default_holds_for_what_is_written_from_then_on(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="before", Body=b"")
    set_default(s3, bucket, KMS, BucketKeyEnabled=True)
    put = s3.put_object(Bucket=bucket, Key="after", Body=b"body", ContentType="text/plain")
    assert put["SSEKMSKeyId"].startswith("arn:aws:kms:us-east-1:000000000000:key/")
    assert reported(put) == ("aws:kms", put["SSEKMSKeyId"], True)
    got = s3.get_object(Bucket=bucket, Key="after")
    assert (got["Body"].read(), got["ContentType"], reported(got)) == (b"body", "text/plain", reported(put))
    assert reported(s3.head_object(Bucket=bucket, Key="before")) == ("AES256", None, False)


def test_a_request_may_ask_for_another(s3: Any, bucket: str, kms_bucket: str, key: str) -> None:
    plain = s3.put_object(Bucket=kms_bucket, Key="k", Body=b"", ServerSideEncryption="AES256")
    assert reported(plain) == reported(s3.head_object(Bucket=kms_bucket, Key="k")) == ("AES256", None, False)
    s3.delete_bucket_encryption(Bucket=bucket)
    asked = s3.put_object(Bucket=bucket, Key="k", Body=b"", ServerSideEncryption="aws:kms", BucketKeyEnabled=True)
    assert reported(asked) == ("aws:kms", key, True)


def test_copies_take_it_from_where_they_go(s3: Any, kms_bucket: str, key: str) -> None:
    source = {"Bucket": kms_bucket, "Key": "first"}
    assert reported(s3.copy_object(Bucket=kms_bucket, Key="copy", CopySource=source)) == ("aws:kms", key, False)
    s3.copy_object(Bucket=kms_bucket, Key="copy", CopySource=source, ServerSideEncryption="AES256")
    assert reported(s3.head_object(Bucket=kms_bucket, Key="copy")) == ("AES256", None, False)


def test_every_step_of_an_upload_says_the_same(s3: Any, kms_bucket: str, key: str) -> None:
    target = {"Bucket": kms_bucket, "Key": "parts"}
    begun = s3.create_multipart_upload(**target)
    upload = {**target, "UploadId": begun["UploadId"]}
    s3.delete_bucket_encryption(Bucket=kms_bucket)
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x")
    copied = s3.upload_part_copy(**upload, PartNumber=2, CopySource={"Bucket": kms_bucket, "Key": "first"})
    whole = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = [s3.complete_multipart_upload(**upload, MultipartUpload=whole) for _ in range(2)]
    for answer in (begun, part, copied, *done, s3.head_object(**target)):
        assert reported(answer) == ("aws:kms", key, False)


def test_forms(s3: Any, kms_bucket: str, key: str) -> None:
    def post(**fields: str) -> int:
        conditions = [{name: value} for name, value in fields.items()]
        form = s3.generate_presigned_post(kms_bucket, "form", Fields=fields, Conditions=conditions)
        return requests.post(form["url"], data=form["fields"], files={"file": b"x"}, timeout=10).status_code

    prefix = "x-amz-server-side-encryption"
    assert post(**{prefix: "aws:kms", f"{prefix}-bucket-key-enabled": "true"}) == 204
    assert reported(s3.head_object(Bucket=kms_bucket, Key="form")) == ("aws:kms", key, True)
    assert post(**{prefix: "aws:kms", f"{prefix}-aws-kms-key-id": "alias/mine"}) == 501


@pytest.mark.parametrize(
    "default", [{**KMS, "KMSMasterKeyID": "alias/mine"}, {"SSEAlgorithm": "aws:kms:dsse"}], ids=["own key", "dsse"]
)
def test_keys_of_ones_own_are_refused(s3: Any, bucket: str, error_of: Any, default: dict[str, str]) -> None:
    assert error_of(set_default, s3=s3, bucket=bucket, default=default) == ("NotImplemented", 501)
    names = {"SSEAlgorithm": "ServerSideEncryption", "KMSMasterKeyID": "SSEKMSKeyId"}
    asked = {names[name]: value for name, value in default.items()}
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"", **asked) == ("NotImplemented", 501)
