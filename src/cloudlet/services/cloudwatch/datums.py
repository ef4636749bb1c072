"""The data that PutMetricData is given: its rules, and what is kept of it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.core.metrics import Samples
from cloudlet.core.timestamps import epoch
from cloudlet.services.cloudwatch.errors import invalid_combination, invalid_value, missing_parameter
from cloudlet.services.cloudwatch.metrics import MetricId, sorted_dimensions

_OLDEST = 14 * 86400
_YOUNGEST = 2 * 3600
_LARGEST = 2.0**360
_MOST_VALUES = 150
MINUTE = 60


@dataclass(frozen=True, slots=True)
class Datum:
    """What was measured of a metric in `resolution` seconds from `time` (epoch seconds) on."""

    metric: MetricId
    time: int
    resolution: int
    unit: str
    samples: Samples


def read_datums(place: tuple[str, str], namespace: str, given: Iterable[Mapping[str, Any]], now: float) -> list[Datum]:
    """Raises AwsError with all that is wrong, one line each, as AWS does."""
    datums: list[Datum] = []
    wrong: list[AwsError] = []
    for number, datum in enumerate(given, 1):
        try:
            datums.append(_datum(place, namespace, datum, f"MetricData.member.{number}", now))
        except AwsError as error:
            wrong.append(error)
    if wrong:
        raise AwsError(wrong[0].code, "\n".join(error.message for error in wrong if error.code == wrong[0].code))
    return datums


def _datum(place: tuple[str, str], namespace: str, given: Mapping[str, Any], path: str, now: float) -> Datum:
    time = _time(given, path, now)
    resolution = given.get("StorageResolution", MINUTE)
    if resolution not in (1, MINUTE):
        raise invalid_value(f"The parameter {path}.StorageResolution must be a value in the set [ 1, 60 ].")
    dimensions = given.get("Dimensions") or ()
    _check_dimensions(dimensions, path)
    metric = MetricId(*place, namespace, given["MetricName"], sorted_dimensions(dimensions))
    unit = given.get("Unit") or "None"
    return Datum(metric, int(time) // resolution * resolution, resolution, unit, _samples(given, path))


def _time(given: Mapping[str, Any], path: str, now: float) -> float:
    if given.get("Timestamp") is None:
        return now
    time = epoch(given["Timestamp"])
    if time < now - _OLDEST:
        raise invalid_value(f"The parameter {path}.Timestamp must specify a time within the past two weeks.")
    if time > now + _YOUNGEST:
        raise invalid_value(f"The parameter {path}.Timestamp must specify a time no more than two hours in the future.")
    return time


def _check_dimensions(dimensions: Iterable[Mapping[str, str]], path: str) -> None:
    seen: set[str] = set()
    for number, dimension in enumerate(dimensions, 1):
        name = dimension["Name"]
        for member, text in (("Name", name), ("Value", dimension["Value"])):
            at = f"{path}.Dimensions.member.{number}.{member}"
            if not text.strip():
                raise invalid_value(f"The parameter {at} must contain at least one non-whitespace character.")
            if not text.isascii() or not text.isprintable():
                raise invalid_value(f"The value {text} for parameter {at} contains non-ASCII characters.")
        if name.startswith(":"):
            raise invalid_value(f"The parameter {path}.Dimensions.member.{number}.Name must not start with a colon.")
        if name in seen:
            raise invalid_value(f"No Metric can have more than one dimension with the name {name}.")
        seen.add(name)


def _samples(given: Mapping[str, Any], path: str) -> Samples:
    forms = [name for name in ("Value", "Values", "StatisticValues") if given.get(name) is not None]
    if "Counts" in given and "Values" not in given:
        raise missing_parameter(f"The parameter {path}.Values is required when {path}.Counts is given.")
    if not forms:
        raise missing_parameter(
            f"At least one of the parameters {path}.Value, {path}.Values and {path}.StatisticValues must be specified."
        )
    if len(forms) > 1:
        raise invalid_combination(
            f"The parameters {path}.{forms[0]} and {path}.{forms[1]} are mutually exclusive"
            " and you have specified both."
        )
    if forms[0] == "Value":
        samples = Samples()
        samples.add(_number(given["Value"], f"{path}.Value"))
        return samples
    if forms[0] == "Values":
        return _of_values(given["Values"], given.get("Counts"), path)
    return _of_statistics(given["StatisticValues"], f"{path}.StatisticValues")


def _of_values(values: list[float], counts: list[float] | None, path: str) -> Samples:
    if not values:
        raise missing_parameter(f"The parameter {path}.Values must contain at least one value.")
    if len(values) > _MOST_VALUES:
        raise invalid_value(f"The collection {path}.Values must not have a size greater than {_MOST_VALUES}.")
    if counts is not None and len(counts) != len(values):
        raise invalid_value(f"The parameters {path}.Values and {path}.Counts must be of the same size.")
    samples = Samples()
    for number, value in enumerate(values, 1):
        found = _number(value, f"{path}.Values.member.{number}")
        times = 1.0 if counts is None else _number(counts[number - 1], f"{path}.Counts.member.{number}")
        if times < 0:
            raise invalid_value(f"The parameter {path}.Counts.member.{number} must be greater than or equal to 0.")
        if times:
            samples.merge(times, found * times, found, found, {found: times})
    if not samples.count:
        raise invalid_value(f"The parameter {path}.Counts must contain at least one value greater than 0.")
    return samples


def _of_statistics(given: Mapping[str, float], path: str) -> Samples:
    """Percentiles need values, which statistics tell only if all samples are alike."""
    count, sum_, minimum, maximum = (
        _number(given[name], f"{path}.{name}") for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if count <= 0:
        raise invalid_value(f"The parameter {path}.SampleCount must be greater than 0.")
    if minimum > maximum:
        raise invalid_combination(f"The parameter {path}.Maximum must be greater than or equal to {path}.Minimum.")
    samples = Samples()
    samples.merge(count, sum_, minimum, maximum, {minimum: count} if minimum == maximum else {})
    return samples


def _number(value: float, path: str) -> float:
    number = float(value)
    if math.isnan(number) or math.isinf(number):
        raise invalid_value(f"The value {_java(number)} for parameter {path} is invalid.")
    if abs(number) > _LARGEST:
        raise invalid_value(f"The value {number} for parameter {path} is not within the range of -2^360 to 2^360.")
    return number


def _java(number: float) -> str:
    """NaN and the infinities as AWS's own language prints them."""
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
