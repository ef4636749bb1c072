"""Measurements found in log events, gathered into what PutMetricData takes."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# What CloudWatch takes: values are refused beyond this, and so are longer names.
_LARGEST = 2.0**360
_LONGEST_NAME = 255
_LONGEST_DIMENSION = 1024
_MOST_DIMENSIONS = 30
# In one datum, and in one call.
_MOST_VALUES = 150
_MOST_DATA = 1000

Dimensions = tuple[tuple[str, str], ...]


class _Key(NamedTuple):
    name: str
    dimensions: Dimensions
    unit: str
    resolution: int
    time: int


class MetricData:
    """Measurements of one batch of events: those of one metric and one time are counted together."""

    def __init__(self) -> None:
        self._values: dict[str, dict[_Key, dict[float, int]]] = {}

    def add(
        self,
        namespace: str,
        name: str,
        dimensions: Dimensions,
        value: float,
        *,
        unit: str,
        timestamp: int,
        resolution: int = 60,
    ) -> None:
        """`timestamp` is in milliseconds. What CloudWatch would refuse is left out."""
        if not is_acceptable(namespace, name, dimensions) or not math.isfinite(value) or abs(value) > _LARGEST:
            return
        key = _Key(name, dimensions, unit, resolution, timestamp // 1000 // resolution * resolution)
        counts = self._values.setdefault(namespace, {}).setdefault(key, {})
        counts[value] = counts.get(value, 0) + 1

    def batches(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Namespaces with the data for one call each."""
        for namespace, metrics in self._values.items():
            data = [datum for key, counts in metrics.items() for datum in _data(key, counts)]
            for start in range(0, len(data), _MOST_DATA):
                yield namespace, data[start : start + _MOST_DATA]


def is_acceptable(namespace: str, name: str, dimensions: Dimensions) -> bool:
    return (
        _is_name(namespace, _LONGEST_NAME)
        and not namespace.startswith(("AWS/", ":"))
        and _is_name(name, _LONGEST_NAME)
        and len(dimensions) <= _MOST_DIMENSIONS
        and all(
            _is_name(key, _LONGEST_NAME) and not key.startswith(":") and _is_name(text, _LONGEST_DIMENSION)
            for key, text in dimensions
        )
    )


def _is_name(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and text.isascii() and text.isprintable() and not text.isspace()


def _data(key: _Key, counts: Mapping[float, int]) -> Iterator[dict[str, Any]]:
    values = list(counts)
    for start in range(0, len(values), _MOST_VALUES):
        some = values[start : start + _MOST_VALUES]
        yield {
            "MetricName": key.name,
            "Dimensions": [{"Name": name, "Value": text} for name, text in key.dimensions],
            "Timestamp": key.time,
            "Values": some,
            "Counts": [counts[value] for value in some],
            "Unit": key.unit,
            "StorageResolution": key.resolution,
        }
