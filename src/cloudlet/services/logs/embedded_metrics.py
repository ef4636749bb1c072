"""The embedded metric format: log events that say which of their members are metrics."""

from collections.abc import Iterator
from typing import Any, cast

import orjson

from cloudlet.services.logs.metric_data import Dimensions, MetricData

MARK = '"_aws"'
_MOST_METRICS = 100
_MOST_VALUES = 100
_MOST_DIMENSIONS = 30
_SIZES = (
    *("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes"),
    *("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits"),
)
_UNITS = frozenset(("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None", *_SIZES)) | {
    f"{size}/Second" for size in _SIZES
}


def add_embedded_metrics(data: MetricData, message: str) -> None:
    """Adds the metrics of a message in which `MARK` stands.

    What breaks the format's rules is left out: a directive, a set of dimensions, a metric.
    """
    document = _document(message)
    if document is None:
        return
    metadata = document.get("_aws")
    if not isinstance(metadata, dict):
        return
    timestamp, directives = metadata.get("Timestamp"), metadata.get("CloudWatchMetrics")
    if not isinstance(timestamp, int | float) or isinstance(timestamp, bool) or not isinstance(directives, list):
        return
    for directive in cast("list[Any]", directives):
        if isinstance(directive, dict):
            _add(data, document, cast("dict[str, Any]", directive), int(timestamp))


def _document(message: str) -> dict[str, Any] | None:
    """The JSON object of the event, before which a runtime may have put the time and the request's id."""
    start = message.find("{")
    try:
        document = orjson.loads(message[start:] if start > 0 else message)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _add(data: MetricData, document: dict[str, Any], directive: dict[str, Any], timestamp: int) -> None:
    namespace, metrics = directive.get("Namespace"), directive.get("Metrics")
    if not isinstance(namespace, str) or not isinstance(metrics, list) or len(metrics) > _MOST_METRICS:
        return
    dimension_sets = list(_dimension_sets(document, directive.get("Dimensions")))
    for metric in cast("list[Any]", metrics):
        if not isinstance(metric, dict):
            continue
        definition = cast("dict[str, Any]", metric)
        name, unit = definition.get("Name"), definition.get("Unit", "None")
        resolution = definition.get("StorageResolution", 60)
        if not isinstance(name, str) or unit not in _UNITS or resolution not in (1, 60):
            continue
        for value in _values(document.get(name)):
            for dimensions in dimension_sets:
                data.add(namespace, name, dimensions, value, unit=unit, timestamp=timestamp, resolution=resolution)


def _dimension_sets(document: dict[str, Any], sets: Any) -> Iterator[Dimensions]:
    """Each set makes a metric of its own; an empty one is a metric without dimensions."""
    if not isinstance(sets, list):
        return
    for names in cast("list[Any]", sets):
        if not isinstance(names, list) or len(names) > _MOST_DIMENSIONS:
            continue
        found = [(name, document.get(name)) for name in cast("list[Any]", names) if isinstance(name, str)]
        if len(found) == len(names) and all(isinstance(value, str) for _, value in found):
            yield tuple(cast("list[tuple[str, str]]", found))


def _values(target: Any) -> list[float]:
    """A number or up to 100 of them."""
    numbers = cast("list[Any]", target) if isinstance(target, list) else [target]
    if len(numbers) > _MOST_VALUES or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
        return []
    return [float(number) for number in numbers]
