"""Queue attributes: which exist, what they may be, what they are unless set. Pure rules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.authz.documents import MalformedPolicy, parse_policy
from cloudlet.core.arn import Arn
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.sqs.errors import invalid_attribute_name, invalid_attribute_value, invalid_value

_RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
_FIFO_CHOICES = {
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("messageGroup", "queue"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_DOCUMENTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")
_KMS = ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds")
_DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}
_FIFO_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_ADDED = ("All", "SqsManagedSseEnabled", "FifoQueue", "QueueArn", "CreatedTimestamp", "LastModifiedTimestamp")
NAMES = frozenset((*_RANGES, *_FIFO_CHOICES, *_DOCUMENTS, *_KMS, *COUNTS, *_ADDED))


@dataclass(frozen=True, slots=True)
class Redrive:
    """Where messages go that were received `max_receive_count` times and still not deleted."""

    target: str
    max_receive_count: int


@dataclass(frozen=True, slots=True)
class RedriveAllow:
    """Which queues may have this one as their dead-letter queue: `sources` None means any of the account and region."""

    sources: tuple[str, ...] | None

    def allows(self, source: str) -> bool:
        return self.sources is None or source in self.sources


def check_attributes(given: Mapping[str, str], *, fifo: bool) -> dict[str, str]:
    """The attributes in the form in which they are kept; an empty one unsets. Raises SqsError for a bad one."""
    return {name: _check(name, value, fifo) for name, value in given.items()}


def effective_attributes(kept: Mapping[str, str]) -> dict[str, str]:
    """What was set, completed by the defaults."""
    defaults = _DEFAULTS | _FIFO_DEFAULTS if kept.get("FifoQueue") == "true" else _DEFAULTS
    return defaults | {name: value for name, value in kept.items() if value != ""}


def parse_redrive(text: str | None) -> Redrive | None:
    if not text:
        return None
    policy = json.loads(text)
    return Redrive(policy["deadLetterTargetArn"], policy["maxReceiveCount"])


def parse_redrive_allow(text: str | None) -> RedriveAllow:
    policy = json.loads(text) if text else {}
    permission = policy.get("redrivePermission", "allowAll")
    if permission == "allowAll":
        return RedriveAllow(None)
    return RedriveAllow(tuple(policy["sourceQueueArns"]) if permission == "byQueue" else ())


def _check(name: str, value: str, fifo: bool) -> str:
    if name in _RANGES:
        return _integer(name, value)
    if name in _FIFO_CHOICES and fifo:
        return _choice(name, value, _FIFO_CHOICES[name])
    if name == "SqsManagedSseEnabled":
        return _choice(name, value, ("true", "false"))
    if name == "FifoQueue" and fifo:
        return _choice(name, value, ("true",))
    if name in _KMS:
        if value == "":
            return value
        raise NotImplementedByCloudlet(f"the queue attribute {name}: there is no KMS")
    if name not in _DOCUMENTS:
        raise invalid_attribute_name(name)
    if value == "":
        return value
    return {"Policy": _policy, "RedrivePolicy": _redrive, "RedriveAllowPolicy": _redrive_allow}[name](value)


def _integer(name: str, value: str) -> str:
    low, high = _RANGES[name]
    if not (value.isascii() and value.isdigit()) or not low <= int(value) <= high:
        raise invalid_attribute_value(name)
    return str(int(value))


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value.lower() in ("true", "false"):
        value = value.lower()
    if value not in allowed:
        raise invalid_attribute_value(name)
    return value


def _policy(value: str) -> str:
    try:
        parse_policy(value, "resource")
    except MalformedPolicy:
        raise invalid_attribute_value("Policy") from None
    return value


def _redrive(value: str) -> str:
    policy = _object("RedrivePolicy", value)
    target = policy.get("deadLetterTargetArn")
    if not isinstance(target, str) or "maxReceiveCount" not in policy:
        missing = "maxReceiveCount" if isinstance(target, str) else "deadLetterTargetArn"
        raise invalid_value("RedrivePolicy", value, f"Redrive policy does not contain mandatory attribute: {missing}.")
    if set(policy) - {"deadLetterTargetArn", "maxReceiveCount"}:
        raise invalid_value(
            "RedrivePolicy", value, "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount]."
        )
    _queue_arn("RedrivePolicy", value, target, "deadLetterTargetArn")
    count = str(policy["maxReceiveCount"])
    if not count.isdigit() or not 1 <= int(count) <= 1000:
        reason = f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."
        raise invalid_value("RedrivePolicy", value, reason)
    return _compact({"deadLetterTargetArn": target, "maxReceiveCount": int(count)})


def _redrive_allow(value: str) -> str:
    policy = _object("RedriveAllowPolicy", value)
    permission = policy.get("redrivePermission")
    sources = policy.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise invalid_value("RedriveAllowPolicy", value, "Redrive permission must be allowAll, denyAll or byQueue.")
    if (permission == "byQueue") != (sources is not None):
        reason = "sourceQueueArns goes with the redrive permission byQueue, and only with it."
        raise invalid_value("RedriveAllowPolicy", value, reason)
    if sources is None:
        return _compact({"redrivePermission": permission})
    if not isinstance(sources, list) or not 1 <= len(sources) <= 10:
        raise invalid_value("RedriveAllowPolicy", value, "sourceQueueArns must have from 1 to 10 ARNs.")
    for source in sources:
        _queue_arn("RedriveAllowPolicy", value, source, "sourceQueueArns")
    return _compact({"redrivePermission": permission, "sourceQueueArns": sources})


def _object(name: str, value: str) -> dict[str, Any]:
    try:
        document = orjson.loads(value)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise invalid_value(name, value, "It is not a JSON object.")
    return document


def _queue_arn(parameter: str, value: str, arn: object, member: str) -> None:
    try:
        parsed = Arn.parse(str(arn))
    except ValueError:
        parsed = None
    if parsed is None or parsed.service != "sqs":
        raise invalid_value(parameter, value, f"Invalid value for {member}.")


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
