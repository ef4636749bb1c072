"""Takes every file of orders that arrives in the bucket, and says per file what came of it.

What became of an order is in the orders table, at any moment. Of the file there are the orders that were taken and
the lines that were refused: in the table of uploads, for the dashboard, and as `reports/orders/<file>.json` in the
bucket. All of it may be repeated at any point: an order that was taken before is left as it is.
"""

import json
import logging
import os
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config
from order_file import Order, Refused, read_orders
from reservation import RESERVED, Reservations

INCOMING = "orders/"
REPORTS = "reports/"
LARGEST_FILE = 10 * 1024 * 1024

_ERRORS_IN_REPORT = 1_000
_ERRORS_ON_DASHBOARD = 50

_log = logging.getLogger()
_log.setLevel(logging.INFO)

_config = Config(retries={"mode": "standard", "total_max_attempts": 5})
_s3 = boto3.client("s3", config=_config)
_dynamodb = boto3.client("dynamodb", config=_config)


@dataclass
class Report:
    """What came of a file. `orders` were taken, now or when the file came before; `errors` holds the first refused."""

    file: str
    uploaded: str
    size: int
    orders: int = 0
    refused: int = 0
    errors: list[Refused] = field(default_factory=list)

    def refuse(self, refused: Refused) -> None:
        self.refused += 1
        if len(self.errors) < _ERRORS_IN_REPORT:
            self.errors.append(refused)


def handler(event: dict[str, Any], context: object) -> None:
    """Takes S3 event notifications."""
    for record in event.get("Records", []):  # S3's own test event has none
        _process(record)


def _process(record: dict[str, Any]) -> None:
    bucket = record["s3"]["bucket"]["name"]
    key = unquote_plus(record["s3"]["object"]["key"])
    if key.endswith("/"):
        return  # a folder that somebody made in S3's console
    try:
        found = _s3.get_object(Bucket=bucket, Key=key)
    except _s3.exceptions.NoSuchKey:
        _log.info("%s is gone: no orders to take", key)
        return
    report = Report(key, record["eventTime"], found["ContentLength"])
    if report.size > LARGEST_FILE:
        report.refuse(Refused(1, f"the file is larger than {LARGEST_FILE // 1024**2} MB: send it in parts", ""))
    else:
        _take(read_orders(key, found["Body"].read()), report)
    if _is_latest(report, f"{record['eventTime']} {record['s3']['object']['sequencer']}"):
        _publish(bucket, report)
    _log.info("%s: %d orders taken, %d refused", key, report.orders, report.refused)


def _take(entries: list[Order | Refused], report: Report) -> None:
    """One order after the other: who comes first in the file is served first."""
    reservations = Reservations(_dynamodb, os.environ["TABLE"], os.environ["ORDERS_TABLE"])
    for entry in entries:
        if isinstance(entry, Refused):
            report.refuse(entry)
            continue
        outcome = reservations.take(entry, report.file, report.uploaded)
        if not outcome.same:
            reason = f"order {entry.order} was taken before and wanted something else: give a new order a new name"
            report.refuse(Refused(entry.line, reason, ""))
            continue
        report.orders += 1
        if outcome.new:
            what = "reserved" if outcome.status == RESERVED else f"back-ordered: {outcome.short}"
            _log.info("order %s %s", entry.order, what)


def _is_latest(report: Report, version: str) -> bool:
    """Records the file for the dashboard; False if a newer upload of the same file is there already."""
    errors = [
        {"M": {"Line": {"N": str(error.line)}, "Reason": {"S": error.reason}, "Text": {"S": error.text}}}
        for error in report.errors[:_ERRORS_ON_DASHBOARD]
    ]
    try:
        _dynamodb.put_item(
            TableName=os.environ["UPLOADS_TABLE"],
            Item={
                "File": {"S": report.file},
                "Kind": {"S": "orders"},
                "Version": {"S": version},
                "Uploaded": {"S": report.uploaded},
                "Size": {"N": str(report.size)},
                "Loaded": {"N": str(report.orders)},
                "Rejected": {"N": str(report.refused)},
                "Stores": {"L": []},
                "Errors": {"L": errors},
            },
            ConditionExpression="attribute_not_exists(#version) OR #version <= :version",
            ExpressionAttributeNames={"#version": "Version"},
            ExpressionAttributeValues={":version": {"S": version}},
        )
    except _dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _publish(bucket: str, report: Report) -> None:
    _s3.put_object(
        Bucket=bucket,
        Key=f"{REPORTS}{report.file}.json",
        Body=json.dumps(asdict(report), ensure_ascii=False, indent=2).encode(),
        ContentType="application/json",
    )
