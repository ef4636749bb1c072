"""HTTP integrations, with another web server behind them."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests


class Answering(BaseHTTPRequestHandler):
    """Says what it was asked; `/endless/` never stops, `/slow` takes two seconds."""

    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            time.sleep(2)
        body = json.dumps({"path": self.path, "headers": dict(self.headers.items())}).encode()
        self.send_response(200)
        self.send_header("set-cookie", "a=1")
        self.send_header("set-cookie", "b=2")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(201)
        self.send_header("x-path", self.path)
        if self.path.startswith("/endless"):
            self.end_headers()
            self._go_on()
            return
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _go_on(self) -> None:
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            return  # nobody listens any more

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def behind() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()
        thread.join()


@pytest.fixture
def url(server: Any, behind: str) -> str:
    return passing_on(server, behind)


def passing_on(server: Any, behind: str, **settings: Any) -> str:
    """An API that passes on what comes."""
    api = server.client("apigatewayv2")
    api_id = api.create_api(Name="proxy", ProtocolType="HTTP")["ApiId"]
    uri = f"{behind}/{{proxy}}"
    integration = api.create_integration(
        ApiId=api_id,
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="ANY",
        IntegrationUri=uri,
        PayloadFormatVersion="1.0",
        **settings,
    )["IntegrationId"]
    api.create_route(ApiId=api_id, RouteKey="ANY /{proxy+}", Target=f"integrations/{integration}")
    api.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    return f"{server.url}/_aws/execute-api/{api_id}"


def test_requests_and_answers_are_passed_on(url: str) -> None:
    answer = requests.post(f"{url}/a/b?c=d", data=b"hello", timeout=20)
    assert (answer.status_code, answer.headers["x-path"], answer.content) == (201, "/a/b?c=d", b"hello")


def test_an_answer_that_never_ends_is_given_up(url: str) -> None:
    answer = requests.post(f"{url}/endless/", timeout=20)
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


def test_what_a_proxy_adds_and_leaves_out(url: str) -> None:
    answer = requests.get(f"{url}/a", headers={"forwarded": "for=1.2.3.4", "te": "trailers", "x-own": "1"}, timeout=20)
    headers = {name.lower(): value for name, value in answer.json()["headers"].items()}
    assert headers["via"] == "HTTP/1.1 AmazonAPIGateway"
    assert headers["forwarded"].startswith("for=1.2.3.4,by=")
    assert headers["x-own"] == "1"
    assert "te" not in headers
    assert answer.raw.headers.getlist("set-cookie") == ["a=1", "b=2"]


def test_paths_keep_their_escapes(url: str) -> None:
    assert requests.get(f"{url}/a%3Fb/c%20d?e=%26", timeout=20).json()["path"] == "/a%3Fb/c%20d?e=%26"


def test_head(url: str) -> None:
    answer = requests.head(f"{url}/a", timeout=20)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_an_integration_that_takes_too_long(server: Any, behind: str) -> None:
    answer = requests.get(f"{passing_on(server, behind, TimeoutInMillis=100)}/slow", timeout=20)
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})


def test_a_path_of_its_own(server: Any, behind: str) -> None:
    url = passing_on(server, behind, RequestParameters={"overwrite:path": "/other/${request.path.proxy}"})
    assert requests.get(f"{url}/a?b=c", timeout=20).json()["path"] == "/other/a?b=c"
