"""Subscriptions: their endpoints and attributes and the rules for them, their rows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.sns.delivery_policy import check_subscription_policy
from cloudlet.services.sns.errors import filter_policy_limit_exceeded, invalid_parameter, subscription_not_found
from cloudlet.services.sns.filter_policy import MESSAGE_ATTRIBUTES, MESSAGE_BODY, FilterPolicy, compile_policy
from cloudlet.services.sns.short_messages import is_phone_number
from cloudlet.services.sns.topics import Topic
from cloudlet.store import Reader, Transaction

_COLUMNS = (
    "s.id, s.arn, t.arn, s.protocol, s.endpoint, s.owner, s.principal, s.token, s.token_expires, s.confirmed,"
    " s.authenticated, s.unsubscribe_needs_signature, s.attributes"
)
_FROM = "FROM subscription s JOIN topic t ON t.id = s.topic"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_MOST_FILTER_POLICIES = 200  # of one topic
_RAW_PROTOCOLS = ("sqs", "http", "https")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as its row was when it last changed. `token_expires` in epoch seconds."""

    id: int
    arn: str
    topic: str
    protocol: str
    endpoint: str
    owner: str
    principal: str
    token: str | None
    token_expires: float | None
    confirmed: bool
    authenticated: bool
    unsubscribe_needs_signature: bool
    attributes: Mapping[str, str]
    raw: bool
    filter_policy: FilterPolicy | None
    dead_letter_target: str | None

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> "Subscription":
        attributes: dict[str, str] = json.loads(row[12])
        redrive = attributes.get("RedrivePolicy")
        return cls(
            *row[:9],  # pyright: ignore[reportCallIssue] - the row begins with the dataclass's columns
            confirmed=bool(row[9]),
            authenticated=bool(row[10]),
            unsubscribe_needs_signature=bool(row[11]),
            attributes=attributes,
            raw=attributes.get("RawMessageDelivery") == "true",
            filter_policy=_filter_policy(attributes),
            dead_letter_target=json.loads(redrive)["deadLetterTargetArn"] if redrive else None,
        )

    def wants(self, attributes: Mapping[str, Mapping[str, Any]], body: str) -> bool:
        return self.filter_policy is None or self.filter_policy.accepts(attributes, body)


@dataclass(frozen=True, slots=True)
class Request:
    """A valid Subscribe. `owner` is the account that asks."""

    protocol: str
    endpoint: str
    owner: str
    principal: str
    attributes: Mapping[str, str]


def check_request(topic: Topic, protocol: str, endpoint: str | None, given: Mapping[str, str]) -> dict[str, str]:
    """Returns the attributes in the form in which they are kept. Raises InvalidParameter."""
    check_endpoint(topic, protocol, endpoint)
    attributes: dict[str, str] = {}
    for name, value in given.items():
        attributes = with_attribute(attributes, topic, protocol, name, value)
    _filter_policy(attributes)
    return attributes


def check_endpoint(topic: Topic, protocol: str, endpoint: str | None) -> None:
    if protocol in ("application", "firehose"):
        raise NotImplementedByCloudlet(f"the subscription protocol {protocol}")
    rule = _ENDPOINT_RULES.get(protocol)
    if rule is None:
        raise invalid_parameter(f"Amazon SNS does not support this protocol string: {protocol}")
    if not endpoint:
        raise invalid_parameter("Endpoint")
    rule(endpoint)
    if topic.fifo and protocol != "sqs":
        raise invalid_parameter(f"Invalid protocol type: {protocol}")
    if endpoint.endswith(".fifo") and protocol == "sqs" and not topic.fifo:
        reason = "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
        raise invalid_parameter(reason)


def with_attribute(kept: Mapping[str, str], topic: Topic, protocol: str, name: str, value: str) -> dict[str, str]:
    """The attributes with one changed; an empty value unsets. Raises InvalidParameter."""
    if name == "RawMessageDelivery":
        value = _check_raw(protocol, value)
    elif name == "FilterPolicyScope":
        if value not in (MESSAGE_ATTRIBUTES, MESSAGE_BODY):
            raise invalid_parameter(
                f"FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
            )
    elif name == "RedrivePolicy":
        value = _check_redrive(topic, value) if value else value
    elif name == "DeliveryPolicy":
        if value:
            check_subscription_policy(value)
    elif name in ("ReplayPolicy", "SubscriptionRoleArn"):
        raise NotImplementedByCloudlet(f"the subscription attribute {name}")
    elif name != "FilterPolicy":
        raise invalid_parameter("AttributeName")
    changed = {**kept, name: value}
    return {attribute: text for attribute, text in changed.items() if text != ""}


def subscribe(
    tx: Transaction, topic: Topic, request: Request, arn: str, token: str | None, token_expires: float
) -> Subscription:
    """Makes the subscription, or returns the one of this endpoint. A token means that confirmation is awaited."""
    row = tx.one(
        f"SELECT {_COLUMNS} {_FROM} WHERE s.topic = ? AND s.protocol = ? AND s.endpoint = ?",
        (topic.id, request.protocol, request.endpoint),
    )
    if row is not None:
        existing = Subscription.of_row(row)
        if any(existing.attributes.get(name) != value for name, value in request.attributes.items()):
            raise invalid_parameter("Attributes Reason: Subscription already exists with different attributes")
        if existing.confirmed or token is None:
            return existing
        tx.execute(
            "UPDATE subscription SET token = ?, token_expires = ? WHERE id = ?", (token, token_expires, existing.id)
        )
        return load_subscription(tx, existing.arn)
    _check_room(tx, topic.id, request.attributes)
    tx.execute(
        "INSERT INTO subscription (arn, topic, protocol, endpoint, owner, principal, token, token_expires, confirmed,"
        " authenticated, attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            arn,
            topic.id,
            request.protocol,
            request.endpoint,
            request.owner,
            request.principal,
            token,
            token_expires if token else None,
            token is None,
            token is None,
            json.dumps(dict(request.attributes)),
        ),
    )
    return load_subscription(tx, arn)


def confirm(
    tx: Transaction, topic_arn: str, token: str, now: float, *, authenticated: bool, sign_to_leave: bool
) -> Subscription:
    """Confirms the subscription that awaits this token; again, if it is confirmed already."""
    row = tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE s.token = ? AND t.arn = ?", (token, topic_arn))
    if row is None:
        ended = ended_subscription(tx, token)
        if ended is None or ended.topic != topic_arn or (ended.token_expires or 0.0) <= now:
            raise invalid_parameter("Token")
        return _restore(tx, ended, authenticated)
    subscription = Subscription.of_row(row)
    if subscription.confirmed:
        return subscription
    if subscription.token_expires is None or subscription.token_expires <= now:
        raise invalid_parameter("Token")
    tx.execute(
        "UPDATE subscription SET confirmed = 1, authenticated = ?, unsubscribe_needs_signature = ? WHERE id = ?",
        (authenticated, sign_to_leave, subscription.id),
    )
    return load_subscription(tx, subscription.arn)


def set_subscription_attribute(tx: Transaction, topic: Topic, arn: str, name: str, value: str) -> Subscription:
    subscription = load_subscription(tx, arn)
    kept = with_attribute(subscription.attributes, topic, subscription.protocol, name, value)
    _filter_policy(kept)
    if "FilterPolicy" not in subscription.attributes:
        _check_room(tx, topic.id, kept)
    tx.execute("UPDATE subscription SET attributes = ? WHERE id = ?", (json.dumps(kept), subscription.id))
    return load_subscription(tx, arn)


def remember_ended(tx: Transaction, ended: Subscription, token: str, now: float, expires: float) -> None:
    """Keeps what its confirmation needs to restore the subscription."""
    tx.execute("DELETE FROM ended_subscription WHERE token_expires <= ?", (now,))
    tx.execute(
        "INSERT INTO ended_subscription (token, topic, arn, protocol, endpoint, owner, principal, attributes,"
        " token_expires) SELECT ?, id, ?, ?, ?, ?, ?, ?, ? FROM topic WHERE arn = ?",
        (
            token,
            ended.arn,
            ended.protocol,
            ended.endpoint,
            ended.owner,
            ended.principal,
            json.dumps(dict(ended.attributes)),
            expires,
            ended.topic,
        ),
    )


def ended_subscription(reader: Reader, token: str) -> Subscription | None:
    """The subscription as it was, but not confirmed any more."""
    row = reader.one(
        "SELECT s.topic, s.arn, t.arn, s.protocol, s.endpoint, s.owner, s.principal, s.token, s.token_expires, 0, 0, 0,"
        f" s.attributes {_FROM.replace('FROM subscription', 'FROM ended_subscription')} WHERE s.token = ?",
        (token,),
    )
    return Subscription.of_row(row) if row is not None else None


def unsubscribe(tx: Transaction, arn: str) -> None:
    """Raises NotFound."""
    row = tx.one("SELECT id, topic FROM subscription WHERE arn = ?", (arn,))
    if row is None:
        raise subscription_not_found()
    tx.execute("DELETE FROM subscription WHERE id = ?", (row[0],))
    tx.execute("UPDATE topic SET deleted_subscriptions = deleted_subscriptions + 1 WHERE id = ?", (row[1],))


def load_subscription(reader: Reader, arn: str) -> Subscription:
    """The subscription as the database has it. Raises NotFound."""
    row = reader.one(f"SELECT {_COLUMNS} {_FROM} WHERE s.arn = ?", (arn,))
    if row is None:
        raise subscription_not_found()
    return Subscription.of_row(row)


def all_subscriptions(reader: Reader) -> list[Subscription]:
    return [Subscription.of_row(row) for row in reader.rows(f"SELECT {_COLUMNS} {_FROM} ORDER BY s.id")]


def _restore(tx: Transaction, ended: Subscription, authenticated: bool) -> Subscription:
    """Makes the subscription again, under its old ARN; one that its endpoint has got meanwhile stays instead."""
    tx.execute("DELETE FROM ended_subscription WHERE token = ?", (ended.token,))
    tx.execute(
        "INSERT OR IGNORE INTO subscription (arn, topic, protocol, endpoint, owner, principal, confirmed,"
        " authenticated, attributes) SELECT ?, id, ?, ?, ?, ?, 1, ?, ? FROM topic WHERE arn = ?",
        (
            ended.arn,
            ended.protocol,
            ended.endpoint,
            ended.owner,
            ended.principal,
            authenticated,
            json.dumps(dict(ended.attributes)),
            ended.topic,
        ),
    )
    row = tx.one(
        f"SELECT {_COLUMNS} {_FROM} WHERE t.arn = ? AND s.protocol = ? AND s.endpoint = ?",
        (ended.topic, ended.protocol, ended.endpoint),
    )
    assert row is not None
    return Subscription.of_row(row)


def _filter_policy(attributes: Mapping[str, str]) -> FilterPolicy | None:
    text = attributes.get("FilterPolicy")
    return compile_policy(text, attributes.get("FilterPolicyScope", MESSAGE_ATTRIBUTES)) if text else None


def _check_room(reader: Reader, topic: int, attributes: Mapping[str, str]) -> None:
    """Raises FilterPolicyLimitExceeded where a filter policy would be one too many."""
    if "FilterPolicy" not in attributes:
        return
    row = reader.one(
        "SELECT count(*) FROM subscription WHERE topic = ? AND json_extract(attributes, '$.FilterPolicy') IS NOT NULL",
        (topic,),
    )
    if row is not None and row[0] >= _MOST_FILTER_POLICIES:
        raise filter_policy_limit_exceeded()


def _check_raw(protocol: str, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise invalid_parameter(f"RawMessageDelivery Reason: Invalid value [{value}]. Must be true or false.")
    if value.lower() == "true" and protocol not in _RAW_PROTOCOLS:
        reason = f"Delivery protocol [{protocol}] does not support raw message delivery."
        raise invalid_parameter(f"RawMessageDelivery Reason: {reason}")
    return value.lower()


def _check_redrive(topic: Topic, value: str) -> str:
    try:
        policy = orjson.loads(value)
    except ValueError:
        policy = None
    if not isinstance(policy, dict) or set(policy) != {"deadLetterTargetArn"}:
        raise invalid_parameter("RedrivePolicy: must be a JSON object with the member deadLetterTargetArn")
    arn = _arn(str(policy["deadLetterTargetArn"]), "sqs")
    if arn is None:
        raise invalid_parameter("RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if arn.resource.endswith(".fifo") != topic.fifo:
        raise invalid_parameter("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO topic, and only for it")
    return value


def _arn(text: str, service: str) -> Arn | None:
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    return arn if arn.service == service and arn.account and arn.region and arn.resource else None


def _sqs_endpoint(endpoint: str) -> None:
    if _arn(endpoint, "sqs") is None:
        raise invalid_parameter("SQS endpoint ARN")


def _lambda_endpoint(endpoint: str) -> None:
    if _arn(endpoint, "lambda") is None:
        raise invalid_parameter("Lambda endpoint ARN")


def _http_endpoint(endpoint: str) -> None:
    _check_url(endpoint, "http")


def _https_endpoint(endpoint: str) -> None:
    _check_url(endpoint, "https")


def _check_url(endpoint: str, scheme: str) -> None:
    if not endpoint.startswith(f"{scheme}://"):
        raise invalid_parameter("Endpoint must match the specified protocol")
    try:
        valid = bool(urlsplit(endpoint).hostname) and urlsplit(endpoint).port != 0
    except ValueError:
        valid = False
    if not valid:
        raise invalid_parameter("Endpoint")


def _email_endpoint(endpoint: str) -> None:
    if not _EMAIL.fullmatch(endpoint):
        raise invalid_parameter("Email address")


def _sms_endpoint(endpoint: str) -> None:
    if not is_phone_number(endpoint):
        raise invalid_parameter("Endpoint")


_ENDPOINT_RULES = {
    "sqs": _sqs_endpoint,
    "lambda": _lambda_endpoint,
    "http": _http_endpoint,
    "https": _https_endpoint,
    "email": _email_endpoint,
    "email-json": _email_endpoint,
    "sms": _sms_endpoint,
}
