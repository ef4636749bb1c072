"""ListMetrics: which metrics there are, of those that had data in the past two weeks."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.core.context import Call
from cloudlet.services.cloudwatch.datapoints import DAY, HOUR
from cloudlet.services.cloudwatch.errors import invalid_value
from cloudlet.services.cloudwatch.metrics import MetricId, metric_of_row
from cloudlet.store import Reader

_PAGE = 500
_SINCE = 14 * DAY
_RECENTLY = 3 * HOUR


def list_metrics(reader: Reader, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
    """Raises InvalidParameterValue for a foreign token."""
    if params.get("OwningAccount") not in (None, call.account):
        return {"Metrics": []}
    conditions, bindings = ["account = ?", "region = ?"], [call.account, call.region]
    for member, column in (("Namespace", "namespace"), ("MetricName", "name")):
        if member in params:
            conditions.append(f"{column} = ?")
            bindings.append(params[member])
    since = call.time - (_RECENTLY if "RecentlyActive" in params else _SINCE)
    rows = reader.rows(
        f"SELECT account, region, namespace, name, dimensions, id FROM metric WHERE {' AND '.join(conditions)}"
        " AND last_time > ? AND id > ? ORDER BY id",
        (*bindings, since, _read_token(params.get("NextToken"))),
    )
    return _page(rows, call, params)


def _page(rows: Iterable[tuple[Any, ...]], call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
    filters = [(each["Name"], each.get("Value")) for each in params.get("Dimensions", ())]
    found: list[dict[str, Any]] = []
    last = 0
    more = False
    for row in rows:
        metric = metric_of_row(row)
        if _matches(metric, filters):
            if len(found) == _PAGE:
                more = True
                break
            found.append(metric.described())
            last = row[5]
    answer: dict[str, Any] = {"Metrics": found}
    if params.get("IncludeLinkedAccounts"):
        answer["OwningAccounts"] = [call.account] * len(found)
    if more:
        answer["NextToken"] = base64.urlsafe_b64encode(f"metric:{last}".encode()).decode()
    return answer


def _matches(metric: MetricId, filters: Iterable[tuple[str, str | None]]) -> bool:
    dimensions = dict(metric.dimensions)
    return all(name in dimensions and value in (None, dimensions[name]) for name, value in filters)


def _read_token(token: str | None) -> int:
    if token is None:
        return 0
    try:
        kind, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        last = int(number)
    except (binascii.Error, ValueError):
        raise invalid_value("Invalid NextToken") from None
    if kind != "metric":
        raise invalid_value("Invalid NextToken")
    return last
