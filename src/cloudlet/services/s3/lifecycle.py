"""Lifecycle rules: checked, kept, and asked when an object expires."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.timestamps import to_rfc822
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.errors import invalid_argument, s3_error

Rule = dict[str, Any]
DAY = 86400.0
_LARGEST_RULE_SET = 1000


def rules_to_keep(rules: list[Mapping[str, Any]]) -> list[Rule]:
    """The rules as JSON can hold them. Raises MalformedXML, InvalidArgument, InvalidRequest; 501 for transitions."""
    if not rules or len(rules) > _LARGEST_RULE_SET:
        raise s3_error("MalformedXML")
    kept = [_checked(dict(rule)) for rule in rules]
    names = [rule["ID"] for rule in kept]
    if len(set(names)) < len(names):
        raise s3_error("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    return kept


def rendered(rules: list[Rule]) -> list[Rule]:
    """As outputs have them."""
    found: list[Rule] = []
    for rule in rules:
        copy = dict(rule)
        expiration = copy.get("Expiration")
        if expiration is not None and "Date" in expiration:
            copy["Expiration"] = {**expiration, "Date": datetime.fromtimestamp(expiration["Date"], UTC)}
        found.append(copy)
    return found


def applies(rule: Rule, key: str, size: int, tags: Mapping[str, str]) -> bool:
    """Whether an enabled rule's filter takes the object in."""
    if rule["Status"] != "Enabled":
        return False
    if "Filter" not in rule:
        return key.startswith(rule.get("Prefix", ""))
    condition = rule["Filter"].get("And") or rule["Filter"]
    wanted = condition.get("Tags") or ([condition["Tag"]] if "Tag" in condition else [])
    return (
        key.startswith(condition.get("Prefix", ""))
        and all(tags.get(tag["Key"]) == tag["Value"] for tag in wanted)
        and size > condition.get("ObjectSizeGreaterThan", -1)
        and ("ObjectSizeLessThan" not in condition or size < condition["ObjectSizeLessThan"])
    )


def due(since: float, days: int) -> float:
    """S3 counts whole days and rounds up to the next midnight UTC."""
    moment = datetime.fromtimestamp(since, UTC) + timedelta(days=days)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight if midnight == moment else midnight + timedelta(days=1)).timestamp()


def expires(rule: Rule, modified: float) -> float | None:
    """When the rule ends a current version of that age; None if it does not."""
    expiration = rule.get("Expiration") or {}
    if "Days" in expiration:
        return due(modified, expiration["Days"])
    return expiration.get("Date")


def expiration_member(bucket: Bucket, key: str, size: int, tags: bytes | None, modified: float) -> dict[str, str]:
    """The Expiration member of an output: the earliest that a rule sets; nothing if none does."""
    rules = bucket.settings.get("lifecycle")
    if not rules:
        return {}
    named = orjson.loads(tags) if tags else {}
    dates = [
        (when, rule["ID"])
        for rule in rules
        if applies(rule, key, size, named) and (when := expires(rule, modified)) is not None
    ]
    if not dates:
        return {}
    when, name = min(dates)
    return {"Expiration": f'expiry-date="{to_rfc822(when)}", rule-id="{name}"'}


def _checked(rule: Rule) -> Rule:
    if rule.get("Transitions") or rule.get("NoncurrentVersionTransitions"):
        raise NotImplementedByCloudlet("transitions between storage classes")
    if ("Filter" in rule) == ("Prefix" in rule):
        raise s3_error("MalformedXML")
    actions = [
        name for name in ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload") if name in rule
    ]
    if not actions:
        raise s3_error("InvalidRequest", "At least one action needs to be specified in a rule")
    rule.setdefault("ID", secrets.token_urlsafe(36))
    if not rule["ID"]:
        rule["ID"] = secrets.token_urlsafe(36)
    if len(rule["ID"]) > 255:
        raise s3_error("InvalidArgument", "ID length should not exceed allowed limit of 255")
    _check_filter(rule)
    if "Expiration" in rule:
        rule["Expiration"] = _checked_expiration(rule["Expiration"])
    for name, member in (
        ("NoncurrentVersionExpiration", "NoncurrentDays"),
        ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
    ):
        if name in rule and rule[name].get(member, 0) <= 0:
            raise s3_error("InvalidArgument", f"'{member}' for {name} action must be a positive integer")
    return rule


def _check_filter(rule: Rule) -> None:
    condition = rule.get("Filter") or {}
    if len(condition) > 1:
        raise s3_error("MalformedXML")
    with_tags = "Tag" in condition or (condition.get("And") or {}).get("Tags")
    if with_tags and "AbortIncompleteMultipartUpload" in rule:
        raise s3_error("InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags")


def _checked_expiration(expiration: Mapping[str, Any]) -> dict[str, Any]:
    if len(expiration) != 1:
        raise s3_error("MalformedXML")
    if "Days" in expiration and expiration["Days"] <= 0:
        raise s3_error("InvalidArgument", "'Days' for Expiration action must be a positive integer")
    if "Date" not in expiration:
        return dict(expiration)
    moment: datetime = expiration["Date"]
    if moment.timestamp() % DAY:
        raise invalid_argument("'Date' must be at midnight GMT", "Date", moment.isoformat())
    return {"Date": moment.timestamp()}
