"""What CloudWatch Logs measures of its log groups, under AWS/Logs."""

from functools import lru_cache

from cloudlet.core.context import Call
from cloudlet.core.metrics import DimensionSets, Metrics

_NAMESPACE = "AWS/Logs"


def incoming(metrics: Metrics, call: Call, group: str, events: int, size: int) -> None:
    """`size` in bytes, as it is billed."""
    place, dimensions = (call.account, call.region), _dimensions(group)
    metrics.record(place, _NAMESPACE, "IncomingLogEvents", dimensions, float(events), "None", call.time)
    metrics.record(place, _NAMESPACE, "IncomingBytes", dimensions, float(size), "Bytes", call.time)


@lru_cache(4096)
def _dimensions(group: str) -> DimensionSets:
    return ((("LogGroupName", group),), ())
