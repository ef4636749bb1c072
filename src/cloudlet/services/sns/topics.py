"""Topics: their attributes and the rules for them, their rows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.authz.documents import MalformedPolicy, parse_policy
from cloudlet.core.arn import Arn
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.sns.delivery_policy import check_topic_policy
from cloudlet.services.sns.errors import invalid_parameter, tag_limit_exceeded, topic_not_found
from cloudlet.store import Reader, Transaction

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo")
_COLUMNS = "id, arn, attributes, tags, deleted_subscriptions"
_MOST_TAGS = 50
DEFAULT_MAXIMUM_SIZE = 262_144
_SIZES = range(1024, 1_048_577)
_FIFO_ONLY = ("ContentBasedDeduplication", "FifoThroughputScope")
_NOT_IMPLEMENTED = re.compile(r"KmsMasterKeyId|ArchivePolicy|(Application|Firehose)\w+Feedback(RoleArn|SampleRate)")
_FEEDBACK_ROLE = re.compile(r"(HTTP|Lambda|SQS)(Success|Failure)FeedbackRoleArn")
_FEEDBACK_RATE = re.compile(r"(HTTP|Lambda|SQS)SuccessFeedbackSampleRate")
_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as its row was when it last changed."""

    id: int
    arn: str
    name: str
    account: str
    region: str
    kept: Mapping[str, str]
    tags: Mapping[str, str]
    deleted_subscriptions: int
    fifo: bool
    content_based_deduplication: bool
    deduplication_by_group: bool
    maximum_size: int
    signature_version: str
    policy: Mapping[str, Any]

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> "Topic":
        arn = Arn.parse(row[1])
        kept: dict[str, str] = json.loads(row[2])
        return cls(
            id=row[0],
            arn=row[1],
            name=arn.resource,
            account=arn.account,
            region=arn.region,
            kept=kept,
            tags=json.loads(row[3]),
            deleted_subscriptions=row[4],
            fifo=kept.get("FifoTopic") == "true",
            content_based_deduplication=kept.get("ContentBasedDeduplication") == "true",
            deduplication_by_group=kept.get("FifoThroughputScope") == "MessageGroup",
            maximum_size=int(kept.get("MaximumMessageSize", DEFAULT_MAXIMUM_SIZE)),
            signature_version=kept.get("SignatureVersion", "1"),
            policy=json.loads(kept["Policy"]) if kept.get("Policy") else default_policy(row[1], arn.account),
        )

    @property
    def display_name(self) -> str:
        return self.kept.get("DisplayName", "")


def default_policy(arn: str, account: str) -> dict[str, Any]:
    """What AWS gives a topic that is created without a policy: its own account may use it."""
    actions = ("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic")
    actions += ("Subscribe", "ListSubscriptionsByTopic", "Publish")
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in actions],
                "Resource": arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
            }
        ],
    }


def create_topic(tx: Transaction, arn: Arn, given: Mapping[str, str], tags: Mapping[str, str] | None) -> Topic:
    """Makes the topic, or returns the one that is there with these attributes and tags."""
    fifo = given.get("FifoTopic", "false").lower() == "true"
    if fifo and not _FIFO_NAME.fullmatch(arn.resource):
        raise invalid_parameter(
            "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, "
            "numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
        )
    if not fifo and not _NAME.fullmatch(arn.resource):
        raise invalid_parameter("Topic Name")
    attributes = {name: _check(name, value, fifo) for name, value in given.items() if name != "FifoTopic" or fifo}
    row = _row(tx, str(arn))
    if row is not None:
        existing = Topic.of_row(row)
        _check_same(existing, attributes, tags)
        return existing
    if tags is not None and len(tags) > _MOST_TAGS:
        raise tag_limit_exceeded()
    tx.execute(
        "INSERT INTO topic (arn, attributes, tags) VALUES (?, ?, ?)",
        (str(arn), json.dumps(attributes), json.dumps(dict(tags or {}))),
    )
    return load_topic(tx, str(arn))


def set_topic_attribute(tx: Transaction, arn: str, name: str, value: str) -> Topic:
    topic = load_topic(tx, arn)
    if name == "FifoTopic":
        raise invalid_parameter("AttributeName")
    kept = {**topic.kept, name: _check(name, value, topic.fifo)}
    tx.execute("UPDATE topic SET attributes = ? WHERE id = ?", (json.dumps(kept), topic.id))
    return load_topic(tx, arn)


def set_topic_tags(tx: Transaction, arn: str, tags: Mapping[str, str]) -> Topic:
    topic = load_topic(tx, arn)
    if len(tags) > _MOST_TAGS:
        raise tag_limit_exceeded()
    tx.execute("UPDATE topic SET tags = ? WHERE id = ?", (json.dumps(dict(tags)), topic.id))
    return load_topic(tx, arn)


def load_topic(reader: Reader, arn: str) -> Topic:
    """The topic as the database has it. Raises NotFound."""
    row = _row(reader, arn)
    if row is None:
        raise topic_not_found()
    return Topic.of_row(row)


def all_topics(reader: Reader) -> list[Topic]:
    return [Topic.of_row(row) for row in reader.rows(f"SELECT {_COLUMNS} FROM topic")]


def _row(reader: Reader, arn: str) -> tuple[Any, ...] | None:
    return reader.one(f"SELECT {_COLUMNS} FROM topic WHERE arn = ?", (arn,))


def _check_same(existing: Topic, attributes: Mapping[str, str], tags: Mapping[str, str] | None) -> None:
    if any(existing.kept.get(name) != value for name, value in attributes.items()):
        raise invalid_parameter("Attributes Reason: Topic already exists with different attributes")
    if tags is not None and dict(tags) != existing.tags:
        raise invalid_parameter("Tags Reason: Topic already exists with different tags")


def _check(name: str, value: str, fifo: bool) -> str:
    """The value in the form in which it is kept. Raises InvalidParameter."""
    if _NOT_IMPLEMENTED.fullmatch(name):
        if value == "":
            return value
        raise NotImplementedByCloudlet(f"the topic attribute {name}")
    if name in ("FifoTopic", *_FIFO_ONLY):
        return _check_fifo(name, value, fifo)
    if name == "Policy":
        return _check_policy(value)
    if is_feedback_role(name) or _FEEDBACK_RATE.fullmatch(name):
        return check_feedback(name, value)
    if name == "DeliveryPolicy":
        if value:
            check_topic_policy(value)
    elif name == "DisplayName":
        if len(value) > 100 or not value.isprintable():
            raise invalid_parameter("DisplayName")
    elif name == "SignatureVersion":
        if value not in ("1", "2"):
            raise invalid_parameter("SignatureVersion")
    elif name == "TracingConfig":
        if value not in ("Active", "PassThrough"):
            raise invalid_parameter("TracingConfig")
    elif name == "MaximumMessageSize":
        if not value.isdigit() or int(value) not in _SIZES:
            raise invalid_parameter("MaximumMessageSize")
    else:
        raise invalid_parameter("AttributeName")
    return value


def is_feedback_role(name: str) -> bool:
    """Whether the attribute is a role by which the status of deliveries is logged."""
    return _FEEDBACK_ROLE.fullmatch(name) is not None


def check_feedback(name: str, value: str) -> str:
    """Such a role, or the percentage of successes that is logged. Raises InvalidParameter."""
    if value == "":
        return value
    if is_feedback_role(name):
        valid = _ROLE.fullmatch(value) is not None
    else:
        valid = value.isascii() and value.isdigit() and int(value) <= 100
    if not valid:
        raise invalid_parameter(f"{name} Reason: Invalid value: {value}")
    return value


def _check_fifo(name: str, value: str, fifo: bool) -> str:
    allowed = ("Topic", "MessageGroup") if name == "FifoThroughputScope" else ("true", "false")
    value = value if name == "FifoThroughputScope" else value.lower()
    if value not in allowed or (name in _FIFO_ONLY and not fifo):
        raise invalid_parameter(f"Attributes Reason: Invalid value for {name}")
    return value


def _check_policy(value: str) -> str:
    if value == "":
        return value
    try:
        parse_policy(value, "resource")
    except MalformedPolicy as error:
        raise invalid_parameter(f"Policy Error: {error}") from None
    return value
