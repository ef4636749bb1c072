"""A schedule's settings: what a request says, with defaults, checked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.schedules import At, Schedule, parse
from cloudlet.services.scheduler.errors import invalid

_RETRY_POLICY = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
# How far back a start may lie.
_START_SECONDS = 300.0


def settings_of(params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What GetSchedule will answer beside names and state; dates in epoch seconds. Raises ValidationException."""
    if "KmsKeyArn" in params:
        raise NotImplementedByCloudlet("the KmsKeyArn of a schedule")
    expression = _expression(params["ScheduleExpression"])
    settings: dict[str, Any] = {
        "ScheduleExpression": params["ScheduleExpression"],
        "ScheduleExpressionTimezone": _timezone(params.get("ScheduleExpressionTimezone", "UTC")),
        "FlexibleTimeWindow": _window(params["FlexibleTimeWindow"]),
        "ActionAfterCompletion": params.get("ActionAfterCompletion", "NONE"),
        "Target": _target(params["Target"]),
    }
    if "Description" in params:
        settings["Description"] = params["Description"]
    for name in ("StartDate", "EndDate"):
        if name in params:
            settings[name] = _seconds(params[name])
    if not isinstance(expression, At):
        _check_dates(settings.get("StartDate"), settings.get("EndDate"), now)
    return settings


def _expression(text: str) -> Schedule:
    try:
        return parse(text)
    except ValueError:
        raise invalid(f"Invalid Schedule Expression {text}.") from None


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid(f"Invalid ScheduleExpressionTimezone {name}.") from None
    return name


def _window(window: Mapping[str, Any]) -> dict[str, Any]:
    minutes = window.get("MaximumWindowInMinutes")
    if window["Mode"] == "FLEXIBLE" and minutes is None:
        raise invalid("MaximumWindowInMinutes is required when the flexible time window is FLEXIBLE.")
    if window["Mode"] == "OFF" and minutes is not None:
        raise invalid("MaximumWindowInMinutes is not allowed when the flexible time window is OFF.")
    return dict(window)


def _target(target: Mapping[str, Any]) -> dict[str, Any]:
    return {**target, "RetryPolicy": _RETRY_POLICY | dict(target.get("RetryPolicy", {}))}


def _check_dates(start: float | None, end: float | None, now: float) -> None:
    if start is not None and start < now - _START_SECONDS:
        raise invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if end is not None and end < now:
        raise invalid("The EndDate you specify cannot be in the past.")
    if start is not None and end is not None and end <= start:
        raise invalid("The EndDate you specify must come after the StartDate.")


def _seconds(value: datetime | float) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)
