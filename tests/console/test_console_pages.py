"""The console's files over HTTP: what is there, and under which headers."""

import json
from typing import Any

import pytest
import requests

from cloudlet.cli.connection import Connection
from cloudlet.core.rootkeys import RootKey

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}
PAGE = "/_cloudlet/console/"


def ask(server: Any, path: str, method: str = "GET", **headers: str) -> requests.Response:
    return requests.request(method, server.url + path, headers=headers, allow_redirects=False, timeout=30)


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("", "text/html; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("console.css", "text/css; charset=utf-8"),
        ("console.js", "text/javascript; charset=utf-8"),
        ("apis.js", "text/javascript; charset=utf-8"),
        ("drawing.js", "text/javascript; charset=utf-8"),
        ("signature.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files(server: Any, name: str, type_: str):
    answer = ask(server, PAGE + name)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == type_
    assert len(answer.content) > 100


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PAGE, 200),
        ("GET", f"{PAGE}console.js", 200),
        ("GET", f"{PAGE}nothing.js", 404),
        ("POST", PAGE, 405),
        ("GET", "/_cloudlet/console", 307),
    ],
)
def test_every_answer_is_safe(server: Any, method: str, path: str, status: int):
    answer = ask(server, path, method, Origin="http://elsewhere.example")
    assert answer.status_code == status
    assert set(answer.headers["content-security-policy"].split("; ")) == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-cache"
    assert "access-control-allow-origin" not in answer.headers


def test_up_says_where_it_is(server: Any):
    assert f"  console      {server.url}{PAGE}\n" in server.log()


def test_head_has_no_body_but_its_length(server: Any):
    whole, head = ask(server, PAGE), ask(server, PAGE, "HEAD")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))


def test_what_is_known_is_not_sent_again(server: Any):
    etag = ask(server, f"{PAGE}console.css").headers["etag"]
    known = ask(server, f"{PAGE}console.css", **{"If-None-Match": f'"another", {etag}'})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", etag)
    assert ask(server, f"{PAGE}console.css", **{"If-None-Match": '"another"'}).status_code == 200


def test_the_path_without_a_slash_leads_to_the_page(server: Any):
    answer = ask(server, "/_cloudlet/console")
    assert (answer.status_code, answer.headers["location"]) == (307, PAGE)


@pytest.mark.parametrize("name", ["nothing.js", "pages.py", "../pages.py", "%2e%2e/pages.py", "page/index.html", "/"])
def test_other_paths_are_not_found(server: Any, name: str):
    url = server.url + PAGE + name
    prepared = requests.Request("GET", url).prepare()
    prepared.url = url  # as it stands: requests would take the dots away
    with requests.Session() as session:
        assert session.send(prepared, timeout=30).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_it_can_only_be_read(server: Any, method: str):
    answer = ask(server, PAGE, method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/_cloudlet/consoles", "/_cloudlet/", "/_cloudlet/other"])
def test_what_is_beside_it_is_not_the_consoles(server: Any, path: str):
    answer = ask(server, path)
    assert answer.status_code in (403, 404)
    assert "content-security-policy" not in answer.headers


def test_a_bucket_keeps_the_path_under_its_own_name(server: Any):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="shelf")
    s3.put_object(Bucket="shelf", Key="_cloudlet/console/index.html", Body=b"mine")
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shelf/*"}
    s3.delete_public_access_block(Bucket="shelf")
    s3.put_bucket_policy(Bucket="shelf", Policy=json.dumps({"Version": "2012-10-17", "Statement": [public]}))
    answer = ask(server, f"{PAGE}index.html", Host=f"shelf.localhost:{server.port}")
    assert answer.text == "mine"


def test_cloudlets_other_paths_still_answer(server: Any, signed_get: Any):
    assert server.health()["status"] == "ok"
    assert ask(server, "/_cloudlet/mail").status_code == 403
    assert signed_get("sns", "/_cloudlet/mail") == {"mail": []}
    assert [account["id"] for account in signed_get("iam", "/_cloudlet/accounts")["accounts"]] == ["000000000000"]


@pytest.fixture
def signed_get(server: Any) -> Any:
    """Asks as the command line does."""
    key = server.session().get_credentials()
    connection = Connection(server.url, "us-east-1", RootKey(key.access_key, key.secret_key))
    return lambda service, path: connection.ask(service, "GET", path)
