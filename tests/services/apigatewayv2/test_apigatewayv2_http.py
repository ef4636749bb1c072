"""The small print of HTTP: methods, headers, paths, sizes and times."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests


def raw(url: str, method: str = "GET", headers: list[tuple[str, str]] | None = None) -> tuple[Any, bytes]:
    """Sends a request as it is: headers may come twice, paths stay as they are written."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.putrequest(method, url.partition(parts.netloc)[2], skip_accept_encoding=True)
    for name, value in headers or []:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.fixture(scope="module")
def shop(make_api: Callable[..., Any]) -> Any:
    return make_api("GET /items/{id}", "HEAD /items/{id}", "ANY /all/{rest+}", "GET /slash/", "GET /", "POST /")


TWICE = [("cookie", "a=1; b=2"), ("cookie", "c=3"), ("x-many", "1"), ("x-many", "2")]


def test_headers_that_come_twice(shop: Any) -> None:
    event = json.loads(raw(f"{shop.url}/items/1", headers=TWICE)[1])
    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert event["headers"]["x-many"] == "1,2"
    assert "cookie" not in event["headers"]


def test_headers_that_come_twice_in_format_1_0(make_api: Callable[..., Any]) -> None:
    event = json.loads(raw(f"{make_api('GET /', PayloadFormatVersion='1.0').url}/", headers=TWICE)[1])
    assert event["multiValueHeaders"]["x-many"] == ["1", "2"]
    assert event["headers"]["x-many"] == "2"
    assert event["multiValueHeaders"]["cookie"] == ["a=1; b=2", "c=3"]


def test_paths_and_what_is_in_them(shop: Any) -> None:
    for path, variables in (
        ("/items/a%20b", {"id": "a b"}),
        ("/items/a%2Fb", {"id": "a/b"}),
        ("/items/%C3%A9", {"id": "é"}),
        ("/items/1/", {"id": "1"}),
        ("/all/a/b%3Fc/d", {"rest": "a/b?c/d"}),
    ):
        event = json.loads(raw(f"{shop.url}{path}")[1])
        assert event["pathParameters"] == variables
    assert json.loads(raw(f"{shop.url}/items/a%20b")[1])["rawPath"] == "/items/a b"
    assert raw(f"{shop.url}/slash")[0].status == 200
    assert raw(f"{shop.url}/items/")[0].status == 404
    assert raw(f"{shop.url}/items")[0].status == 404
    assert raw(f"{shop.url}")[0].status == 200


def test_query_strings(shop: Any) -> None:
    event = json.loads(raw(f"{shop.url}/items/1?a=1&a=2&b=%26&c&d=x+y")[1])
    assert event["rawQueryString"] == "a=1&a=2&b=%26&c&d=x+y"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "&", "c": "", "d": "x y"}


def test_methods(shop: Any) -> None:
    answer, body = raw(f"{shop.url}/items/1", "HEAD")
    assert (answer.status, body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0
    assert raw(f"{shop.url}/items/1", "DELETE")[0].status == 404
    for method in ("OPTIONS", "PATCH", "PUT", "DELETE"):
        event = json.loads(raw(f"{shop.url}/all/x", method)[1])
        assert (event["requestContext"]["http"]["method"], event["routeKey"]) == (method, "ANY /all/{rest+}")


def test_what_a_gateway_adds(shop: Any) -> None:
    answer, body = raw(f"{shop.url}/items/1", headers=[("x-forwarded-for", "1.2.3.4"), ("user-agent", "t")])
    event = json.loads(body)
    assert event["headers"]["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert event["headers"]["x-forwarded-proto"] == "http"
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert event["requestContext"]["requestId"] == answer.headers["apigw-requestid"]
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["requestContext"]["http"]["userAgent"] == "t"
    assert event["requestContext"]["domainPrefix"] == shop.id


def test_heads_that_are_too_large(shop: Any) -> None:
    answer, body = raw(f"{shop.url}/items/1", headers=[("x-large", "x" * 11_000)])
    assert (answer.status, json.loads(body)) == (431, {"message": "Request Header Fields Too Large"})


def test_bodies_in_chunks(shop: Any) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield b"x" * 1024 * 1024

    small = requests.post(
        f"{shop.url}/", data=iter([b"hel", b"lo"]), headers={"content-type": "text/plain"}, timeout=20
    )
    assert small.json()["body"] == "hello"
    assert requests.post(f"{shop.url}/", data=chunks(11), timeout=20).status_code == 413


def test_events_that_a_function_cannot_take(shop: Any) -> None:
    answer = requests.post(f"{shop.url}/", data=b"x" * (7 * 1024 * 1024), timeout=20)
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})


def test_integrations_that_take_too_long(make_handler: Callable[[str, str], str], make_api: Callable[..., Any]) -> None:
    slow = make_handler("slow", "import time\n\ndef handler(event, context):\n    time.sleep(2)")
    made = make_api("GET /", IntegrationUri=slow, TimeoutInMillis=100)
    answer = made.get("/")
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})


def test_functions_that_run_as_often_as_they_may(server: Any, make_handler: Any, make_api: Callable[..., Any]) -> None:
    made = make_api("GET /", IntegrationUri=make_handler("none", "def handler(event, context):\n    return 1"))
    server.client("lambda").put_function_concurrency(FunctionName="none", ReservedConcurrentExecutions=0)
    answer = made.get("/")
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_cookies_are_set(make_handler: Callable[[str, str], str], make_api: Callable[..., Any], version: str) -> None:
    source = """
def handler(event, context):
    cookies = ["a=1; Path=/", "b=2"]
    several = {"set-cookie": cookies} if event["version"] == "1.0" else {}
    return {"statusCode": 200, "cookies": cookies, "multiValueHeaders": several, "body": "ok"}
"""
    made = make_api("GET /", IntegrationUri=make_handler(f"baker-{version[0]}", source), PayloadFormatVersion=version)
    assert raw(f"{made.url}/")[0].headers.get_all("set-cookie") == ["a=1; Path=/", "b=2"]


def test_clients_of_http_1_0(server: Any, shop: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(f"GET {urlsplit(shop.url).path}/ HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["routeKey"] == "GET /"


def test_an_api_that_does_not_want_its_endpoint(api: Any, make_api: Callable[..., Any]) -> None:
    made = make_api("GET /")
    api.update_api(ApiId=made.id, DisableExecuteApiEndpoint=True)
    assert made.get("/").status_code == 404


def test_many_requests_at_once(make_api: Callable[..., Any]) -> None:
    made = make_api("GET /{id}")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: made.get(f"/{n}").json()["pathParameters"]["id"], range(100)))
    assert found == [str(n) for n in range(100)]
