"""Routing: every operation of every API is found again in the request that botocore makes of it."""

from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import botocore.session
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.model import OperationModel, Shape

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.http import Body, HttpRequest
from cloudlet.core.model import api_model
from cloudlet.gateway.routing import Router

APIS = (
    "s3", "dynamodb", "dynamodbstreams", "sqs", "sns", "lambda", "iam", "sts", "logs", "cloudformation", "apigatewayv2",
)  # fmt: skip

# Their requests differ in nothing that a server could see (a directory bucket's list, a response of Object Lambda).
ALIKE = {("s3", "ListDirectoryBuckets"), ("s3", "WriteGetObjectResponse")}


def router(*buckets: str) -> Router:
    return Router(APIS, lambda name: name in buckets)


def sample(shape: Shape) -> Any:
    """The least value that a shape admits."""
    match shape.type_name:
        case "structure":
            required = shape.metadata.get("required", []) if not shape.is_tagged_union else list(shape.members)[:1]  # type: ignore[attr-defined]
            return {name: sample(shape.members[name]) for name in required}  # type: ignore[attr-defined]
        case "list":
            return [sample(shape.member)]  # type: ignore[attr-defined]
        case "map":
            return {}
        case "string":
            return shape.enum[0] if shape.enum else "a" * max(3, shape.metadata.get("min", 3))  # type: ignore[attr-defined]
        case "blob":
            return b"x"
        case "boolean":
            return True
        case "timestamp":
            return 0
        case "float" | "double":
            return 1.0
        case _:
            return max(1, shape.metadata.get("min", 1))


def requests() -> Iterator[tuple[str, OperationModel]]:
    for api in APIS:
        model = api_model(api)
        for name in model.operation_names:
            operation = model.operation_model(name)
            if not operation.deprecated and (api, name) not in ALIKE:
                yield api, operation


@cache
def client_of(api: str) -> tuple[Any, list[AWSRequest]]:
    """A client that sends nothing, and the list of what it would have sent."""
    client = botocore.session.Session().create_client(
        api,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:4566",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(parameter_validation=False, s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )
    sent: list[AWSRequest] = []

    def catch(request: AWSRequest, **_: Any) -> Any:
        sent.append(request)
        return AWSResponse(str(request.url), 500, cast("Any", {}), None)

    client.meta.events.register("before-send", cast("Any", catch))
    return client, sent


def http_request(api: str, operation: OperationModel) -> tuple[HttpRequest, bytes]:
    client, sent = client_of(api)
    sent.clear()
    params = sample(operation.input_shape) if operation.input_shape else {}
    try:
        getattr(client, botocore.xform_name(operation.name))(**params)
    except Exception:  # noqa: BLE001 - only the request matters
        assert sent, operation.name
    prepared = sent[0]
    path, _, query = str(prepared.url).removeprefix("http://127.0.0.1:4566").partition("?")
    body = prepared.body if isinstance(prepared.body, bytes) else (prepared.body or b"")
    content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b"x"
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()
    }
    headers.setdefault("host", "127.0.0.1:4566")
    return HttpRequest(str(prepared.method), path, query, headers, Body.of(content)), content


@pytest.mark.parametrize(("api", "operation"), [pytest.param(a, o, id=f"{a}-{o.name}") for a, o in requests()])
def test_every_operation_is_found(api: str, operation: OperationModel) -> None:
    request, body = http_request(api, operation)
    routes = router()
    target = routes.target(request)
    assert (target.api, routes.operation(target, request, body).operation) == (api, operation.name)


def s3_request(method: str, host: str, path: str = "/") -> HttpRequest:
    headers = {
        "host": host,
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/s3/aws4_request",
    }
    return HttpRequest(method, path, "", headers, Body.of(b""))


@pytest.mark.parametrize(
    ("method", "host", "path", "operation", "labels"),
    [
        ("PUT", "photos.s3.localhost:4566", "/a/b", "PutObject", {"Bucket": "photos", "Key": "a/b"}),
        ("PUT", "s3.localhost:4566", "/photos/a/b", "PutObject", {"Bucket": "photos", "Key": "a/b"}),
        ("GET", "my.photos.s3.us-east-1.localhost", "/k", "GetObject", {"Bucket": "my.photos", "Key": "k"}),
        ("GET", "photos.localhost:4566", "/k", "GetObject", {"Bucket": "photos", "Key": "k"}),
        ("GET", "localhost:4566", "/photos/k", "GetObject", {"Bucket": "photos", "Key": "k"}),
        ("GET", "127.0.0.1:4566", "/photos/k", "GetObject", {"Bucket": "photos", "Key": "k"}),
        ("GET", "[::1]:4566", "/photos/k", "GetObject", {"Bucket": "photos", "Key": "k"}),
        ("GET", "photos.box.lan", "/k", "GetObject", {"Bucket": "photos", "Key": "k"}),
        ("GET", "shop.box.lan", "/photos/k", "GetObject", {"Bucket": "photos", "Key": "k"}),
        ("PUT", "fresh.box.lan", "/", "CreateBucket", {"Bucket": "fresh"}),
        ("GET", "box.lan", "/", "ListBuckets", {}),
        ("GET", "photos.s3.localhost", "/", "ListObjects", {"Bucket": "photos"}),
        ("GET", "127.0.0.1", "/photos/", "ListObjects", {"Bucket": "photos"}),
        ("GET", "127.0.0.1", "/photos//double//slash/", "GetObject", {"Bucket": "photos", "Key": "/double//slash/"}),
        ("GET", "127.0.0.1", "/photos/a%20b%2Fc+d", "GetObject", {"Bucket": "photos", "Key": "a b/c+d"}),
    ],
)
def test_a_bucket_is_found_in_host_or_path(
    method: str, host: str, path: str, operation: str, labels: dict[str, str]
) -> None:
    routes = router("photos")
    request = s3_request(method, host, path)
    routed = routes.operation(routes.target(request), request, b"")
    assert (routed.operation, routed.labels) == (operation, labels)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-target": "Nonsense.PutItem"},
        {"authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/route53/aws4_request"},
        {"smithy-protocol": "rpc-v2-cbor"},
    ],
)
def test_a_service_that_nobody_serves_is_not_implemented(headers: dict[str, str]) -> None:
    request = HttpRequest("POST", "/", "", {"host": "127.0.0.1", **headers}, Body.of(b"{}"))
    with pytest.raises(NotImplementedByCloudlet):
        router().target(request)
