"""Metric filters: measurements of the log events that match a pattern."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.logs.arrivals import Arrival
from cloudlet.services.logs.base import LogsBase, find_group, milliseconds
from cloudlet.services.logs.comparisons import number
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.filter_pattern import FilterPattern, compiled
from cloudlet.services.logs.filters import check_limits, count_filters, delete_filter, refuse_unsupported
from cloudlet.services.logs.json_pattern import selector
from cloudlet.services.logs.metric_data import Dimensions, MetricData
from cloudlet.services.logs.positions import sealed, unsealed
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DeleteMetricFilterRequestTypeDef,
        DescribeMetricFiltersRequestTypeDef,
        PutMetricFilterRequestTypeDef,
        TestMetricFilterRequestTypeDef,
    )

_MOST_DIMENSIONS = 3
_PAGE = 50
_MINUTE = 60_000


class MetricFilterOperations(LogsBase):
    @operation("PutMetricFilter")
    async def put_metric_filter(self, call: Call, params: "PutMetricFilterRequestTypeDef") -> None:
        refuse_unsupported(params)
        name, pattern = params["filterName"], compiled(params["filterPattern"])
        (transformation,) = params["metricTransformations"]
        _check(pattern, transformation)

        def write(tx: Transaction) -> None:
            group = find_group(tx, call, params["logGroupName"])
            check_limits(tx, group, "metric", name, pattern)
            tx.execute(
                "INSERT INTO metric_filter (log_group, name, pattern, namespace, metric, transformation, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET pattern = excluded.pattern,"
                " namespace = excluded.namespace, metric = excluded.metric, transformation = excluded.transformation",
                (
                    *(group.id, name, params["filterPattern"]),
                    *(transformation["metricNamespace"], transformation["metricName"]),
                    *(orjson.dumps(transformation).decode(), milliseconds(call)),
                ),
            )
            count_filters(tx, group)

        await self.store.write(write)

    @operation("DeleteMetricFilter")
    async def delete_metric_filter(self, call: Call, params: "DeleteMetricFilterRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            delete_filter(tx, find_group(tx, call, params["logGroupName"]), "metric", params["filterName"])

        await self.store.write(write)

    @operation("DescribeMetricFilters")
    async def describe_metric_filters(
        self, call: Call, params: "DescribeMetricFiltersRequestTypeDef"
    ) -> dict[str, Any]:
        group_name, metric, namespace = (params.get(m) for m in ("logGroupName", "metricName", "metricNamespace"))
        if (metric is None) != (namespace is None):
            raise invalid_parameter("metricName and metricNamespace must be specified together.")
        group = find_group(self.store.reader, call, str(group_name)) if group_name is not None else None
        prefix = params.get("filterNamePrefix") if group is not None else None
        limit = params.get("limit", _PAGE)
        after = unsealed(params["nextToken"], 2) if "nextToken" in params else [None, None]
        rows = self.store.reader.all(
            "SELECT f.name, g.name, f.pattern, f.transformation, f.created FROM metric_filter AS f"
            " JOIN log_group AS g ON g.id = f.log_group WHERE g.account = ?1 AND g.region = ?2"
            " AND (?3 IS NULL OR g.id = ?3) AND (?4 IS NULL OR substr(f.name, 1, length(?4)) = ?4)"
            " AND (?5 IS NULL OR f.metric = ?5) AND (?6 IS NULL OR f.namespace = ?6)"
            " AND (?7 IS NULL OR (f.name, g.name) > (?7, ?8)) ORDER BY f.name, g.name LIMIT ?9",
            (
                *(call.account, call.region, group.id if group is not None else None, prefix),
                *(metric, namespace, *after, limit + 1),
            ),
        )
        output: dict[str, Any] = {"metricFilters": [_described(row) for row in rows[:limit]]}
        if len(rows) > limit:
            output["nextToken"] = sealed(*rows[limit - 1][:2])
        return output

    @operation("TestMetricFilter")
    async def test_metric_filter(self, call: Call, params: "TestMetricFilterRequestTypeDef") -> dict[str, Any]:
        pattern = compiled(params["filterPattern"])
        matches = [
            {
                "eventNumber": number_,
                "eventMessage": message,
                "extractedValues": dict(pattern.extract(message, ())),
            }
            for number_, message in enumerate(params["logEventMessages"])
            if pattern.matches(message)
        ]
        return {"matches": matches}


@dataclass(frozen=True, slots=True)
class _Filter:
    """`default` is what is measured in a minute in which events came and none matched."""

    name: str
    pattern: FilterPattern
    namespace: str
    metric: str
    value: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    default: float | None
    reported: int

    def add(self, data: MetricData, message: str, timestamp: int) -> None:
        """Adds what a matching message measures; nothing if what it should measure is not in it."""
        constant = number(self.value)
        references = [reference for _, reference in self.dimensions]
        found: Mapping[str, str] = {}
        if constant is None or references:
            found = self.pattern.extract(message, (*references, *(() if constant is not None else (self.value,))))
        value = constant if constant is not None else number(found.get(self.value, ""))
        if value is None or any(reference not in found for reference in references):
            return
        dimensions: Dimensions = tuple((name, found[reference]) for name, reference in self.dimensions)
        data.add(self.namespace, self.metric, dimensions, value, unit=self.unit, timestamp=timestamp)


def add_filtered_metrics(tx: Transaction, data: MetricData, arrival: Arrival) -> None:
    """Adds what the metric filters of the log group measure of the events."""
    rows = tx.all(
        "SELECT name, pattern, transformation, reported FROM metric_filter WHERE log_group = ?", (arrival.group.id,)
    )
    for row in rows:
        found = _filter(*row)
        matching = [event for event in arrival.events if found.pattern.matches(event["message"])]
        for event in matching:
            found.add(data, event["message"], event["timestamp"])
        if found.default is not None:
            _report_default(tx, data, arrival, found, matched=bool(matching))


def _report_default(tx: Transaction, data: MetricData, arrival: Arrival, found: _Filter, *, matched: bool) -> None:
    minute = arrival.ingested // _MINUTE
    if minute <= found.reported:
        return
    tx.execute(
        "UPDATE metric_filter SET reported = ? WHERE log_group = ? AND name = ?",
        (minute, arrival.group.id, found.name),
    )
    if not matched and found.default is not None:
        data.add(found.namespace, found.metric, (), found.default, unit=found.unit, timestamp=arrival.ingested)


def _filter(name: str, pattern: str, transformation: str, reported: int) -> _Filter:
    given: dict[str, Any] = orjson.loads(transformation)
    return _Filter(
        name=name,
        pattern=compiled(pattern),
        namespace=given["metricNamespace"],
        metric=given["metricName"],
        value=given["metricValue"],
        unit=given.get("unit", "None"),
        dimensions=tuple(given.get("dimensions", {}).items()),
        default=given.get("defaultValue"),
        reported=reported,
    )


def _check(pattern: FilterPattern, transformation: Mapping[str, Any]) -> None:
    """Raises InvalidParameterException."""
    dimensions: Mapping[str, str] = transformation.get("dimensions") or {}
    if dimensions and transformation.get("defaultValue") is not None:
        raise invalid_parameter(
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties."
        )
    if dimensions and not pattern.has_fields:
        raise invalid_parameter("The specified filter pattern does not support dimensions")
    if len(dimensions) > _MOST_DIMENSIONS:
        raise invalid_parameter(f"Invalid metric transformation: there may be {_MOST_DIMENSIONS} dimensions at most.")
    value = transformation["metricValue"]
    references = list(dimensions.values()) if number(value) is not None else [*dimensions.values(), value]
    for reference in references:
        _check_reference(pattern, reference)


def _check_reference(pattern: FilterPattern, reference: str) -> None:
    if not reference.startswith("$") or not pattern.has_fields:
        raise invalid_parameter(f"Invalid metric transformation: '{reference}' is neither a number nor a field.")
    if reference.startswith("$."):
        selector(reference)


def _described(row: tuple[Any, ...]) -> dict[str, Any]:
    name, group, pattern, transformation, created = row
    return {
        "filterName": name,
        "filterPattern": pattern,
        "metricTransformations": [orjson.loads(transformation)],
        "creationTime": created,
        "logGroupName": group,
        "applyOnTransformedLogs": False,
    }
