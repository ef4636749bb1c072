"""Signatures that botocore makes are accepted; whatever differs by one byte is not."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudlet.core.access import Credential
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest
from cloudlet.gateway.sigv4 import Signed, verify

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ROOT = Principal.root("000000000000")
PROTOCOLS = {"s3": "rest-xml", "dynamodb": "json", "lambda": "rest-json", "iam": "query", "sqs": "json"}
URL = "http://localhost:4566"

Received = tuple[HttpRequest, bytes]


class Keys:
    """One long-term key and one session."""

    def __init__(self, *, active: bool = True, expires: float | None = None) -> None:
        session = Credential("ASIASESSION", SECRET, ROOT, "the-token", expires)
        self.known = {KEY: Credential(KEY, SECRET, ROOT, active=active), "ASIASESSION": session}

    def credential(self, access_key_id: str, session_token: str | None = None) -> Credential | None:
        return self.known.get(access_key_id)

    def used(self, credential: Credential, service: str, region: str, now: float) -> None:
        pass


def now() -> float:
    return datetime.now(UTC).timestamp()


def received(request: AWSRequest) -> Received:
    """What arrives when botocore sends its prepared request."""
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
    headers.setdefault("host", parts.netloc)
    body = prepared.body or b""
    assert isinstance(body, bytes)
    return HttpRequest(prepared.method, parts.path or "/", parts.query, headers, Body.of(body)), body


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def signed(
    url: str = f"{URL}/",
    *,
    auth: type = SigV4Auth,
    service: str = "dynamodb",
    method: str = "POST",
    body: bytes = b"{}",
    key: str = KEY,
    secret: str = SECRET,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> Received:
    request = AWSRequest(method, url, headers or {}, body)
    auth(Credentials(key, secret, token), service, "us-east-1", **options).add_auth(request)
    return received(request)


def presigned(expires: int = 60, **options: Any) -> Received:
    url = f"{URL}/b/k"
    return signed(url, auth=S3SigV4QueryAuth, service="s3", method="GET", body=b"", expires=expires, **options)


def put_object(path: str = "/b/k", body: bytes = b"hello", **options: Any) -> Received:
    return signed(f"{URL}{path}", auth=S3SigV4Auth, service="s3", method="PUT", body=body, **options)


def check(request: Received, *, api: str = "dynamodb", at: float | None = None, keys: Keys | None = None) -> Signed:
    http, body = request
    return verify(http, body, keys or Keys(), at or now(), api=api, protocol=PROTOCOLS[api])


def refusal(request: Received, **options: Any) -> AwsError:
    with pytest.raises(AwsError) as raised:
        check(request, **options)
    return raised.value


def changed(request: Received, **changes: Any) -> Received:
    """The same request, but for some of its parts; headers are added or, where None, taken away."""
    http, body = request
    headers = {**http.headers, **changes.pop("headers", {})}
    headers = {name: value for name, value in headers.items() if value is not None}
    body = changes.pop("body", body)
    values = {"method": http.method, "path": http.path, "query": http.query, **changes}
    return HttpRequest(**values, headers=headers, body=Body.of(body)), body


# What is accepted


def test_a_header_signature_names_the_principal() -> None:
    found = check(signed(headers={"X-Amz-Target": "DynamoDB_20120810.GetItem"}))
    assert (found.principal, found.service, found.region) == (ROOT, "dynamodb", "us-east-1")


def test_an_objects_path_is_taken_as_it_is() -> None:
    path = "/bucket/a//b/../%C3%A9%20%281%29%2Bx.txt?versionId=a%2Fb&acl"
    assert check(put_object(path), api="s3").principal == ROOT


def test_a_resources_path_is_encoded_twice() -> None:
    url = f"{URL}/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations"
    assert check(signed(url, service="lambda"), api="lambda").service == "lambda"


def test_a_presigned_url() -> None:
    assert check(presigned(), api="s3").principal == ROOT


def test_a_presigned_url_of_another_service() -> None:
    request = signed(f"{URL}/?Action=GetUser", auth=SigV4QueryAuth, service="iam", method="GET", body=b"")
    assert check(request, api="iam").principal == ROOT


def test_a_session() -> None:
    assert check(signed(key="ASIASESSION", token="the-token")).credential is not None


def test_a_session_in_a_presigned_url() -> None:
    assert check(presigned(key="ASIASESSION", token="the-token"), api="s3").principal == ROOT


def test_a_date_header_instead_of_amazons() -> None:
    request = signed(headers={"Date": "is replaced"})
    assert "x-amz-date" not in request[0].headers
    assert check(request).principal == ROOT


def test_s3_alone_knows_the_anonymous() -> None:
    request = HttpRequest("GET", "/b/k", "", {"host": "localhost"}, Body.of(b"")), b""
    assert check(request, api="s3").principal == Principal.anonymous()
    assert refusal(request).code == "MissingAuthenticationTokenException"
    assert refusal(request, api="iam").code == "MissingAuthenticationToken"


# AWS's own example of a request to S3 (a ranged GetObject), with the key of its documentation.

EXAMPLE_AT = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
EXAMPLE = {
    "host": "examplebucket.s3.amazonaws.com",
    "range": "bytes=0-9",
    "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "x-amz-date": "20130524T000000Z",
    "authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
}
EXAMPLE_QUERY = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


def test_the_documented_header_example() -> None:
    request = HttpRequest("GET", "/test.txt", "", EXAMPLE, Body.of(b"")), b""
    assert check(request, api="s3", at=EXAMPLE_AT).principal == ROOT


def test_the_documented_presigned_example() -> None:
    request = HttpRequest("GET", "/test.txt", EXAMPLE_QUERY, {"host": EXAMPLE["host"]}, Body.of(b"")), b""
    assert check(request, api="s3", at=EXAMPLE_AT + 86400).principal == ROOT
    assert refusal(request, api="s3", at=EXAMPLE_AT + 86401).message == "Request has expired"


# What is refused, in whose words

MISMATCHES = {"s3": "SignatureDoesNotMatch", "iam": "SignatureDoesNotMatch", "dynamodb": "InvalidSignatureException"}
UNKNOWN_KEYS = {"s3": "InvalidAccessKeyId", "iam": "InvalidClientTokenId", "dynamodb": "UnrecognizedClientException"}
EXPIRED = {"s3": "ExpiredToken", "iam": "ExpiredToken", "dynamodb": "ExpiredTokenException"}


def signed_for(api: str, **options: Any) -> Received:
    return signed(auth=S3SigV4Auth if api == "s3" else SigV4Auth, service=api, **options)


@pytest.mark.parametrize("api", MISMATCHES)
def test_a_wrong_secret(api: str) -> None:
    assert refusal(signed_for(api, secret="wrong"), api=api).code == MISMATCHES[api]


@pytest.mark.parametrize("api", UNKNOWN_KEYS)
def test_an_unknown_or_inactive_key(api: str) -> None:
    assert refusal(signed_for(api, key="AKIANOBODY"), api=api).code == UNKNOWN_KEYS[api]
    assert refusal(signed_for(api), api=api, keys=Keys(active=False)).code == UNKNOWN_KEYS[api]


@pytest.mark.parametrize("api", EXPIRED)
def test_an_expired_session(api: str) -> None:
    request = signed_for(api, key="ASIASESSION", token="the-token")
    assert refusal(request, api=api, keys=Keys(expires=now() - 1)).code == EXPIRED[api]


def test_a_wrong_or_missing_session_token() -> None:
    assert refusal(signed(key="ASIASESSION", token="other")).code == "UnrecognizedClientException"
    assert refusal(signed(key="ASIASESSION")).code == "UnrecognizedClientException"
    assert refusal(put_object(key="ASIASESSION", token="other"), api="s3").code == "InvalidToken"
    assert refusal(put_object(token="for a long-term key"), api="s3").code == "InvalidToken"


def test_a_tampered_body() -> None:
    assert refusal(changed(signed(), body=b"[]")).code == "InvalidSignatureException"
    assert refusal(changed(put_object(), body=b"hellO"), api="s3").code == "XAmzContentSHA256Mismatch"


def test_a_signature_for_another_service() -> None:
    assert refusal(signed(service="sqs")).message == "Credential should be scoped to correct service: 'dynamodb'."
    wrong = refusal(signed(service="sqs", auth=S3SigV4Auth), api="s3")
    assert wrong.code == "AuthorizationHeaderMalformed"


def test_a_clock_that_is_wrong() -> None:
    late = refusal(signed(), at=now() + 16 * 60)
    assert (late.code, late.message.split(":")[0]) == ("InvalidSignatureException", "Signature expired")
    early = refusal(signed(), at=now() - 16 * 60)
    assert early.message.startswith("Signature not yet current")
    assert refusal(put_object(), api="s3", at=now() + 16 * 60).code == "RequestTimeTooSkewed"


def test_an_expired_presigned_url() -> None:
    expired = refusal(presigned(expires=60), api="s3", at=now() + 62)
    assert (expired.code, expired.message) == ("AccessDenied", "Request has expired")


@pytest.mark.parametrize("expires", [0, -1, 604801])
def test_a_presigned_url_that_lasts_too_long_or_not_at_all(expires: int) -> None:
    assert refusal(presigned(expires=expires), api="s3").code == "AuthorizationQueryParametersError"


@pytest.mark.parametrize(
    "authorization", ["AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", "AWS4-ECDSA-P256-SHA256 Credential=x"]
)
def test_other_signature_versions(authorization: str) -> None:
    request = changed(put_object(), headers={"authorization": authorization})
    assert refusal(request, api="s3").message == (
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    )


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        f"AWS4-HMAC-SHA256 Credential={KEY}, SignedHeaders=host, Signature=00",
        f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/dynamodb, SignedHeaders=host, Signature=00",
        "Basic dXNlcjpwYXNzd29yZA==",
    ],
)
def test_malformed_authorization(authorization: str) -> None:
    assert refusal(changed(signed(), headers={"authorization": authorization})).code == "IncompleteSignatureException"


def test_headers_that_act_must_be_signed() -> None:
    unsigned = changed(signed(), headers={"x-amz-target": "DynamoDB_20120810.DeleteTable"})
    assert refusal(unsigned).code == "InvalidSignatureException"
    acl = refusal(changed(presigned(), headers={"x-amz-acl": "public-read"}), api="s3")
    assert (acl.code, acl.fields["HeadersNotSigned"]) == ("AccessDenied", "x-amz-acl")


def test_a_header_and_a_query_signature_at_once() -> None:
    both = changed(presigned(), headers={"authorization": put_object()[0].headers["authorization"]})
    assert "Only one auth mechanism allowed" in refusal(both, api="s3").message


# Any request, any change

PATHS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), max_size=4).map(
    lambda segments: "/" + "/".join(quote(segment, safe="~") for segment in segments)
)
QUERIES = st.lists(st.tuples(st.text("aB-_.~/ +&=é", min_size=1, max_size=5), st.text(max_size=5)), max_size=4).map(
    lambda pairs: urlencode(pairs, quote_via=quote, safe="~")
)
HEADERS = st.dictionaries(
    st.sampled_from(["x-amz-meta-a", "x-amz-meta-b", "content-type"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(str.strip),
    max_size=3,
)


@given(path=PATHS, query=QUERIES, headers=HEADERS, body=st.binary(max_size=64))
def test_whatever_botocore_signs_for_s3_is_accepted(
    path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    request = put_object(f"{path}?{query}" if query else path, body, headers=headers)
    assert check(request, api="s3").principal == ROOT


@given(path=PATHS, query=QUERIES, body=st.binary(max_size=64))
def test_whatever_botocore_signs_for_others_is_accepted(path: str, query: str, body: bytes) -> None:
    request = signed(f"{URL}{path}?{query}" if query else f"{URL}{path}", service="lambda", body=body)
    assert check(request, api="lambda").principal == ROOT


def flips(text: str) -> Iterator[str]:
    for at, character in enumerate(text):
        yield text[:at] + chr(ord(character) ^ 1) + text[at + 1 :]


@given(st.data())
def test_one_changed_character_is_refused(data: st.DataObject) -> None:
    request = put_object("/bucket/key?x=1&y=2", b"the body", headers={"x-amz-meta-a": "value", "Range": "bytes=0-9"})
    http, body = request
    part = data.draw(st.sampled_from(["method", "path", "query", "body", *http.headers]))
    value = body.decode() if part == "body" else getattr(http, part, None) or http.headers[part]
    other = data.draw(st.sampled_from(list(flips(value))))
    if part in http.headers:
        assume(part not in ("user-agent", "content-length", "range"))  # botocore signs none of these
        other_request = changed(request, headers={part: other})
    else:
        other_request = changed(request, **{part: other.encode() if part == "body" else other})
    refusal(other_request, api="s3")


QUERY_PARTS = st.sampled_from(
    [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "X-Amz-Algorithm=other",
        "aX-Amz-Algorithm=AWS4-HMAC-SHA256",
        f"X-Amz-Credential={KEY}%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
        "X-Amz-Credential=a%2Fb",
        "X-Amz-Date=20260101T000000Z",
        "X-Amz-Date=99999999T999999Z",
        "X-Amz-Expires=60",
        "X-Amz-Expires=9%39",
        "X-Amz-SignedHeaders=host",
        "X-Amz-SignedHeaders=host;%E2%82%AC",
        "X-Amz-Signature=%C3%A9",
        "X-Amz-Signature=00",
        f"AWSAccessKeyId={KEY}",
        "bAWSAccessKeyId=x",
        "Signature=%E2%82%AC",
        "Expires=99999999999999999999999",
        "Expires=%D9%A1",
        "x-amz-security-token=%00",
        "&&=&%",
        "\xff",
    ]
)
AUTHORIZATIONS = st.text("AWS4-HMACSHA256 Credential=/,SignedHeaders=;Signature=\xe9", max_size=40) | st.just(
    f"AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=\xe9"
)


@given(
    parts=st.lists(QUERY_PARTS, max_size=9, unique=True),
    authorization=st.none() | AUTHORIZATIONS,
    date=st.sampled_from(["20130524T000000Z", "Fri, 24 May 2013 00:00:00 GMT", "\xff", "20139999T000000Z"]),
    api=st.sampled_from(["s3", "iam", "dynamodb"]),
)
def test_nonsense_is_refused_in_the_apis_words(
    parts: list[str], authorization: str | None, date: str, api: str
) -> None:
    headers = {"host": "localhost", "date": date, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    if authorization is not None:
        headers["authorization"] = authorization
    request = HttpRequest("GET", "/%zz/\xff", "&".join(parts), headers, Body.of(b""))
    try:
        found = check((request, b""), api=api, at=EXAMPLE_AT)
    except AwsError:
        return
    assert found.principal == Principal.anonymous()
