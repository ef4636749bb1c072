"""Fills back-orders when a file brings stock: the oldest first, each as soon as all of it is there.

The stream hands over the levels that a file wrote. An order that still cannot be met goes on waiting and does not
hold up those behind it. What is repeated does no harm: an order that is filled waits no more.
"""

import logging
import os
from typing import Any

import boto3
from botocore.config import Config
from reservation import Reservations

_log = logging.getLogger()
_log.setLevel(logging.INFO)

_dynamodb = boto3.client("dynamodb", config=Config(retries={"mode": "standard", "total_max_attempts": 5}))


def handler(event: dict[str, Any], context: object) -> None:
    """Takes records of the inventory table's stream."""
    brought = {
        (image["Store"]["S"], image["Item"]["S"])
        for record in event["Records"]
        if "Count" in (image := record["dynamodb"].get("NewImage", {}))
    }
    reservations = Reservations(_dynamodb, os.environ["TABLE"], os.environ["ORDERS_TABLE"])
    for row in reservations.waiting():
        if waits_for(row, brought) and reservations.fill(row):
            _log.info("order %s reserved, after it waited since %s", row["Order"]["S"], row["Since"]["S"])


def waits_for(row: dict[str, Any], brought: set[tuple[str, str]]) -> bool:
    """Whether any of these levels, by store and item, is one that a back-order lacks."""
    store = row["Store"]["S"]
    return any((store, short["M"]["Item"]["S"]) in brought for short in row.get("Lacking", {}).get("L", []))
