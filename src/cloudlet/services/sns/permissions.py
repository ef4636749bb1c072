"""AddPermission and RemovePermission: statements in a topic's policy, by label. Pure functions."""

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.services.sns.errors import invalid_parameter

_GRANTABLE = frozenset(
    {
        "AddPermission",
        "DeleteTopic",
        "GetTopicAttributes",
        "ListSubscriptionsByTopic",
        "Publish",
        "RemovePermission",
        "SetTopicAttributes",
        "Subscribe",
    }
)


def with_permission(
    policy: Mapping[str, Any], topic_arn: str, label: str, accounts: Iterable[str], actions: list[str]
) -> str:
    """The policy as JSON with a statement more. Raises InvalidParameter."""
    document = _editable(policy)
    if any(statement.get("Sid") == label for statement in document["Statement"]):
        raise invalid_parameter("Statement already exists")
    if not set(actions) <= _GRANTABLE:
        raise invalid_parameter("Policy statement action out of service scope!")
    document["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in accounts]},
            "Action": [f"SNS:{action}" for action in actions],
            "Resource": topic_arn,
        }
    )
    return json.dumps(document, separators=(",", ":"))


def without_permission(policy: Mapping[str, Any], label: str) -> str:
    """The policy as JSON without the labelled statement; empty, for the default policy, if it was the last one."""
    document = _editable(policy)
    kept = [statement for statement in document["Statement"] if statement.get("Sid") != label]
    return json.dumps(document | {"Statement": kept}, separators=(",", ":")) if kept else ""


def _editable(policy: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(dict(policy))
    if isinstance(document["Statement"], dict):
        document["Statement"] = [document["Statement"]]
    return document
