"""Writes the nightly stock report into the bucket: `reports/YYYY-MM-DD.csv` for people, `.json` for programs.

The day is that of the moment for which the schedule invoked the function, in the shops' time zone: a report that is
late, or written again, keeps its name.
"""

import csv
import io
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import boto3
from botocore.config import Config

REPORTS = "reports/"

_log = logging.getLogger()
_log.setLevel(logging.INFO)

_config = Config(retries={"mode": "standard", "total_max_attempts": 5})
_s3 = boto3.client("s3", config=_config)
_dynamodb = boto3.client("dynamodb", config=_config)

Row = dict[str, Any]


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Takes {"scheduled": an ISO 8601 time}, or nothing for a report of now. Answers which objects it wrote."""
    moment = datetime.fromisoformat(event["scheduled"]) if event.get("scheduled") else datetime.now(UTC)
    day = moment.astimezone(ZoneInfo(os.environ.get("TIME_ZONE", "UTC"))).date().isoformat()
    report = stock_report(day, list(_levels()), list(_back_orders()))
    written = {
        "csv": _write(f"{REPORTS}{day}.csv", as_csv(report), "text/csv; charset=utf-8"),
        "json": _write(f"{REPORTS}{day}.json", json.dumps(report, ensure_ascii=False, indent=2), "application/json"),
    }
    _log.info("report of %s: %s", day, report["totals"])
    return written


def stock_report(day: str, levels: list[Row], back_orders: list[Row]) -> Row:
    """All levels with what is waited for, what is out of stock, the open back-orders.

    An item that is waited for and was never counted stands among the levels without a count.
    """
    waiting: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for order in back_orders:
        for item in order["items"]:
            waiting.setdefault((order["store"], item["item"]), []).append((order["order"], item["count"]))
    counts = {(level["store"], level["item"]): level["count"] for level in levels}
    rows = [_row(store, item, counts.get((store, item)), waiting) for store, item in sorted({*counts, *waiting})]
    out = [{"store": row["store"], "item": row["item"]} for row in rows if row["state"] != "in stock"]
    totals = {"levels": len(counts), "units": sum(counts.values()), "out_of_stock": len(out)}
    totals["back_orders"] = len(back_orders)
    return {"day": day, "totals": totals, "levels": rows, "out_of_stock": out, "back_orders": back_orders}


def _row(store: str, item: str, count: int | None, waiting: dict[tuple[str, str], list[tuple[str, int]]]) -> Row:
    orders = waiting.get((store, item), [])
    return {
        "store": store,
        "item": item,
        "count": count,
        "state": "never counted" if count is None else "in stock" if count else "out of stock",
        "back_ordered": sum(pieces for _, pieces in orders),
        "orders": [order for order, _ in orders],
    }


def as_csv(report: Row) -> str:
    """The levels, with a byte order mark so that spreadsheets read it as UTF-8."""
    text = io.StringIO(newline="")
    text.write("\ufeff")
    lines = csv.writer(text)
    lines.writerow(["store", "item", "count", "state", "back_ordered", "orders"])
    for row in report["levels"]:
        count = "" if row["count"] is None else row["count"]
        cells = [row["store"], row["item"], count, row["state"], row["back_ordered"], " ".join(row["orders"])]
        lines.writerow([_harmless(cell) for cell in cells])
    return text.getvalue()


def _harmless(cell: str | int) -> str | int:
    """A spreadsheet must not take a name that came in a file for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell


def _levels() -> Iterator[Row]:
    for page in _dynamodb.get_paginator("scan").paginate(TableName=os.environ["TABLE"], ConsistentRead=True):
        for row in page["Items"]:
            yield {"store": row["Store"]["S"], "item": row["Item"]["S"], "count": int(row["Count"]["N"])}


def _back_orders() -> Iterator[Row]:
    """The oldest first."""
    pages = _dynamodb.get_paginator("query").paginate(
        TableName=os.environ["ORDERS_TABLE"],
        IndexName="ByStatus",
        KeyConditionExpression="#status = :status",
        ExpressionAttributeNames={"#status": "Status"},
        ExpressionAttributeValues={":status": {"S": "BACK_ORDERED"}},
    )
    for page in pages:
        for row in page["Items"]:
            yield {
                "order": row["Order"]["S"],
                "store": row["Store"]["S"],
                "received": row["Received"]["S"],
                "items": [
                    {"item": entry["M"]["Item"]["S"], "count": int(entry["M"]["Count"]["N"])}
                    for entry in row["Items"]["L"]
                ],
            }


def _write(key: str, text: str, content_type: str) -> str:
    _s3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=text.encode(), ContentType=content_type)
    return key
