"""Who gets in: anonymous readers, policies, ACLs, browsers of other origins, websites."""

import json
from typing import Any

import pytest
import requests


def allow_everybody(s3: Any, bucket: str) -> None:
    s3.delete_public_access_block(Bucket=bucket)
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def test_nobody_else_reads_a_new_object(server: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret")
    answer = requests.get(f"{server.url}/{bucket}/k", timeout=10)
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text


def test_a_policy_lets_everybody_read(server: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"open")
    allow_everybody(s3, bucket)
    assert requests.get(f"{server.url}/{bucket}/k", timeout=10).text == "open"
    assert requests.put(f"{server.url}/{bucket}/k", data=b"x", timeout=10).status_code == 403
    assert requests.get(f"{server.url}/{bucket}/none", timeout=10).status_code == 403
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]


def test_public_policies_are_blocked(s3: Any, bucket: str, error_of: Any) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert error_of(s3.put_bucket_policy, Bucket=bucket, Policy=policy) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Action": "sqs:*"}, "Policy has invalid action"),
        ({"Resource": "arn:aws:s3:::other/*"}, "Policy has invalid resource"),
        ({"Principal": None}, "Missing required field Principal"),
    ],
)
def test_policies_are_checked(s3: Any, bucket: str, change: dict[str, Any], words: str) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        **change,
    }
    kept = {name: value for name, value in statement.items() if value is not None}
    with pytest.raises(s3.exceptions.ClientError, match=words):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [kept]}))


def test_acls_where_they_are_enabled(server: Any, s3: Any, bucket: str) -> None:
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_object(Bucket=bucket, Key="open", Body=b"open", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="closed", Body=b"closed")
    assert requests.get(f"{server.url}/{bucket}/open", timeout=10).text == "open"
    assert requests.get(f"{server.url}/{bucket}/closed", timeout=10).status_code == 403
    grants = s3.get_object_acl(Bucket=bucket, Key="open")["Grants"]
    assert {grant["Permission"] for grant in grants} == {"FULL_CONTROL", "READ"}


def test_presigned_urls(server: Any, s3: Any, bucket: str) -> None:
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    assert requests.put(put, data=b"by url", timeout=10).status_code == 200
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert requests.get(get, timeout=10).text == "by url"
    assert requests.get(get + "0", timeout=10).status_code == 403


def test_cors(server: Any, s3: Any, bucket: str) -> None:
    rule = {
        "AllowedOrigins": ["https://*.example.com"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["x-amz-*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    asked = {"Origin": "https://shop.example.com", "Access-Control-Request-Method": "PUT"}
    url = f"{server.url}/{bucket}/k"
    headers = {**asked, "Access-Control-Request-Headers": "x-amz-date"}
    allowed = requests.options(url, headers=headers, timeout=10)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    assert allowed.headers["Access-Control-Max-Age"] == "60"
    assert requests.options(url, headers={**asked, "Origin": "https://evil.test"}, timeout=10).status_code == 403
    answer = requests.get(url, headers={"Origin": "https://shop.example.com"}, timeout=10)
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag"


def test_a_website(server: Any, s3: Any, bucket: str) -> None:
    s3.put_bucket_website(
        Bucket=bucket,
        WebsiteConfiguration={
            "IndexDocument": {"Suffix": "index.html"},
            "ErrorDocument": {"Key": "error.html"},
            "RoutingRules": [{"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "docs/"}}],
        },
    )
    allow_everybody(s3, bucket)
    for key, text in {"index.html": "home", "docs/index.html": "docs", "error.html": "sorry"}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="text/html")

    def get(path: str) -> Any:
        host = f"{bucket}.s3-website-us-east-1.localhost"
        return requests.get(server.url + path, headers={"Host": host}, timeout=10, allow_redirects=False)

    assert (get("/").text, get("/").headers["Content-Type"]) == ("home", "text/html")
    assert get("/docs/").text == "docs"
    assert get("/docs").headers["Location"] == "/docs/"
    assert get("/old/x").headers["Location"].endswith("/docs/x")
    missing = get("/none")
    assert (missing.status_code, missing.text) == (403, "sorry")


def test_lifecycle_rules_come_back_and_say_when(s3: Any, bucket: str) -> None:
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [rule]
    assert 'rule-id="r"' in s3.put_object(Bucket=bucket, Key="tmp/x", Body=b"")["Expiration"]
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="x", Body=b"")


def test_a_date_in_the_past_ends_objects_at_once(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="tmp/x", Body=b"")
    s3.put_object(Bucket=bucket, Key="kept", Body=b"")
    rule = {"Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Date": "2020-01-01T00:00:00Z"}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    s3.get_waiter("object_not_exists").wait(Bucket=bucket, Key="tmp/x", WaiterConfig={"Delay": 1})
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]
