"""Operations on metrics: data in, statistics out."""

from collections.abc import Mapping
from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.metrics import Samples
from cloudlet.core.service import operation
from cloudlet.core.timestamps import epoch
from cloudlet.services.cloudwatch.base import CloudWatchBase
from cloudlet.services.cloudwatch.datapoints import MINUTE, period_samples
from cloudlet.services.cloudwatch.datums import read_datums
from cloudlet.services.cloudwatch.errors import invalid_combination, invalid_value, missing_parameter
from cloudlet.services.cloudwatch.metric_data import MetricDataRequest
from cloudlet.services.cloudwatch.metric_list import list_metrics
from cloudlet.services.cloudwatch.metrics import MetricId, find_metric, sorted_dimensions
from cloudlet.services.cloudwatch.statistics import statistic
from cloudlet.services.cloudwatch.times import is_period, rounded_start
from cloudlet.store import Reader

_MOST_DATUMS = 1000
_MOST_ENTITIES = 2
_MOST_DATAPOINTS = 1440


class MetricOperations(CloudWatchBase):
    @operation("PutMetricData")
    async def put_metric_data(self, call: Call, params: dict[str, Any]) -> None:
        namespace = params["Namespace"]
        _check_namespace(call, namespace)
        place = call.account, call.region
        await self.put_data(read_datums(place, namespace, _all_data(params), call.time))

    @operation("GetMetricStatistics")
    async def get_metric_statistics(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        _check_question(params)
        period = params["Period"]
        start, end = rounded_start(params["StartTime"], period, call.time), epoch(params["EndTime"])
        metric = MetricId(
            call.account,
            call.region,
            params["Namespace"],
            params["MetricName"],
            sorted_dimensions(params.get("Dimensions", ())),
        )
        await self.take_over()

        def read(reader: Reader) -> list[dict[str, Any]]:
            found = find_metric(reader, metric)
            if found is None:
                return []
            periods = period_samples(reader, found, start, end, period, now=call.time, unit=params.get("Unit"))
            known = ((key, _statistics(samples, params)) for key, samples in periods.items())
            return [{"Timestamp": time, "Unit": unit, **found} for (time, unit), found in known if found]

        return {"Label": params["MetricName"], "Datapoints": await self.store.query(read)}

    @operation("GetMetricData")
    async def get_metric_data(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        request = MetricDataRequest(call, params)
        await self.take_over()
        return await self.store.query(request.answer)

    @operation("ListMetrics")
    async def list_metrics(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        await self.take_over()
        return await self.store.query(lambda reader: list_metrics(reader, call, params))


def _all_data(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those of entities too: what a metric is about is not kept."""
    entities = params.get("EntityMetricData") or ()
    data = [*(params.get("MetricData") or ()), *(datum for each in entities for datum in each.get("MetricData") or ())]
    if not data:
        raise missing_parameter("The parameter MetricData is required.")
    if len(data) > _MOST_DATUMS:
        raise invalid_value(f"The collection MetricData must not have a size greater than {_MOST_DATUMS}.")
    if len(entities) > _MOST_ENTITIES and params.get("StrictEntityValidation"):
        raise invalid_value(f"The collection EntityMetricData must not have a size greater than {_MOST_ENTITIES}.")
    return data


def _check_namespace(call: Call, namespace: str) -> None:
    """AWS's own namespaces are filled by its services alone."""
    reserved = namespace.startswith("AWS/") and call.principal.kind != "service"
    if reserved or not namespace.isascii() or not namespace.isprintable():
        raise invalid_value(f"The value {namespace} for parameter Namespace is invalid.")


def _check_question(params: Mapping[str, Any]) -> None:
    """Raises AwsError for what GetMetricStatistics does not answer."""
    simple, extended = params.get("Statistics"), params.get("ExtendedStatistics")
    if not simple and not extended:
        raise missing_parameter("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
    if simple and extended:
        raise invalid_combination("The parameters Statistics and ExtendedStatistics are mutually exclusive.")
    for name in extended or ():
        if statistic(name) is None:
            raise invalid_value(f"The value {name} for parameter ExtendedStatistics is not supported.")
    period = params["Period"]
    if not is_period(period):
        raise invalid_value(
            f"The parameter Period must be a value in the set [ 1, 5, 10, 20, 30 ] or a multiple of {MINUTE}."
        )
    start, end = epoch(params["StartTime"]), epoch(params["EndTime"])
    if start == end:
        raise invalid_value("The parameter StartTime must not equal parameter EndTime.")
    if start > end:
        raise invalid_value("The parameter StartTime must be less than the parameter EndTime.")
    asked = int((end - start) / period)
    if asked > _MOST_DATAPOINTS:
        raise invalid_combination(
            f"You have requested up to {asked:,} datapoints, which exceeds the limit of {_MOST_DATAPOINTS:,}."
            " You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )


def _statistics(samples: Samples, params: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were asked for, as far as the samples tell them."""
    found: dict[str, Any] = {}
    for name in params.get("Statistics", ()):
        compute = statistic(name)
        assert compute is not None
        found[name] = compute(samples)
    extended: dict[str, float] = {}
    for name in params.get("ExtendedStatistics", ()):
        compute = statistic(name)
        value = compute(samples) if compute is not None else None
        if value is not None:
            extended[name] = value
    return found | ({"ExtendedStatistics": extended} if extended else {})
