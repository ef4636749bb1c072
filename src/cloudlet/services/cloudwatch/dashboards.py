"""Dashboards: their rows and the rules for their bodies. They belong to the account, not to a region."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudwatch.errors import invalid_value
from cloudlet.store import Reader, Transaction

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


def check_dashboard(name: str, body: str) -> None:
    """Raises InvalidParameterInput with AWS's messages about the body, InvalidParameterValue for the name."""
    if _NAME.fullmatch(name) is None:
        raise invalid_value(f"The value {name} for field DashboardName contains invalid characters.")
    try:
        found = orjson.loads(body)
    except ValueError:
        raise _invalid_body("/", "The field DashboardBody must be a valid JSON object") from None
    if not isinstance(found, dict) or not isinstance(found.get("widgets"), list):
        raise _invalid_body("/widgets", "The dashboard body must be an object with an array of widgets")
    for number, widget in enumerate(found["widgets"]):
        if not isinstance(widget, dict) or "type" not in widget:
            raise _invalid_body(f"/widgets/{number}", "Should have required property 'type'")


def _invalid_body(path: str, message: str) -> AwsError:
    messages = [{"DataPath": path, "Message": message}]
    words = "The field DashboardBody must be a valid dashboard: " + message
    return AwsError("DashboardInvalidInputError", words, fields={"dashboardValidationMessages": messages})


def put_dashboard(tx: Transaction, account: str, name: str, body: str, tags: Mapping[str, str], now: float) -> None:
    """Tags count for a new one only."""
    tx.execute(
        "INSERT INTO dashboard (account, name, body, tags, modified) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET body = excluded.body, modified = excluded.modified",
        (account, name, body, json.dumps(tags), now),
    )


def dashboard_body(reader: Reader, account: str, name: str) -> str:
    row = reader.one("SELECT body FROM dashboard WHERE account = ? AND name = ?", (account, name))
    if row is None:
        raise AwsError("DashboardNotFoundError", f"Dashboard {name} does not exist")
    return row[0]


def dashboard_tags(reader: Reader, account: str, name: str) -> dict[str, str] | None:
    row = reader.one("SELECT tags FROM dashboard WHERE account = ? AND name = ?", (account, name))
    return None if row is None else json.loads(row[0])


def change_dashboard_tags(tx: Transaction, account: str, name: str, tags: Mapping[str, str]) -> None:
    tx.execute("UPDATE dashboard SET tags = ? WHERE account = ? AND name = ?", (json.dumps(tags), account, name))


def list_dashboards(reader: Reader, account: str, prefix: str, after: str, size: int) -> list[dict[str, Any]]:
    rows = reader.rows(
        "SELECT name, modified, length(CAST(body AS BLOB)) FROM dashboard"
        " WHERE account = ? AND name > ? AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?",
        (account, after, len(prefix), prefix, size),
    )
    return [
        {"DashboardName": name, "DashboardArn": dashboard_arn(account, name), "LastModified": modified, "Size": size_}
        for name, modified, size_ in rows
    ]


def delete_dashboards(tx: Transaction, account: str, names: list[str]) -> None:
    """All of them or none. Raises ResourceNotFound."""
    for name in names:
        if not tx.execute("DELETE FROM dashboard WHERE account = ? AND name = ?", (account, name)):
            raise AwsError("DashboardNotFoundError", f"Dashboard {name} does not exist")


def dashboard_arn(account: str, name: str) -> str:
    return f"arn:aws:cloudwatch::{account}:dashboard/{name}"
