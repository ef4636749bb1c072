"""The events that functions get, and the answers that their results become."""

import base64
import json
from typing import Any

import pytest

from cloudlet.core import cross_origin as cors
from cloudlet.core.http import Body, HttpRequest
from cloudlet.core.payload_2 import MalformedResponse
from cloudlet.services.apigatewayv2.events import answer, event
from cloudlet.services.apigatewayv2.exchange import Exchange
from cloudlet.services.apigatewayv2.matching import Match, Matcher
from cloudlet.services.apigatewayv2.serving import Served, ServedRoute


def exchange(body: bytes = b"", **headers: str) -> Exchange:
    given = {"host": "abc.execute-api.eu-central-1.localhost:4566", "user-agent": "test", "connection": "keep-alive"}
    request = HttpRequest(
        method="POST",
        path="/shop/items/7",
        query="a=1&a=2&b=x%20y&c=",
        headers=given | {name.replace("_", "-"): value for name, value in headers.items()},
        body=Body.of(body),
        client="127.0.0.1",
    )
    route = ServedRoute("POST /items/{id}", None, "NONE", None, (), None, ())
    served = Served(
        account="000000000000",
        region="eu-central-1",
        api_id="abc",
        stage="shop",
        variables={"color": "blue"},
        cors=None,
        disabled=False,
        matcher=Matcher([route.key]),
        routes={route.key: route},
        access_log=None,
        dimensions=(),
    )
    return Exchange(
        request=request,
        request_id="0123456789abcdef-0123456789abcdef",
        served=served,
        domain="abc.execute-api.eu-central-1.localhost",
        path="/items/7",
        event_path="/shop/items/7",
        time=1_583_348_638.39,
        route=route,
        match=Match("POST /items/{id}", "/items/{id}", {"id": "7"}),
        body=body,
    )


def test_format_2_0() -> None:
    found = event(exchange(b'{"n":1}', cookie="k=v; l=w", content_type="application/json"), "2.0")

    context = found.pop("requestContext")
    headers = found.pop("headers")
    assert found == {
        "version": "2.0",
        "routeKey": "POST /items/{id}",
        "rawPath": "/shop/items/7",
        "rawQueryString": "a=1&a=2&b=x%20y&c=",
        "cookies": ["k=v", "l=w"],
        "queryStringParameters": {"a": "1,2", "b": "x y", "c": ""},
        "pathParameters": {"id": "7"},
        "stageVariables": {"color": "blue"},
        "body": '{"n":1}',
        "isBase64Encoded": False,
    }
    assert headers["content-type"] == "application/json"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-port"] == "4566"
    assert "cookie" not in headers
    assert "connection" not in headers
    assert context["http"] == {
        "method": "POST",
        "path": "/shop/items/7",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }
    assert (context["apiId"], context["domainPrefix"], context["stage"]) == ("abc", "abc", "shop")
    assert (context["time"], context["timeEpoch"]) == ("04/Mar/2020:19:03:58 +0000", 1583348638390)


def test_format_1_0_has_every_member_even_if_there_is_nothing_to_say() -> None:
    found = event(exchange(), "1.0")

    assert found["version"] == "1.0"
    assert found["resource"] == "/items/{id}"
    assert found["queryStringParameters"] == {"a": "2", "b": "x y", "c": ""}
    assert found["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["x y"], "c": [""]}
    assert found["multiValueHeaders"]["user-agent"] == ["test"]
    assert found["body"] is None
    assert found["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
    assert found["requestContext"]["identity"]["caller"] is None


@pytest.mark.parametrize(
    ("content_type", "body", "is_base64"),
    [
        ("text/csv", b"a,b", False),
        ("application/problem+json", b"{}", False),
        ("application/x-www-form-urlencoded", b"a=b", True),
        ("image/png", b"\x89PNG", True),
        ("text/plain", b"\xff", True),
    ],
)
def test_bodies_are_text_where_their_type_says_so(content_type: str, body: bytes, is_base64: bool) -> None:
    found = event(exchange(body, content_type=content_type), "2.0")

    assert found["isBase64Encoded"] is is_base64
    assert found["body"] == (base64.b64encode(body).decode() if is_base64 else body.decode())


def answered(result: Any, version: str = "2.0") -> tuple[int, dict[str, str], bytes]:
    response = answer(json.dumps(result).encode(), version)
    assert isinstance(response.body, bytes)
    return response.status, dict(response.headers), response.body


def test_any_json_is_an_answer_in_format_2_0() -> None:
    assert answered({"a": 1}) == (200, {"content-type": "application/json"}, b'{"a":1}')
    assert answered("hello") == (200, {"content-type": "application/json"}, b"hello")
    with pytest.raises(MalformedResponse):
        answered({"a": 1}, "1.0")


def test_explicit_answers() -> None:
    result = {
        "statusCode": "201",
        "headers": {"X-Count": 3},
        "cookies": ["a=b"],
        "body": "aGk=",
        "isBase64Encoded": True,
    }

    status, headers, body = answered(result)

    assert (status, body) == (201, b"hi")
    assert headers == {"x-count": "3", "set-cookie": "a=b", "content-type": "text/plain;charset=UTF-8"}


def test_multiple_values_of_a_header_in_format_1_0() -> None:
    result = {"statusCode": 200, "headers": {"X-A": "0"}, "multiValueHeaders": {"x-a": ["1", "2"]}}
    pairs = answer(json.dumps(result).encode(), "1.0").headers
    assert [pair for pair in pairs if pair[0] == "x-a"] == [("x-a", "1"), ("x-a", "2")]


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": 101},
        {"statusCode": 600},
        {"statusCode": 200, "headers": {"x-a\r\nx-b": "1"}},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_malformed_answers(result: Any) -> None:
    with pytest.raises(MalformedResponse):
        answered(result)


def test_cors_answers_only_origins_that_are_allowed() -> None:
    configuration = {"AllowOrigins": ["https://shop.example"], "AllowMethods": ["GET", "PUT"], "MaxAge": 60}
    good = {"origin": "https://shop.example", "access-control-request-method": "GET"}

    assert cors.is_preflight("OPTIONS", good)
    assert dict(cors.preflight(configuration, good)) == {
        "access-control-allow-origin": "https://shop.example",
        "access-control-allow-methods": "GET,PUT",
        "access-control-max-age": "60",
    }
    assert cors.preflight(configuration, {**good, "origin": "https://else.example"}) == []
    assert cors.answered({"AllowOrigins": ["*"]}, good) == [("access-control-allow-origin", "*")]
    assert cors.answered(configuration, {}) == []
