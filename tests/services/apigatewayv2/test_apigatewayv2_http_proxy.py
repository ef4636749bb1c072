"""HTTP integrations, with another web server behind them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests


class Answering(BaseHTTPRequestHandler):
    """Says what it was asked; `/endless/` never stops."""

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
