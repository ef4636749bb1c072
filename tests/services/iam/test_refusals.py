"""Whoever may not, does not: wrong, missing, expired, tampered signatures and missing permissions change nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import botocore.auth
import pytest
import requests
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

BUCKET = "guarded"


@pytest.fixture
def bucket(server: Any) -> Iterator[Any]:
    """A bucket with one object, which must be the same at the end."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"untouched")
    yield s3
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"untouched"
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["k"]
    s3.delete_object(Bucket=BUCKET, Key="k")
    s3.delete_bucket(Bucket=BUCKET)


def refusal(call: Any, **params: Any) -> tuple[str, int]:
    """The code and the status with which a call is refused."""
    with pytest.raises(ClientError) as raised:
        call(**params)
    response = raised.value.response
    return str(response.get("Error", {}).get("Code")), response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def sign(
    server: Any, method: str, body: bytes = b"", *, auth: type = S3SigV4Auth, at: datetime | None = None, **options: Any
) -> AWSRequest:
    """A request for the object as botocore signs it, at another time if need be."""
    request = AWSRequest(method, f"{server.url}/{BUCKET}/k", {}, body)
    moment = (at or datetime.now(UTC)).replace(tzinfo=None)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment):
        auth(server.session().get_credentials(), "s3", "us-east-1", **options).add_auth(request)
    return request


def send(request: AWSRequest, body: bytes, **headers: str) -> requests.Response:
    assert request.method
    assert request.url
    every = {**dict(request.headers.items()), **headers}
    return requests.request(request.method, request.url, data=body, headers=every, timeout=10)


def user(server: Any, name: str, *documents: str) -> tuple[Any, str]:
    """A new user's session and access key id."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    for number, document in enumerate(documents):
        iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return server.session(key["AccessKeyId"], key["SecretAccessKey"]), key["AccessKeyId"]


def test_a_wrong_secret(server: Any, bucket: Any) -> None:
    wrong = server.session(secret="wrong")
    s3 = server.client("s3", session=wrong)
    assert refusal(s3.put_object, Bucket=BUCKET, Key="k", Body=b"x") == ("SignatureDoesNotMatch", 403)
    assert refusal(s3.delete_object, Bucket=BUCKET, Key="k") == ("SignatureDoesNotMatch", 403)
    assert refusal(server.client("iam", session=wrong).list_users) == ("SignatureDoesNotMatch", 403)
    sqs = server.client("sqs", session=wrong)
    assert refusal(sqs.create_queue, QueueName="q") == ("SignatureDoesNotMatch", 403)


def test_an_unknown_key(server: Any, bucket: Any) -> None:
    nobody = server.session(key="AKIANOBODY0000000000")
    s3 = server.client("s3", session=nobody)
    assert refusal(s3.put_object, Bucket=BUCKET, Key="k", Body=b"x") == ("InvalidAccessKeyId", 403)
    assert refusal(server.client("iam", session=nobody).list_users) == ("InvalidClientTokenId", 403)


def test_a_tampered_body(server: Any, bucket: Any) -> None:
    request = sign(server, "PUT", b"untouched")
    assert send(request, b"untouched").status_code == 200
    assert send(request, b"untouchet").status_code == 400
    assert send(request, b"untouched", **{"x-amz-meta-a": "b"}).status_code == 403


def test_a_large_tampered_body(server: Any, bucket: Any) -> None:
    """It is written while it is read; that it is wrong shows at its end."""
    content = b"x" * 1_000_000
    request = sign(server, "PUT", content)
    assert request.headers["X-Amz-Content-SHA256"] != "UNSIGNED-PAYLOAD"
    answer = send(request, content[:-1] + b"y")
    assert (answer.status_code, "XAmzContentSHA256Mismatch" in answer.text) == (400, True)


def test_no_signature(server: Any, bucket: Any) -> None:
    url = f"{server.url}/{BUCKET}/k"
    for method in ("GET", "PUT", "DELETE"):
        answer = requests.request(method, url, data=b"x" if method == "PUT" else None, timeout=10)
        assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)
    form = {"Action": "ListUsers", "Version": "2010-05-08"}
    answer = requests.post(server.url, data=form, timeout=10)
    assert (answer.status_code, "MissingAuthenticationToken" in answer.text) == (403, True)


def test_an_expired_presigned_url(server: Any, bucket: Any) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    answer = send(sign(server, "PUT", auth=S3SigV4QueryAuth, at=an_hour_ago, expires=60), b"x")
    assert (answer.status_code, "Request has expired" in answer.text) == (403, True)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_for_something_else(server: Any, bucket: Any, version: str) -> None:
    s3 = server.client("s3", signature_version=version)
    url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "k"}, ExpiresIn=60)
    assert requests.get(url, timeout=10).content == b"untouched"
    assert requests.delete(url, timeout=10).status_code == 403
    assert requests.get(url.replace(f"{BUCKET}/k", f"{BUCKET}/other"), timeout=10).status_code == 403
    assert requests.get(url.replace("Expires=", "Expires=1"), timeout=10).status_code == 403


def test_a_clock_that_is_wrong(server: Any, bucket: Any) -> None:
    for hours in (-1, 1):
        answer = send(sign(server, "PUT", b"x", at=datetime.now(UTC) + timedelta(hours=hours)), b"x")
        assert (answer.status_code, "RequestTimeTooSkewed" in answer.text) == (403, True)


def test_a_deactivated_and_a_deleted_key(server: Any, bucket: Any, policy: Any) -> None:
    session, key = user(server, "leaver", policy.allow("s3:*"))
    s3, iam = server.client("s3", session=session), server.client("iam")
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    iam.update_access_key(UserName="leaver", AccessKeyId=key, Status="Inactive")
    assert refusal(s3.put_object, Bucket=BUCKET, Key="k", Body=b"x") == ("InvalidAccessKeyId", 403)
    iam.update_access_key(UserName="leaver", AccessKeyId=key, Status="Active")
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    iam.delete_access_key(UserName="leaver", AccessKeyId=key)
    assert refusal(s3.delete_object, Bucket=BUCKET, Key="k") == ("InvalidAccessKeyId", 403)


def test_a_policy_that_is_taken_away(server: Any, bucket: Any, policy: Any) -> None:
    session, _ = user(server, "reader", policy.allow("s3:GetObject", resource=f"arn:aws:s3:::{BUCKET}/*"))
    s3 = server.client("s3", session=session)
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"untouched"
    assert refusal(s3.put_object, Bucket=BUCKET, Key="k", Body=b"x") == ("AccessDenied", 403)
    assert refusal(s3.list_objects_v2, Bucket=BUCKET) == ("AccessDenied", 403)
    server.client("iam").delete_user_policy(UserName="reader", PolicyName="p0")
    assert refusal(s3.get_object, Bucket=BUCKET, Key="k") == ("AccessDenied", 403)


def test_a_role_without_the_permission(server: Any, bucket: Any, policy: Any) -> None:
    iam = server.client("iam")
    session, _ = user(server, "assumer", policy.allow("sts:AssumeRole"))
    iam.create_role(RoleName="looker", AssumeRolePolicyDocument=policy.trust({"AWS": "000000000000"}))
    iam.put_role_policy(RoleName="looker", PolicyName="p", PolicyDocument=policy.allow("s3:ListBucket"))
    arn = "arn:aws:iam::000000000000:role/looker"
    given = server.client("sts", session=session).assume_role(RoleArn=arn, RoleSessionName="s1")["Credentials"]
    role = server.session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    s3 = server.client("s3", session=role)
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    with pytest.raises(ClientError) as raised:
        s3.delete_object(Bucket=BUCKET, Key="k")
    assert raised.value.response.get("Error", {}).get("Message") == (
        "User: arn:aws:sts::000000000000:assumed-role/looker/s1 is not authorized to perform: s3:DeleteObject on "
        f"resource: arn:aws:s3:::{BUCKET}/k because no identity-based policy allows the s3:DeleteObject action"
    )
    without_token = server.session(given["AccessKeyId"], given["SecretAccessKey"])
    assert refusal(server.client("s3", session=without_token).list_buckets)[1] == 403


def test_another_accounts_root(server: Any, bucket: Any) -> None:
    url = f"{server.url}/_cloudlet/accounts"
    request = AWSRequest("POST", url, {}, b'{"name": "stranger"}')
    SigV4Auth(server.session().get_credentials(), "iam", "us-east-1").add_auth(request)
    account = requests.post(url, data=request.body, headers=dict(request.headers.items()), timeout=10).json()
    stranger = server.session(account["access_key_id"], account["secret_access_key"])
    s3 = server.client("s3", session=stranger)
    assert refusal(s3.get_object, Bucket=BUCKET, Key="k") == ("AccessDenied", 403)
    assert refusal(s3.put_object, Bucket=BUCKET, Key="k", Body=b"x") == ("AccessDenied", 403)
    assert refusal(s3.delete_bucket, Bucket=BUCKET) == ("AccessDenied", 403)
