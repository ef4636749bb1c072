"""Tells the managers when an item becomes out of stock: once, whatever is retried.

The stream hands over every change of a level in order, and hands it over again if anything failed in between. So
the table of alerts remembers, per item, the sequence number of the last change that was told. What is told and what
is remembered cannot be one step; the order here is *tell, then remember*: no alert is ever lost, and one is told
twice only if this function dies in the instant between the two.
"""

import logging
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import boto3
from botocore.config import Config

_PUBLISH_BATCH = 10  # SNS's limit
_GET_BATCH = 100  # DynamoDB's limit
_SUBJECT_LENGTH = 99  # SNS's limit

_log = logging.getLogger()
_log.setLevel(logging.INFO)

_config = Config(retries={"mode": "standard", "total_max_attempts": 5})
_sns = boto3.client("sns", config=_config)
_dynamodb = boto3.resource("dynamodb", config=_config)


@dataclass(frozen=True, slots=True)
class Alert:
    """A change that emptied an item's shelf. `before` is None for an item that was not known.

    `taken_by` is the order that took the last pieces, empty if it was a count that found none.
    """

    store: str
    item: str
    before: Decimal | None
    counted: str
    sequence_number: str
    taken_by: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.store, self.item

    @property
    def order(self) -> str:
        """Sorts as the changes happened: sequence numbers are whole numbers of up to 40 digits."""
        return self.sequence_number.zfill(40)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Takes records of the inventory table's stream; answers from which one on they are to be sent again, if any."""
    alerts = [alert for record in event["Records"] if (alert := emptied(record)) is not None]
    for batch in _side_by_side(_not_yet_told(alerts)):
        told, untold = _tell(batch)
        _remember(told)
        if untold:
            first = min(untold, key=lambda alert: alert.order)
            return {"batchItemFailures": [{"itemIdentifier": first.sequence_number}]}
    return {"batchItemFailures": []}


def emptied(record: dict[str, Any]) -> Alert | None:
    """The alert that a change of a level calls for: there was something, or nothing was known, and now there is 0."""
    change = record["dynamodb"]
    new = change.get("NewImage", {})
    count, before = _count(new), _count(change.get("OldImage", {}))
    if count is None or count > 0 or before == 0:
        return None
    counted, taken_by = (new.get(name, {}).get("S", "") for name in ("Counted", "TakenBy"))
    return Alert(new["Store"]["S"], new["Item"]["S"], before, counted, change["SequenceNumber"], taken_by)


def _count(image: dict[str, Any]) -> Decimal | None:
    """None where there is no such number: no item, or one that somebody wrote by hand."""
    number = image.get("Count", {}).get("N")
    return None if number is None else Decimal(number)


def subject(alert: Alert) -> str:
    """For the subject line of an e-mail, where SNS allows ASCII only."""
    text = f"Out of stock: {alert.item} in {alert.store}".replace("ß", "ss")
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return plain[:_SUBJECT_LENGTH]


def message(alert: Alert, dashboard: str) -> str:
    lines = [f"{alert.item} is out of stock in {alert.store}.", ""]
    if alert.counted:
        lines.append(f"Counted:   {_readable(alert.counted)}")
    lines.append(f"Before:    {'not in the inventory' if alert.before is None else f'{alert.before} in stock'}")
    if alert.taken_by:
        lines.append(f"Taken by:  order {alert.taken_by}")
    if dashboard:
        lines.append(f"Dashboard: {dashboard}")
    return "\n".join(lines)


def _readable(time: str) -> str:
    return datetime.fromisoformat(time).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def _not_yet_told(alerts: list[Alert]) -> list[Alert]:
    """Without those that an earlier attempt told."""
    told: dict[tuple[str, str], str] = {}
    keys = [{"Store": store, "Item": item} for store, item in dict.fromkeys(alert.key for alert in alerts)]
    for start in range(0, len(keys), _GET_BATCH):
        batch = keys[start : start + _GET_BATCH]
        wanted: dict[str, Any] = {os.environ["ALERTS_TABLE"]: {"Keys": batch, "ConsistentRead": True}}
        while wanted:
            found = _dynamodb.batch_get_item(RequestItems=wanted)
            for alert in found["Responses"].get(os.environ["ALERTS_TABLE"], []):
                told[alert["Store"], alert["Item"]] = alert["Change"]
            wanted = found.get("UnprocessedKeys", {})
    return [alert for alert in alerts if alert.order > told.get(alert.key, "")]


def _tell(alerts: list[Alert]) -> tuple[list[Alert], list[Alert]]:
    """Publishes up to ten alerts; returns those that SNS took and those that it did not."""
    entries = [
        {
            "Id": str(number),
            "Subject": subject(alert),
            "Message": message(alert, os.environ.get("DASHBOARD_URL", "")),
            "MessageAttributes": {
                "store": {"DataType": "String", "StringValue": alert.store},
                "item": {"DataType": "String", "StringValue": alert.item},
            },
        }
        for number, alert in enumerate(alerts)
    ]
    answer = _sns.publish_batch(TopicArn=os.environ["TOPIC"], PublishBatchRequestEntries=entries)
    told = [alerts[int(entry["Id"])] for entry in answer["Successful"]]
    untold = [alerts[int(entry["Id"])] for entry in answer["Failed"]]
    for alert in told:
        _log.info("told: %s in %s is out of stock", alert.item, alert.store)
    for entry in answer["Failed"]:
        _log.error("not told: %s", entry)
    return told, untold


def _remember(alerts: list[Alert]) -> None:
    """The last change of each item is enough: the stream keeps the order of an item's changes."""
    with _dynamodb.Table(os.environ["ALERTS_TABLE"]).batch_writer(overwrite_by_pkeys=["Store", "Item"]) as batch:
        for alert in sorted(alerts, key=lambda alert: alert.order):
            item = {"Store": alert.store, "Item": alert.item, "Change": alert.order, "Counted": alert.counted}
            batch.put_item(Item=item)


def _side_by_side(alerts: list[Alert]) -> Iterator[list[Alert]]:
    """In order, up to ten at a time, never two of one item: its second is told only once its first was."""
    batch: dict[tuple[str, str], Alert] = {}
    for alert in alerts:
        if alert.key in batch or len(batch) == _PUBLISH_BATCH:
            yield list(batch.values())
            batch = {}
        batch[alert.key] = alert
    if batch:
        yield list(batch.values())
