"""The dashboard's answers: which uploads it signs, what it says of lists that the page has already."""

import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import dashboard
import pytest
from dashboard import LARGEST_UPLOAD, BadRequest, wanted_upload


def request(route: str, path: str | None = None, body: str | None = None, **headers: str) -> dict[str, Any]:
    return {"routeKey": route, "rawPath": path or route.split()[1], "headers": headers, "body": body}


def test_a_wanted_upload_has_a_name_and_a_size():
    assert wanted_upload('{"name": "berlin.csv", "size": 123}') == ("inventory/", "berlin.csv", 123)
    assert wanted_upload('{"name": "Zürich (1).CSV", "size": 1}') == ("inventory/", "Zürich (1).csv", 1)
    wanted = '{"name": "web.JSON", "size": 1, "kind": "orders"}'
    assert wanted_upload(wanted) == ("orders/", "web.json", 1)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '"berlin.csv"',
        '{"name": "berlin.csv"}',
        '{"name": "berlin.txt", "size": 1}',
        '{"name": "../reports/berlin.csv", "size": 1}',
        '{"name": "a\\\\b.csv", "size": 1}',
        '{"name": ".csv", "size": 1}',
        '{"name": "a\\nb.csv", "size": 1}',
        '{"name": 7, "size": 1}',
        '{"name": "orders.json", "size": 1}',
        '{"name": "berlin.csv", "size": 1, "kind": "reports"}',
        '{"name": "berlin.csv", "size": 0}',
        '{"name": "berlin.csv", "size": -1}',
        '{"name": "berlin.csv", "size": true}',
        '{"name": "berlin.csv", "size": "1"}',
        json.dumps({"name": "berlin.csv", "size": LARGEST_UPLOAD + 1}),
        json.dumps({"name": "b" * 201 + ".csv", "size": 1}),
    ],
)
def test_other_uploads_are_refused(body: str):
    with pytest.raises(BadRequest):
        wanted_upload(body)


def test_a_refusal_says_why():
    answer = dashboard.handler(request("POST /api/uploads", body='{"name": "berlin.csv", "size": 0}'), None)
    assert (answer["statusCode"], json.loads(answer["body"])) == (400, {"error": "The file is empty."})


def row(store: str, item: str, count: int) -> dict[str, Any]:
    return {"Store": {"S": store}, "Item": {"S": item}, "Count": {"N": str(count)}}


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    rows = [row("Berlin", "Tap", 15), row("Tokyo", "Dot", 0), row("Berlin", "Plus", 0)]
    monkeypatch.setenv("TABLE", "Inventory")
    monkeypatch.setattr(dashboard, "_rows", lambda table: iter(rows))
    return rows


def test_levels_come_with_what_is_out_of_stock_first(levels: list[dict[str, Any]]):
    answer = dashboard.handler(request("GET /api/inventory"), None)
    found = [(level["store"], level["item"], level["count"]) for level in json.loads(answer["body"])["levels"]]
    assert found == [("Berlin", "Plus", 0), ("Tokyo", "Dot", 0), ("Berlin", "Tap", 15)]


def test_who_has_the_levels_already_gets_304_until_they_change(levels: list[dict[str, Any]]):
    etag = dashboard.handler(request("GET /api/inventory"), None)["headers"]["etag"]
    again = request("GET /api/inventory", **{"if-none-match": etag})
    assert dashboard.handler(again, None)["statusCode"] == 304
    levels[0]["Count"]["N"] = "14"
    assert dashboard.handler(again, None)["statusCode"] == 200


def test_the_page_and_nothing_else_is_served():
    page = dashboard.handler(request("GET /"), None)
    assert (page["statusCode"], page["headers"]["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'self'" in page["headers"]["content-security-policy"]
    assert dashboard.handler(request("GET /{file}", "/dashboard.css"), None)["statusCode"] == 200
    for path in ("/dashboard.py", "/..%2fdashboard.py", "/favicon.ico"):
        assert dashboard.handler(request("GET /{file}", path), None)["statusCode"] == 404


def test_an_upload_is_signed_for_the_buckets_host_its_name_and_its_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BUCKET", "inventory")
    answer = dashboard.handler(request("POST /api/uploads", body='{"name": "Zürich (1).csv", "size": 123}'), None)
    place = json.loads(answer["body"])
    assert (answer["statusCode"], place["method"], place["headers"]) == (201, "PUT", {"Content-Type": "text/csv"})
    url = urlsplit(place["url"])
    assert (url.hostname, unquote(url.path)) == ("inventory.s3.eu-central-1.amazonaws.com", "/inventory/Zürich (1).csv")
    assert parse_qs(url.query)["X-Amz-SignedHeaders"] == ["content-length;content-type;host"]
    assert parse_qs(url.query)["X-Amz-Expires"] == ["300"]
