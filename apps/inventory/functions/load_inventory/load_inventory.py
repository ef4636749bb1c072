"""Loads every inventory file that arrives in the bucket, and says per file what came of it.

The result goes to two places: into the table of uploads, for the dashboard, and as `reports/<file>.json` into the
bucket, for people and programs. A load may be repeated at any point: it ends in the same levels and the same report.
"""

import io
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from inventory_file import Rejected, Row, read_inventory
from late_orders import OrdersSince
from levels import Levels

INCOMING = "inventory/"
REPORTS = "reports/"

_ERRORS_IN_REPORT = 1_000
_ERRORS_ON_DASHBOARD = 50
_STORES_ON_DASHBOARD = 100

_log = logging.getLogger()
_log.setLevel(logging.INFO)

_config = Config(retries={"mode": "standard", "total_max_attempts": 5})
_s3 = boto3.client("s3", config=_config)
_dynamodb = boto3.client("dynamodb", config=_config)


@dataclass
class Report:
    """What came of a file. `stores` counts the good rows of each store; `errors` holds the first bad ones."""

    file: str
    uploaded: str
    size: int
    loaded: int = 0
    rejected: int = 0
    stores: dict[str, int] = field(default_factory=dict)
    errors: list[Rejected] = field(default_factory=list)

    def good_rows(self, lines: Iterator[Row | Rejected]) -> Iterator[Row]:
        """Passes the good rows on and keeps account of all."""
        for line in lines:
            if isinstance(line, Row):
                self.loaded += 1
                self.stores[line.store] = self.stores.get(line.store, 0) + 1
                yield line
            else:
                self.rejected += 1
                if len(self.errors) < _ERRORS_IN_REPORT:
                    self.errors.append(line)


def handler(event: dict[str, Any], context: object) -> None:
    """Takes S3 event notifications."""
    for record in event.get("Records", []):  # S3's own test event has none
        _load(record)


def _load(record: dict[str, Any]) -> None:
    bucket = record["s3"]["bucket"]["name"]
    key = unquote_plus(record["s3"]["object"]["key"])
    try:
        # Whatever is there now: at least as new as the event, and if newer, its own event will come.
        found = _s3.get_object(Bucket=bucket, Key=key)
    except _s3.exceptions.NoSuchKey:
        _log.info("%s is gone: nothing to load", key)
        return
    version = version_of(record)
    report = Report(key.removeprefix(INCOMING), record["eventTime"], found["ContentLength"])
    text = io.TextIOWrapper(io.BufferedReader(found["Body"]), encoding="utf-8-sig", errors="replace", newline="")
    levels = Levels(_dynamodb, os.environ["TABLE"], OrdersSince(_dynamodb, os.environ["ORDERS_TABLE"]))
    levels.write(report.good_rows(read_inventory(text)), version, report.uploaded)
    if _is_latest(report, version):
        _publish(bucket, report)
    _log.info("%s: %d rows loaded, %d rejected", key, report.loaded, report.rejected)


def version_of(record: dict[str, Any]) -> str:
    """Sorts as the uploads happened: by time, and those of one object in the same millisecond by S3's sequencer."""
    return f"{record['eventTime']} {record['s3']['object']['sequencer']}"


def _is_latest(report: Report, version: str) -> bool:
    """Records the upload for the dashboard; False if a newer upload of the same file is there already."""
    errors = [
        {"M": {"Line": {"N": str(error.line)}, "Reason": {"S": error.reason}, "Text": {"S": error.text}}}
        for error in report.errors[:_ERRORS_ON_DASHBOARD]
    ]
    upload = {
        "File": {"S": report.file},
        "Version": {"S": version},
        "Uploaded": {"S": report.uploaded},
        "Size": {"N": str(report.size)},
        "Loaded": {"N": str(report.loaded)},
        "Rejected": {"N": str(report.rejected)},
        "Stores": {"L": [{"S": store} for store in islice(report.stores, _STORES_ON_DASHBOARD)]},
        "Errors": {"L": errors},
    }
    try:
        _dynamodb.put_item(
            TableName=os.environ["UPLOADS_TABLE"],
            Item=upload,
            ConditionExpression="attribute_not_exists(#version) OR #version <= :version",
            ExpressionAttributeNames={"#version": "Version"},
            ExpressionAttributeValues={":version": {"S": version}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def _publish(bucket: str, report: Report) -> None:
    text = json.dumps(asdict(report), ensure_ascii=False, indent=2)
    _s3.put_object(
        Bucket=bucket,
        Key=f"{REPORTS}{report.file}.json",
        Body=text.encode(),
        ContentType="application/json",
    )
