"""GetMetricData's answer: results in their order, labelled, in pages."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.timestamps import epoch
from cloudlet.services.cloudwatch.errors import invalid_next_token, validation_error
from cloudlet.services.cloudwatch.labels import label_of
from cloudlet.services.cloudwatch.math_evaluation import Evaluation
from cloudlet.services.cloudwatch.metric_queries import Query, read_queries
from cloudlet.services.cloudwatch.time_series import Series
from cloudlet.services.cloudwatch.times import rounded_start
from cloudlet.store import Reader

_MOST_DATAPOINTS = 100_800


class MetricDataRequest:
    """A request that is valid, to be answered from a snapshot of the data. Raises ValidationError, InvalidNextToken."""

    def __init__(self, call: Call, params: Mapping[str, Any]) -> None:
        self._place = call.account, call.region
        self._now = call.time
        self._queries = read_queries(self._place, params["MetricDataQueries"], "MetricDataQueries")
        self._start, self._end = epoch(params["StartTime"]), epoch(params["EndTime"])
        if self._start >= self._end:
            raise validation_error("The parameter StartTime must be less than the parameter EndTime.")
        self._descending = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        self._most = params.get("MaxDatapoints") or _MOST_DATAPOINTS
        if not 0 < self._most <= _MOST_DATAPOINTS:
            raise validation_error(f"The parameter MaxDatapoints must be between 1 and {_MOST_DATAPOINTS}.")
        self._timezone = (params.get("LabelOptions") or {}).get("Timezone")
        self._after = _read_token(params["NextToken"]) if params.get("NextToken") else 0

    def answer(self, reader: Reader) -> dict[str, Any]:
        evaluation = Evaluation(
            reader,
            self._place,
            self._queries,
            lambda period: rounded_start(self._start, period, self._now),
            self._end,
            self._now,
        )
        results: list[dict[str, Any]] = []
        for query in self._queries:
            if query.returned:
                found = evaluation.series_of(query.id)
                results += [self._result(query, series, len(found) > 1) for series in found]
        page, more = _page(results, self._after, self._most)
        return {"MetricDataResults": page, "Messages": []} | (
            {"NextToken": _write_token(self._after + self._most)} if more else {}
        )

    def _result(self, query: Query, series: Series, one_of_several: bool) -> dict[str, Any]:
        label = series.label or query.id
        if query.label is not None:
            label = label_of(query.label, series, self._timezone)
            if one_of_several and "${" not in query.label:
                label = f"{label} {series.label}".strip()
        times = sorted(series.values, reverse=self._descending)
        values = [series.values[time] for time in times]
        return {"Id": query.id, "Label": label, "Timestamps": times, "Values": values, "StatusCode": "Complete"}


def _page(results: Sequence[dict[str, Any]], after: int, most: int) -> tuple[list[dict[str, Any]], bool]:
    """The data points from the one behind `after` on, of all results in a row, and whether there are more.

    The first page also has the results that are empty.
    """
    page: list[dict[str, Any]] = []
    position = 0
    for result in results:
        size = len(result["Timestamps"])
        begin, end = max(after - position, 0), min(after + most - position, size)
        if begin < end or (size == 0 and after == 0):
            status = "Complete" if end >= size or not size else "PartialData"
            part = {name: result[name][begin:end] for name in ("Timestamps", "Values")}
            page.append({**result, **part, "StatusCode": status})
        position += size
    return page, position > after + most


def _write_token(after: int) -> str:
    return base64.urlsafe_b64encode(f"after:{after}".encode()).decode()


def _read_token(token: str) -> int:
    try:
        kind, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        after = int(number)
    except (binascii.Error, ValueError):
        raise invalid_next_token() from None
    if kind != "after" or after < 0:
        raise invalid_next_token()
    return after
