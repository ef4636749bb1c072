"""Labels of query results, with the dynamic parts that AWS knows: `${MAX}`, `${PROP('Dim.QueueName')}`."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from cloudlet.services.cloudwatch.time_series import Series

_PART = re.compile(r"\$\{\s*([A-Z_]+)(?:\(\s*['\"]([^'\"]*)['\"]\s*\))?\s*\}")


def label_of(template: str, series: Series, timezone: str | None) -> str:
    """What a label reads for a series; parts that are not known stay as they are."""

    def part(found: re.Match[str]) -> str:
        if found[1] == "PROP":
            return _property(found[2] or "", series) or found[0]
        if found[1] == "LABEL":
            return series.label
        number = _NUMBERS.get(found[1])
        if number is not None:
            return _shown(number(series)) if series.values else "--"
        moment = _MOMENTS.get(found[1])
        if moment is not None:
            return _time(moment(series), timezone) if series.values else "--"
        return found[0]

    return _PART.sub(part, template)


_NUMBERS: Mapping[str, Callable[[Series], float]] = {
    "AVG": lambda series: sum(series.values.values()) / len(series.values),
    "DATAPOINT_COUNT": lambda series: len(series.values),
    "FIRST": lambda series: next(iter(series.values.values())),
    "LAST": lambda series: list(series.values.values())[-1],
    "MAX": lambda series: max(series.values.values()),
    "MIN": lambda series: min(series.values.values()),
    "SUM": lambda series: sum(series.values.values()),
}
_MOMENTS: Mapping[str, Callable[[Series], int]] = {
    "FIRST_TIME": lambda series: min(series.values),
    "LAST_TIME": lambda series: max(series.values),
    "MAX_TIME": lambda series: max(series.values, key=lambda time: series.values[time]),
    "MIN_TIME": lambda series: min(series.values, key=lambda time: series.values[time]),
}


def _property(name: str, series: Series) -> str | None:
    metric = series.metric
    if name == "Period":
        return str(series.period)
    if metric is None:
        return None
    known = {
        "AccountId": metric.account,
        "MetricName": metric.name,
        "Namespace": metric.namespace,
        "Region": metric.region,
        "Stat": series.statistic,
    }
    return dict(metric.dimensions).get(name[4:]) if name.startswith("Dim.") else known.get(name)


def _shown(number: float) -> str:
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.3g}"


def _time(seconds: int, timezone: str | None) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    found = re.fullmatch(r"([+-])(\d\d)(\d\d)", timezone or "+0000")
    if found is not None:
        ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
        moment = moment + ahead if found[1] == "+" else moment - ahead
    return moment.strftime("%Y-%m-%d %H:%M:%S")
