"""AddPermission and RemovePermission: statements in a queue's policy, by label. Pure functions."""

import copy
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.services.sqs.errors import SqsError, invalid_value

_GRANTABLE = frozenset(
    {
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    }
)
_MOST_ACTIONS = 7
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)


def with_permission(
    policy: Mapping[str, Any] | None, queue_arn: str, label: str, accounts: Iterable[str], actions: list[str]
) -> str:
    """The policy as JSON with a statement more. Raises SqsError if the label is in use or an action cannot be given."""
    if not _LABEL.fullmatch(label):
        raise invalid_value("Label", label, "Can only include alphanumeric characters, hyphens, or underscores.")
    accounts = list(accounts)
    for account in accounts:
        if not _ACCOUNT.fullmatch(account):
            raise invalid_value("PrincipalId", f"[{account}]", "Unable to verify.")
    document = _editable(policy, queue_arn)
    if any(statement.get("Sid") == label for statement in document["Statement"]):
        raise invalid_value("Label", label, "Already exists.")
    if len(actions) > _MOST_ACTIONS:
        raise SqsError("OverLimit", f"{len(actions)} Actions were found, maximum allowed is {_MOST_ACTIONS}.")
    for action in actions:
        if action not in _GRANTABLE:
            raise invalid_value("ActionName", f"SQS:{action}", "Only the queue owner is allowed to invoke this action.")
    document["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in accounts]},
            "Action": [f"SQS:{action}" for action in actions],
            "Resource": queue_arn,
        }
    )
    return json.dumps(document, separators=(",", ":"))


def without_permission(policy: Mapping[str, Any] | None, queue_arn: str, label: str) -> str:
    """The policy as JSON without the labelled statement, empty if none is left."""
    document = _editable(policy, queue_arn)
    kept = [statement for statement in document["Statement"] if statement.get("Sid") != label]
    if len(kept) == len(document["Statement"]):
        raise invalid_value("Label", label, "can't find label.")
    document["Statement"] = kept
    return json.dumps(document, separators=(",", ":")) if kept else ""


def _editable(policy: Mapping[str, Any] | None, queue_arn: str) -> dict[str, Any]:
    if policy is None:
        return {"Version": "2008-10-17", "Id": f"{queue_arn}/SQSDefaultPolicy", "Statement": []}
    document: dict[str, Any] = copy.deepcopy(dict(policy))
    if isinstance(document["Statement"], dict):
        document["Statement"] = [document["Statement"]]
    return document
