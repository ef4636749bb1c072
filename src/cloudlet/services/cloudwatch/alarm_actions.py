"""Alarm actions on their way: messages to topics, invocations of functions, events to the default bus."""

import logging
from typing import Any

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.services.cloudwatch.alarm_history import Named, named, remember_action
from cloudlet.services.cloudwatch.alarm_notifications import function_event, subject, topic_message
from cloudlet.services.cloudwatch.alarms import Alarm
from cloudlet.store import Completion, Delivery, Outbox, Retry, Transaction

_log = logging.getLogger(__name__)
_TOPICS_PRINCIPAL = "cloudwatch.amazonaws.com"
_FUNCTIONS_PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"
_EVENTS = "events"
# What fails on the other side is tried again after twice as long each time, at most so many seconds.
_LONGEST_PAUSE = 300.0
# Where they are throttled, too, not only where they fail.
_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "RequestThrottled", "Throttling"})

# A target with what it is to get.
Action = tuple[str, dict[str, Any]]


def actions_of(before: Alarm, after: Alarm) -> list[Action]:
    """What the alarm does about its new state."""
    origin = {
        "alarm": named(after),
        "arn": after.arn,
        "state_updated": int(after.state_updated * 1000),
    }
    found: list[Action] = []
    for target in after.actions(after.state):
        if Arn.parse(target).service == "lambda":
            found.append((target, {**origin, "event": function_event(before, after)}))
        else:
            message = topic_message(before, after)
            found.append((target, {**origin, "message": message, "subject": subject(after)}))
    return found


class AlarmActions:
    """Owes actions to targets from the transaction in which an alarm changed, and carries them there."""

    outbox: Outbox

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def put(self, tx: Transaction, action: Action) -> None:
        target, payload = action
        self.outbox.put(tx, target, payload, lane=f"{payload['arn']} {target}")

    def put_event(self, tx: Transaction, alarm: Alarm, detail_type: str, detail: dict[str, Any], now: float) -> None:
        """Nothing is owed where there is no event bus."""
        if _EVENTS in self._cloud.apis():
            payload = {
                "account": alarm.account,
                "region": alarm.region,
                "arn": alarm.arn,
                "detail_type": detail_type,
                "detail": detail,
                "time": now,
            }
            self.outbox.put(tx, _EVENTS, payload, lane=f"{alarm.arn} {_EVENTS}")

    async def deliver(self, delivery: Delivery) -> Completion | None:
        """What the target refuses is given up and remembered in the alarm's history."""
        if delivery.target == _EVENTS:
            return await self._send_event(delivery)
        payload = delivery.payload
        account, region, name, kind = payload["alarm"]
        try:
            await self._act(delivery.target, payload, account)
        except AwsError as error:
            if error.status >= 500 or error.code in _THROTTLED:
                raise Retry(min(2.0**delivery.attempts, _LONGEST_PAUSE)) from error
            _log.warning("an alarm action was refused", extra={"target": delivery.target, "reason": error.message})
            return self._remembered((account, region, name, kind), delivery, error.message)
        return self._remembered((account, region, name, kind), delivery, None)

    async def _act(self, target: str, payload: dict[str, Any], account: str) -> None:
        arn = Arn.parse(target)
        if "message" in payload:
            principal = Principal.service(_TOPICS_PRINCIPAL, account)
            params = {"TopicArn": target, "Subject": payload["subject"], "Message": payload["message"]}
            await self._call("sns", "Publish", params, principal, arn, payload["arn"])
        else:
            principal = Principal.service(_FUNCTIONS_PRINCIPAL, account)
            event = _json(payload["event"])
            params = {"FunctionName": target, "InvocationType": "Event", "Payload": event}
            await self._call("lambda", "Invoke", params, principal, arn, payload["arn"])

    async def _send_event(self, delivery: Delivery) -> None:
        payload = delivery.payload
        entry = {
            "Source": "aws.cloudwatch",
            "DetailType": payload["detail_type"],
            "Detail": _json(payload["detail"]).decode(),
            "Resources": [payload["arn"]],
            "Time": payload["time"],
        }
        try:
            await self._cloud.call(
                "events",
                "PutEvents",
                {"Entries": [entry]},
                as_=Principal.service(_TOPICS_PRINCIPAL, payload["account"]),
                region=payload["region"],
                source_arn=payload["arn"],
            )
        except AwsError as error:
            if error.status >= 500:
                raise Retry(min(2.0**delivery.attempts, _LONGEST_PAUSE)) from error
            _log.warning("an alarm's event was refused", extra={"alarm": payload["arn"], "reason": error.message})

    async def _call(
        self, api: str, name: str, params: dict[str, Any], principal: Principal, arn: Arn, source_arn: str
    ) -> None:
        await self._cloud.call(
            api, name, params, as_=principal, region=arn.region, account=arn.account, source_arn=source_arn
        )

    def _remembered(self, alarm: Named, delivery: Delivery, error: str | None) -> Completion:
        payload = delivery.payload
        data: dict[str, Any] = {
            "actionState": "Succeeded" if error is None else "Failed",
            "stateUpdateTimestamp": payload["state_updated"],
            "notificationResource": delivery.target,
            "error": error,
        }
        if "message" in payload:
            data["publishedMessage"] = _json({"default": payload["message"]}).decode()
        summary = f"Successfully executed action {delivery.target}"
        if error is not None:
            summary = f'Failed to execute action {delivery.target}. Received error: "{error}"'
        now = self._cloud.clock.now()
        return lambda tx: remember_action(tx, alarm, summary, data, now)


def _json(value: Any) -> bytes:
    return orjson.dumps(value)
