"""Delivery status logging: what became of deliveries, in CloudWatch Logs, where a topic names a role for it."""

import json
import logging
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.core.role_sessions import RoleSessions
from cloudlet.core.service import Cloud
from cloudlet.services.sns.publishing import StoredMessage
from cloudlet.services.sns.topics import Topic

SERVICE = "sns.amazonaws.com"
_log = logging.getLogger(__name__)
# How the attributes of topics name the protocols.
_PREFIXES = {"http": "HTTP", "https": "HTTP", "lambda": "Lambda", "sqs": "SQS"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last of `attempts` ended. `status` is the HTTP status, `failure` why it was given up, None if not."""

    protocol: str
    destination: str
    attempts: int
    status: int
    failure: str | None


class StatusLog:
    """As on AWS, nothing waits for these logs: what cannot be written is lost."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._roles = RoleSessions(cloud, SERVICE, "sns")
        self._stream = str(uuid.uuid4())

    async def record(self, topic: Topic, message: StoredMessage, outcome: Outcome) -> None:
        role = _role(topic.kept, outcome)
        if role is None:
            return
        now = self._cloud.clock.now()
        group = f"sns/{topic.region}/{topic.account}/{topic.name}" + ("" if outcome.failure is None else "/Failure")
        event = {"timestamp": int(now * 1000), "message": json.dumps(_entry(topic, message, outcome, now))}
        stream = {"logGroupName": group, "logStreamName": self._stream}
        try:
            await self._write(topic, role, {**stream, "logEvents": [event]})
        except AwsError as error:
            _log.warning("delivery status not logged", extra={"topic": topic.arn, "reason": str(error)})

    async def _write(self, topic: Topic, role: str, params: dict[str, Any]) -> None:
        try:
            await self._call(topic, role, "PutLogEvents", params)
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            await self._make(topic, role, "CreateLogGroup", {"logGroupName": params["logGroupName"]})
            stream = {name: params[name] for name in ("logGroupName", "logStreamName")}
            await self._make(topic, role, "CreateLogStream", stream)
            await self._call(topic, role, "PutLogEvents", params)

    async def _make(self, topic: Topic, role: str, operation: str, params: dict[str, Any]) -> None:
        try:
            await self._call(topic, role, operation, params)
        except AwsError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise

    async def _call(self, topic: Topic, role: str, operation: str, params: dict[str, Any]) -> None:
        principal = await self._roles.principal(role, topic.arn)
        await self._cloud.call("logs", operation, params, as_=principal, region=topic.region)


def _role(kept: Mapping[str, str], outcome: Outcome) -> str | None:
    """The role by which this outcome is to be logged: all failures, of the successes a sample."""
    prefix = _PREFIXES.get(outcome.protocol)
    if prefix is None:
        return None
    if outcome.failure is not None:
        return kept.get(f"{prefix}FailureFeedbackRoleArn") or None
    role = kept.get(f"{prefix}SuccessFeedbackRoleArn") or None
    rate = int(kept.get(f"{prefix}SuccessFeedbackSampleRate") or 0)
    return role if role is not None and random.random() * 100 < rate else None


def _entry(topic: Topic, message: StoredMessage, outcome: Outcome, now: float) -> dict[str, Any]:
    published = datetime.fromtimestamp(message.published, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return {
        "notification": {
            "messageMD5Sum": md5(message.body.encode(), usedforsecurity=False).hexdigest(),
            "messageId": message.message_id,
            "topicArn": topic.arn,
            "timestamp": published,
        },
        "delivery": {
            "deliveryId": str(uuid.uuid4()),
            "destination": outcome.destination,
            "providerResponse": outcome.failure or "",
            "dwellTimeMs": max(0, int((now - message.published) * 1000)),
            "attempts": outcome.attempts,
            "statusCode": outcome.status,
        },
        "status": "SUCCESS" if outcome.failure is None else "FAILURE",
    }
