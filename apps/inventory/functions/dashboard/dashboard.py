"""Serves the dashboard: its page, and the JSON API that the page is written against.

    GET  /api/inventory   the levels                                  {"levels": [...]}
    GET  /api/uploads     what came of the files, the newest first    {"uploads": [...]}
    GET  /api/orders      the orders, the newest first                {"orders": [...]}
    GET  /api/reports     the nightly reports, the newest first       {"reports": [...]}
    GET  /reports/{day}   one of them, to download
    POST /api/uploads     where to put a file: {"name", "size"} in,   {"method", "url", "headers"} out

The lists carry an ETag, so that a page which asks again is answered 304 while nothing has changed. A file does
not pass through here: the page puts it into the bucket itself, with a URL that allows just that for some minutes.
"""

import base64
import hashlib
import json
import mimetypes
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

INCOMING = "inventory/"
ORDERS = "orders/"
REPORTS = "reports/"
LARGEST_UPLOAD = 100 * 1024 * 1024
LARGEST_ORDERS = 10 * 1024 * 1024

_FILE_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,200}\.(csv|json)", re.IGNORECASE)
_CONTENT_TYPES = {".csv": "text/csv", ".json": "application/json"}
_NEWEST_ORDERS = 200  # of each status
_REPORT = re.compile(r"reports/([0-9]{4}-[0-9]{2}-[0-9]{2})\.csv")
_DAYS_OF_REPORTS = 14
_URL_SECONDS = 300
_PAGE = Path(__file__).with_name("page")
# The page may talk to its own origin and to the bucket's, which is another one.
_POLICY = "default-src 'self'; connect-src 'self' http: https:; img-src 'self' data:; frame-ancestors 'none'"

# Signed for the bucket's own host in its region: from the global one a browser would be sent elsewhere.
_s3 = boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))
_dynamodb = boto3.client("dynamodb")

Answer = dict[str, Any]


class BadRequest(Exception):
    """Its message is for the person at the page."""


def handler(event: dict[str, Any], context: object) -> Answer:
    """Takes API Gateway's HTTP API events, payload format 2.0."""
    method, _, path = event["routeKey"].partition(" ")
    route = _ROUTES.get((method, path))
    try:
        return route(event) if route is not None else _page(event)
    except BadRequest as error:
        return _json(400, {"error": str(error)})


def _inventory(event: dict[str, Any]) -> Answer:
    levels = [
        {
            "store": row["Store"]["S"],
            "item": row["Item"]["S"],
            "count": int(row["Count"]["N"]),
            "counted": _counted(row),
        }
        for row in _rows(os.environ["TABLE"])
    ]
    levels.sort(key=lambda level: (level["count"] > 0, level["store"], level["item"]))
    return _unless_known(event, {"levels": levels})


def _uploads(event: dict[str, Any]) -> Answer:
    uploads = [_upload(row) for row in _rows(os.environ["UPLOADS_TABLE"])]
    uploads.sort(key=lambda upload: upload["version"], reverse=True)
    return _unless_known(event, {"uploads": uploads[:200]})


def _orders(event: dict[str, Any]) -> Answer:
    waiting, reserved = _orders_of("BACK_ORDERED"), _orders_of("RESERVED")
    orders = sorted(waiting + reserved, key=lambda order: (order["received"], order["since"]), reverse=True)
    return _unless_known(event, {"orders": orders})


def _orders_of(status: str) -> list[dict[str, Any]]:
    """Those that came into a status last."""
    found = _dynamodb.query(
        TableName=os.environ["ORDERS_TABLE"],
        IndexName="ByStatus",
        KeyConditionExpression="#status = :status",
        ExpressionAttributeNames={"#status": "Status"},
        ExpressionAttributeValues={":status": {"S": status}},
        ScanIndexForward=False,
        Limit=_NEWEST_ORDERS,
    )
    return [_order(row) for row in found["Items"]]


def _reports(event: dict[str, Any]) -> Answer:
    """Of the last two weeks; the names of days come before those of other reports."""
    first = (datetime.now(UTC) - timedelta(days=_DAYS_OF_REPORTS)).date().isoformat()
    found = _s3.list_objects_v2(
        Bucket=os.environ["BUCKET"], Prefix=REPORTS, StartAfter=REPORTS + first, MaxKeys=4 * _DAYS_OF_REPORTS
    )
    days = [match[1] for entry in found.get("Contents", []) if (match := _REPORT.fullmatch(entry["Key"]))]
    return _unless_known(event, {"reports": [{"day": day} for day in reversed(days)]})


def _report(event: dict[str, Any]) -> Answer:
    key = f"{REPORTS}{event['pathParameters']['day']}.csv"
    if not _REPORT.fullmatch(key):
        return _json(404, {"error": "There is no such report."})
    name = f'attachment; filename="stock-{event["pathParameters"]["day"]}.csv"'
    place = {"Bucket": os.environ["BUCKET"], "Key": key, "ResponseContentDisposition": name}
    url = _s3.generate_presigned_url("get_object", Params=place, ExpiresIn=_URL_SECONDS)
    return {"statusCode": 302, "headers": {"location": url, "cache-control": "no-store"}}


def _new_upload(event: dict[str, Any]) -> Answer:
    folder, name, size = wanted_upload(_text(event))
    headers = {"Content-Type": _CONTENT_TYPES[Path(name).suffix]}
    url = _s3.generate_presigned_url(
        "put_object",
        Params={
            "Bucket": os.environ["BUCKET"],
            "Key": folder + name,
            "ContentType": headers["Content-Type"],
            "ContentLength": size,
        },
        ExpiresIn=_URL_SECONDS,
    )
    return _json(201, {"method": "PUT", "url": url, "headers": headers})


def wanted_upload(body: str) -> tuple[str, str, int]:
    """The folder, name and size in bytes of the file that somebody wants to upload. Raises BadRequest."""
    try:
        wanted = json.loads(body)
        name, size, kind = wanted["name"], wanted["size"], wanted.get("kind", "inventory")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadRequest('Send a JSON object: {"name": "berlin.csv", "size": 123}.') from None
    if kind not in ("inventory", "orders"):
        raise BadRequest("The kind must be inventory or orders.")
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name) or name.startswith("."):
        raise BadRequest(
            "The file's name must end in .csv (orders: or .json), without slashes, at most 200 characters."
        )
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise BadRequest("The size must be the file's number of bytes.")
    if size == 0:
        raise BadRequest("The file is empty.")
    largest = LARGEST_UPLOAD if kind == "inventory" else LARGEST_ORDERS
    if size > largest:
        raise BadRequest(f"The file is larger than {largest // 1024**2} MB.")
    stem, ending = name[: name.rindex(".")], name[name.rindex(".") :].lower()
    if kind == "inventory" and ending == ".json":
        raise BadRequest("An inventory file's name must end in .csv.")
    return ORDERS if kind == "orders" else INCOMING, stem + ending, size


def _rows(table: str) -> Iterator[dict[str, Any]]:
    for page in _dynamodb.get_paginator("scan").paginate(TableName=table):
        yield from page["Items"]


def _counted(row: dict[str, Any]) -> str | None:
    return row["Counted"]["S"] if "Counted" in row else None


def _upload(row: dict[str, Any]) -> dict[str, Any]:
    errors = [error["M"] for error in row["Errors"]["L"]]
    return {
        "file": row["File"]["S"],
        "kind": row["Kind"]["S"] if "Kind" in row else "inventory",
        "version": row["Version"]["S"],
        "uploaded": row["Uploaded"]["S"],
        "size": int(row["Size"]["N"]),
        "loaded": int(row["Loaded"]["N"]),
        "rejected": int(row["Rejected"]["N"]),
        "stores": [store["S"] for store in row["Stores"]["L"]],
        "errors": [
            {"line": int(error["Line"]["N"]), "reason": error["Reason"]["S"], "text": error["Text"]["S"]}
            for error in errors
        ],
    }


def _order(row: dict[str, Any]) -> dict[str, Any]:
    """Without the customer: the dashboard is open to whoever knows its address."""
    short = [entry["M"] for entry in row["Lacking"]["L"]] if "Lacking" in row else []
    return {
        "order": row["Order"]["S"],
        "store": row["Store"]["S"],
        "status": row["Status"]["S"],
        "file": row["File"]["S"],
        "received": row["Received"]["S"],
        "since": row["Since"]["S"],
        "waited": row["Waited"]["S"] if "Waited" in row else None,
        "items": [
            {"item": entry["M"]["Item"]["S"], "count": int(entry["M"]["Count"]["N"])} for entry in row["Items"]["L"]
        ],
        "short": [
            {
                "item": entry["Item"]["S"],
                "wanted": int(entry["Wanted"]["N"]),
                "available": int(entry["Available"]["N"]),
            }
            for entry in short
        ],
    }


def _unless_known(event: dict[str, Any], content: object) -> Answer:
    """304 if the page has this already."""
    answer = _json(200, content)
    etag = f'"{hashlib.sha256(answer["body"].encode()).hexdigest()[:32]}"'
    headers = {**answer["headers"], "etag": etag, "cache-control": "no-cache"}
    if event.get("headers", {}).get("if-none-match") == etag:
        return {"statusCode": 304, "headers": headers}
    return {**answer, "headers": headers}


def _page(event: dict[str, Any]) -> Answer:
    """The page's own files. None but those in the folder, whatever the path says."""
    name = event.get("rawPath", "/").rsplit("/", 1)[-1] or "index.html"
    content = _FILES.get(name)
    if content is None:
        return _json(404, {"error": "There is nothing here."})
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {
        "content-type": f"{kind}; charset=utf-8",
        "cache-control": "no-cache",
        "content-security-policy": _POLICY,
    }
    return {"statusCode": 200, "headers": headers, "body": content}


def _json(status: int, content: object) -> Answer:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": body}


def _text(event: dict[str, Any]) -> str:
    body = event.get("body") or ""
    return base64.b64decode(body).decode("utf-8", "replace") if event.get("isBase64Encoded") else body


_FILES = {file.name: file.read_text(encoding="utf-8") for file in _PAGE.iterdir()}
_ROUTES: dict[tuple[str, str], Callable[[dict[str, Any]], Answer]] = {
    ("GET", "/api/inventory"): _inventory,
    ("GET", "/api/uploads"): _uploads,
    ("GET", "/api/orders"): _orders,
    ("GET", "/api/reports"): _reports,
    ("GET", "/reports/{day}"): _report,
    ("POST", "/api/uploads"): _new_upload,
}
