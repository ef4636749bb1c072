"""Operations on alarms."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.cloudwatch.alarm_base import AlarmBase
from cloudlet.services.cloudwatch.alarm_changes import composites, refers_to
from cloudlet.services.cloudwatch.alarm_configuration import composite_alarm, given_tags, metric_alarm
from cloudlet.services.cloudwatch.alarm_history import describe_history
from cloudlet.services.cloudwatch.alarm_rules import name_in, parse_rule
from cloudlet.services.cloudwatch.alarms import (
    ACTIONS,
    COMPOSITE,
    METRIC,
    Alarm,
    alarms_of,
    count_alarms,
    find_alarm,
    load_alarm,
)
from cloudlet.services.cloudwatch.errors import invalid_next_token, unknown_alarm, validation_error
from cloudlet.services.cloudwatch.metrics import sorted_dimensions
from cloudlet.store import Reader, Transaction

_MOST_ALARMS = 5000
_PAGE = 50
_LONGEST_PAYLOAD = 120 * 1024


class AlarmOperations(AlarmBase):
    @operation("PutMetricAlarm")
    async def put_metric_alarm(self, call: Call, params: dict[str, Any]) -> None:
        configuration = metric_alarm((call.account, call.region), params)
        alarm = await self._put(call, params, METRIC, configuration)
        self.evaluator.watch(alarm)

    @operation("PutCompositeAlarm")
    async def put_composite_alarm(self, call: Call, params: dict[str, Any]) -> None:
        await self._put(call, params, COMPOSITE, composite_alarm((call.account, call.region), params))

    @operation("DescribeAlarms")
    async def describe_alarms(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        _check_filters(params)
        return self.store.read(lambda reader: _describe(reader, call, params))

    @operation("DescribeAlarmsForMetric")
    async def describe_alarms_for_metric(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        found = [
            alarm.described()
            for alarm in alarms_of(self.store.reader, (call.account, call.region))
            if _is_about(alarm, params)
        ]
        return {"MetricAlarms": found}

    @operation("DescribeAlarmHistory")
    async def describe_alarm_history(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return self.store.read(lambda reader: describe_history(reader, call, params))

    @operation("SetAlarmState")
    async def set_alarm_state(self, call: Call, params: dict[str, Any]) -> None:
        name, data = params["AlarmName"], params.get("StateReasonData")
        if data is not None:
            try:
                orjson.loads(data)
            except ValueError:
                raise AwsError("InvalidFormatFault", "StateReasonData was not valid JSON") from None

        found = find_alarm(self.store.reader, (call.account, call.region), name)
        if found is None:
            raise unknown_alarm(name)
        self.evaluator.leave_alone(found.id)

        def change(tx: Transaction) -> None:
            alarm = load_alarm(tx, found.id)
            if alarm is None:
                raise unknown_alarm(name)
            self.changes.set_state(tx, alarm, params["StateValue"], params["StateReason"], data, call.time)

        await self.store.write(change)

    @operation("EnableAlarmActions")
    async def enable_alarm_actions(self, call: Call, params: dict[str, Any]) -> None:
        await self._each(call, params, lambda tx, alarm: self.changes.enable_actions(tx, alarm, True, call.time))

    @operation("DisableAlarmActions")
    async def disable_alarm_actions(self, call: Call, params: dict[str, Any]) -> None:
        await self._each(call, params, lambda tx, alarm: self.changes.enable_actions(tx, alarm, False, call.time))

    @operation("DeleteAlarms")
    async def delete_alarms(self, call: Call, params: dict[str, Any]) -> None:
        """Names that are unknown do not keep the others from being deleted."""

        def check(found: Iterable[Alarm]) -> None:
            if sum(alarm.kind == COMPOSITE for alarm in found) > 1:
                raise validation_error("Only one composite alarm can be deleted in one request.")

        deleted = await self._each(
            call, params, lambda tx, alarm: self.changes.delete(tx, alarm, call.time), check=check
        )
        for alarm in deleted:
            self.evaluator.forget(alarm.id)
        unknown = [name for name in params["AlarmNames"] if name not in {alarm.name for alarm in deleted}]
        if unknown and not deleted:
            raise unknown_alarm(unknown[0])

    async def _put(self, call: Call, params: Mapping[str, Any], kind: str, configuration: dict[str, Any]) -> Alarm:
        place, name, tags = (call.account, call.region), params["AlarmName"], given_tags(params)
        if len(json.dumps(configuration)) > _LONGEST_PAYLOAD:
            raise validation_error("The alarm's configuration must not be longer than 120 KB")

        def put(tx: Transaction) -> Alarm:
            existing = find_alarm(tx, place, name)
            if existing is not None and existing.kind != kind:
                raise validation_error(f"An alarm of another type with the name {name} exists already.")
            if kind == COMPOSITE:
                _check_children(tx, place, configuration)
            if existing is not None:
                return self.changes.update(tx, existing, configuration, call.time)
            if count_alarms(tx, place) >= _MOST_ALARMS:
                raise AwsError("LimitExceededFault", "The maximum number of alarms has been reached.")
            return self.changes.create(tx, place, name, kind, configuration, tags, call.time)

        return await self.store.write(put)

    async def _each(
        self,
        call: Call,
        params: Mapping[str, Any],
        change: Callable[[Transaction, Alarm], None],
        *,
        check: Callable[[Iterable[Alarm]], None] = lambda found: None,
    ) -> list[Alarm]:
        """Changes all alarms that are named, or none; returns those that there are."""
        place = call.account, call.region

        def write(tx: Transaction) -> list[Alarm]:
            asked = (find_alarm(tx, place, name) for name in dict.fromkeys(params["AlarmNames"]))
            found = [alarm for alarm in asked if alarm is not None]
            check(found)
            # Composite alarms first: what they depend on may go after them.
            for alarm in sorted(found, key=lambda alarm: alarm.kind):
                change(tx, alarm)
            return found

        return await self.store.write(write)


def _check_children(reader: Reader, place: tuple[str, str], configuration: Mapping[str, Any]) -> None:
    references = [*parse_rule(configuration["AlarmRule"]).alarms]
    if configuration.get("ActionsSuppressor"):
        references.append(configuration["ActionsSuppressor"])
    missing = [reference for reference in references if find_alarm(reader, place, name_in(reference)) is None]
    if missing:
        raise validation_error(f"AlarmRule refers to alarms that do not exist: {', '.join(missing)}")


def _check_filters(params: Mapping[str, Any]) -> None:
    """Raises ValidationError for filters that exclude each other, NotImplemented for alarms that are not here."""
    if "AlarmNames" in params and "AlarmNamePrefix" in params:
        raise validation_error("AlarmNamePrefix must not be specified together with AlarmNames")
    for member in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
        if member in params and params.keys() - {member, "MaxRecords", "NextToken"}:
            raise validation_error(f"{member} must not be specified together with other filters")
    if "LogAlarm" in params.get("AlarmTypes", ()):
        raise NotImplementedByCloudlet("log alarms")


def _describe(reader: Reader, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
    place = call.account, call.region
    after = _read_token(params.get("NextToken"))
    size = params.get("MaxRecords", _PAGE)
    page: list[tuple[Alarm, dict[str, Any]]] = []
    more = False
    for alarm, described in _asked(reader, place, params, after):
        if len(page) == size:
            more = True
            break
        page.append((alarm, described))
    answer: dict[str, Any] = {
        "CompositeAlarms": [described for alarm, described in page if alarm.kind == COMPOSITE],
        "MetricAlarms": [described for alarm, described in page if alarm.kind == METRIC],
    }
    return answer | ({"NextToken": _write_token(page[-1][0].name)} if more else {})


def _asked(
    reader: Reader, place: tuple[str, str], params: Mapping[str, Any], after: str
) -> Iterable[tuple[Alarm, dict[str, Any]]]:
    """The alarms that the filters mean, by name, with what is shown of them."""
    if "ChildrenOfAlarmName" in params:
        parent = find_alarm(reader, place, params["ChildrenOfAlarmName"])
        rule = parent.configuration.get("AlarmRule", "FALSE") if parent is not None else "FALSE"
        names = sorted({name_in(reference) for reference in parse_rule(rule).alarms})
        members = ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp")
        return _only(members, (find_alarm(reader, place, name) for name in names if name > after))
    if "ParentsOfAlarmName" in params:
        parents = (alarm for alarm in composites(reader, place) if refers_to(alarm, params["ParentsOfAlarmName"]))
        ordered = sorted((alarm for alarm in parents if alarm.name > after), key=lambda alarm: alarm.name)
        return _only(("AlarmName", "AlarmArn"), ordered)
    kinds = params.get("AlarmTypes") or (METRIC,)
    if "AlarmNames" in params:
        asked = (find_alarm(reader, place, name) for name in sorted(set(params["AlarmNames"])) if name > after)
        found: Iterable[Alarm] = (alarm for alarm in asked if alarm is not None)
    else:
        found = alarms_of(reader, place, prefix=params.get("AlarmNamePrefix", ""), after=after)
    return ((alarm, alarm.described()) for alarm in found if alarm.kind in kinds and _passes(alarm, params))


def _only(members: Iterable[str], found: Iterable[Alarm | None]) -> Iterable[tuple[Alarm, dict[str, Any]]]:
    shown = [*members]
    for alarm in found:
        if alarm is not None:
            described = alarm.described()
            yield alarm, {member: described[member] for member in shown}


def _passes(alarm: Alarm, params: Mapping[str, Any]) -> bool:
    if params.get("StateValue", alarm.state) != alarm.state:
        return False
    prefix = params.get("ActionPrefix")
    return prefix is None or any(action.startswith(prefix) for state in ACTIONS for action in alarm.actions(state))


def _is_about(alarm: Alarm, params: Mapping[str, Any]) -> bool:
    """Whether it watches the metric of DescribeAlarmsForMetric."""
    configuration = alarm.configuration
    if alarm.kind != METRIC or "MetricName" not in configuration:
        return False
    same = all(configuration[member] == params[member] for member in ("Namespace", "MetricName"))
    filters = ("Statistic", "ExtendedStatistic", "Period", "Unit")
    return (
        same
        and sorted_dimensions(configuration.get("Dimensions", ())) == sorted_dimensions(params.get("Dimensions", ()))
        and all(configuration.get(member) == params[member] for member in filters if member in params)
    )


def _write_token(last: str) -> str:
    return base64.urlsafe_b64encode(f"alarm:{last}".encode()).decode()


def _read_token(token: str | None) -> str:
    if not token:
        return ""
    try:
        kind, _, last = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
    except (binascii.Error, ValueError):
        raise invalid_next_token() from None
    if kind != "alarm":
        raise invalid_next_token()
    return last
