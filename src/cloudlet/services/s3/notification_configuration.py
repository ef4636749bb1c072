"""Notification configurations: from S3's document to rows of destinations and back, checked as S3 checks them."""

import secrets
from collections.abc import Mapping
from itertools import combinations
from typing import Any
from urllib.parse import unquote_plus

from cloudlet.core.arn import Arn
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.s3.bridge_events import default_bus
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.errors import invalid_argument, s3_error
from cloudlet.services.s3.notifications import covers

Destination = dict[str, Any]

_KINDS = {
    "TopicConfigurations": ("TopicArn", "sns"),
    "QueueConfigurations": ("QueueArn", "sqs"),
    "LambdaFunctionConfigurations": ("LambdaFunctionArn", "lambda"),
}
_FAMILIES = ("s3:ObjectCreated:", "s3:ObjectRemoved:", "s3:ObjectTagging:", "s3:ObjectAcl:", "s3:LifecycleExpiration:")


def destinations_to_keep(configuration: Mapping[str, Any], bucket: Bucket) -> list[Destination]:
    """Raises InvalidArgument, NotImplementedByCloudlet for events that cannot occur here."""
    found = [
        _destination(entry, entry[arn_member], service)
        for member, (arn_member, service) in _KINDS.items()
        for entry in configuration.get(member, ())
    ]
    names = [destination["id"] for destination in found]
    if len(set(names)) < len(names):
        raise s3_error("InvalidArgument", "Same ID used for multiple configurations. IDs must be unique")
    for one, other in combinations(found, 2):
        _check_overlap(one, other)
    if "EventBridgeConfiguration" in configuration:
        found.append(_to_event_bridge(bucket))
    return found


def document(destinations: list[Destination]) -> dict[str, Any]:
    """As GetBucketNotificationConfiguration has it."""
    found: dict[str, Any] = {}
    for destination in destinations:
        service = Arn.parse(destination["arn"]).service
        if service == "events":
            found["EventBridgeConfiguration"] = {}
            continue
        member, arn_member = next((m, arn) for m, (arn, kind) in _KINDS.items() if kind == service)
        entry: dict[str, Any] = {
            "Id": destination["id"],
            arn_member: destination["arn"],
            "Events": destination["events"],
        }
        rules = [
            {"Name": name.capitalize(), "Value": destination[name]}
            for name in ("prefix", "suffix")
            if destination[name]
        ]
        if rules:
            entry["Filter"] = {"Key": {"FilterRules": rules}}
        found.setdefault(member, []).append(entry)
    return found


def _to_event_bridge(bucket: Bucket) -> Destination:
    """All events, whatever the key: rules choose among them."""
    events = [f"{family}*" for family in _FAMILIES]
    return {"id": "EventBridge", "arn": default_bus(bucket), "events": events, "prefix": "", "suffix": ""}


def _destination(entry: Mapping[str, Any], arn: str, service: str) -> Destination:
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        parsed = None
    if parsed is None or parsed.service != service:
        raise s3_error("InvalidArgument", "The ARN could not be parsed", ArgumentName="Arn", ArgumentValue=arn)
    if service != "lambda" and parsed.resource.endswith(".fifo"):
        raise invalid_argument("FIFO SQS queues and SNS topics are not supported as destinations", "Arn", arn)
    for event in entry["Events"]:
        if not event.startswith(_FAMILIES) and event != "s3:ReducedRedundancyLostObject":
            raise NotImplementedByCloudlet(f"the event {event}")
    rules = _filter_rules(entry)
    return {
        "id": entry.get("Id") or secrets.token_urlsafe(36),
        "arn": arn,
        "events": list(entry["Events"]),
        "prefix": rules.get("prefix", ""),
        "suffix": rules.get("suffix", ""),
    }


def _filter_rules(entry: Mapping[str, Any]) -> dict[str, str]:
    rules: dict[str, str] = {}
    for rule in ((entry.get("Filter") or {}).get("Key") or {}).get("FilterRules", ()):
        name = str(rule.get("Name", "")).lower()
        if name not in ("prefix", "suffix"):
            raise invalid_argument("filter rule name must be either prefix or suffix", "FilterRule.Name", name)
        if name in rules:
            raise invalid_argument(f"Cannot specify more than one {name} rule in a filter.", "FilterRule.Name", name)
        rules[name] = unquote_plus(rule.get("Value", ""))
    return rules


def _check_overlap(one: Destination, other: Destination) -> None:
    shared = any(
        covers(a, b.removeprefix("s3:")) or covers(b, a.removeprefix("s3:"))
        for a in one["events"]
        for b in other["events"]
    )
    prefixes = one["prefix"].startswith(other["prefix"]) or other["prefix"].startswith(one["prefix"])
    suffixes = one["suffix"].endswith(other["suffix"]) or other["suffix"].endswith(one["suffix"])
    if shared and prefixes and suffixes:
        filtered = any(d["prefix"] or d["suffix"] for d in (one, other))
        raise s3_error(
            "InvalidArgument",
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
            "overlapping for the same event type."
            if filtered
            else "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
        )
