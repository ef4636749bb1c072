"""Errors on the wire, as botocore reads them and as they look."""

import zlib
from typing import Any

import orjson
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from cloudlet.core.errors import AccessDenied, AwsError, InternalError, NotImplementedByCloudlet
from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.model import api_model
from cloudlet.gateway.protocols import protocol_for

REQUEST = HttpRequest("POST", "/", "", {}, Body.of(b""))


def rendered(api: str, protocol: str, error: AwsError, request: HttpRequest = REQUEST) -> HttpResponse:
    return protocol_for(api, protocol).render_error(error, None, "request-id", request)


def read(response: HttpResponse, protocol: str) -> dict[str, Any]:
    answer = {"headers": HeadersDict(response.headers), "status_code": response.status, "body": response.body}
    parser: Any = create_parser(protocol)
    parsed: dict[str, Any] = parser.parse(answer, None)
    return parsed


APIS = [
    ("s3", "rest-xml"),
    ("dynamodb", "json"),
    ("sqs", "json"),
    ("sqs", "query"),
    ("sns", "query"),
    ("lambda", "rest-json"),
    ("iam", "query"),
    ("sts", "query"),
    ("logs", "json"),
    ("cloudformation", "query"),
    ("apigatewayv2", "rest-json"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
]


@pytest.mark.parametrize(("api", "protocol"), APIS)
def test_every_error_of_the_models(api: str, protocol: str) -> None:
    for shape in api_model(api).error_shapes:
        response = rendered(api, protocol, AwsError(shape.name, "Größe <5> & mehr"))
        parsed = read(response, protocol)
        assert parsed["Error"]["Message"] == "Größe <5> & mehr"
        assert shape.name in (parsed["Error"]["Code"], parsed["Error"].get("QueryErrorCode")) or protocol == "query"
        assert response.status == shape.metadata.get("error", {}).get("httpStatusCode", response.status)
        assert parsed["ResponseMetadata"]["RequestId"] == "request-id"


@pytest.mark.parametrize(("api", "protocol"), APIS)
def test_errors_of_no_model(api: str, protocol: str) -> None:
    not_there = read(rendered(api, protocol, NotImplementedByCloudlet("it")), protocol)
    assert not_there["Error"]["Code"] == "NotImplemented"
    assert not_there["ResponseMetadata"]["HTTPStatusCode"] == 501
    defect = rendered(api, protocol, InternalError())
    assert defect.status == 500


@pytest.mark.parametrize(
    ("api", "protocol", "code", "status"),
    [
        ("s3", "rest-xml", "AccessDenied", 403),
        ("dynamodb", "json", "AccessDeniedException", 400),
        ("sqs", "json", "AccessDenied", 403),
        ("sns", "query", "AuthorizationError", 403),
        ("iam", "query", "AccessDenied", 403),
        ("lambda", "rest-json", "AccessDeniedException", 403),
    ],
)
def test_access_denied_in_each_spelling(api: str, protocol: str, code: str, status: int) -> None:
    response = rendered(api, protocol, AccessDenied())
    assert (read(response, protocol)["Error"]["Code"], response.status) == (code, status)


def test_dynamodb() -> None:
    response = rendered("dynamodb", "json", AwsError("ResourceNotFoundException", "Requested resource not found"))
    assert isinstance(response.body, bytes)
    assert orjson.loads(response.body) == {
        "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
        "message": "Requested resource not found",
    }
    assert ("x-amz-crc32", str(zlib.crc32(response.body))) in response.headers
    response = rendered("dynamodb", "json", AwsError("ValidationException", "no"))
    assert b"com.amazon.coral.validate#ValidationException" in response.body  # type: ignore[operator]


def test_modelled_fields() -> None:
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": {"a": {"S": "1"}}, "Message": None}]
    error = AwsError("TransactionCanceledException", "cancelled", fields={"CancellationReasons": reasons})
    response = rendered("dynamodb", "json", error)
    assert isinstance(response.body, bytes)
    assert orjson.loads(response.body)["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Item": {"a": {"S": "1"}}},
    ]


def test_sqs_keeps_its_codes() -> None:
    by_shape = AwsError("QueueDoesNotExist", "gone")
    by_code = AwsError("AWS.SimpleQueueService.NonExistentQueue", "gone")
    old_client = HttpRequest("POST", "/", "", {"x-amzn-query-mode": "true"}, Body.of(b""))
    for error in (by_shape, by_code):
        response = rendered("sqs", "json", error, old_client)
        assert b'"com.amazonaws.sqs#QueueDoesNotExist"' in response.body  # type: ignore[operator]
        assert ("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender") in response.headers
        assert read(response, "json")["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
        query = read(rendered("sqs", "query", error), "query")
        assert query["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
        assert query["Error"]["Type"] == "Sender"


def test_query_codes_of_the_model() -> None:
    for code in ("NoSuchEntity", "NoSuchEntityException"):
        response = rendered("iam", "query", AwsError(code, "no such user"))
        assert (read(response, "query")["Error"]["Code"], response.status) == ("NoSuchEntity", 404)


def test_lambda_says_whose_fault_it_is() -> None:
    response = rendered("lambda", "rest-json", AwsError("ResourceNotFoundException", "Function not found"))
    assert response.status == 404
    assert ("x-amzn-ErrorType", "ResourceNotFoundException") in response.headers
    assert response.body == b'{"Type":"User","Message":"Function not found"}'


def test_s3() -> None:
    error = AwsError("NoSuchKey", "The specified key does not exist.", fields={"Key": "a<b"})
    response = rendered("s3", "rest-xml", error)
    assert response.status == 404
    assert b"<Key>a&lt;b</Key><RequestId>request-id</RequestId><HostId>" in response.body  # type: ignore[operator]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 404), ("HEAD", 412), ("GET", 304)])
def test_s3_answers_without_a_body(method: str, status: int) -> None:
    request = HttpRequest(method, "/b/k", "", {}, Body.of(b""))
    response = rendered("s3", "rest-xml", AwsError("NotModified", "", status=status), request)
    assert (response.status, response.body) == (status, b"")
