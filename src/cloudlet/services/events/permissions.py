"""PutPermission and RemovePermission: statements in a bus's policy, by their ids. Pure functions."""

import json
from collections.abc import Mapping
from typing import Any

from cloudlet.authz.documents import MalformedPolicy, parse_policy
from cloudlet.core.errors import AwsError
from cloudlet.services.events.faults import invalid, not_found

_LARGEST_POLICY = 10_240
_CONDITION = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID"}


def with_permission(policy: Mapping[str, Any] | None, bus: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The policy with the statement that PutPermission describes, or the one that it gives in its stead."""
    if "Policy" in params:
        return _checked(params["Policy"])
    missing = [name for name in ("StatementId", "Action", "Principal") if name not in params]
    if missing:
        raise invalid(f"Parameter(s) {', '.join(missing)} must be specified.")
    if params["Action"] != "events:PutEvents":
        raise invalid("Provided value in parameter 'action' is not supported.")
    kept = [statement for statement in _statements(policy) if statement.get("Sid") != params["StatementId"]]
    return _checked(_document([*kept, _statement(bus, params)]))


def without_permission(policy: Mapping[str, Any] | None, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """The policy without a statement, None if none is left. Raises ResourceNotFoundException."""
    if params.get("RemoveAllPermissions"):
        return None
    if "StatementId" not in params:
        raise invalid("Parameter StatementId or RemoveAllPermissions must be specified.")
    if policy is None:
        raise not_found("EventBus does not have a policy.")
    kept = [statement for statement in _statements(policy) if statement.get("Sid") != params["StatementId"]]
    if len(kept) == len(_statements(policy)):
        raise not_found("Statement with the provided id does not exist.")
    return {**policy, "Statement": kept} if kept else None


def _statement(bus: str, params: Mapping[str, Any]) -> dict[str, Any]:
    principal = params["Principal"]
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": "events:PutEvents",
        "Resource": bus,
    }
    condition = params.get("Condition")
    if condition is not None:
        for name, wanted in _CONDITION.items():
            if condition[name] != wanted:
                raise invalid(f"Provided value in parameter 'condition.{name.lower()}' is not supported.")
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return statement


def _statements(policy: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    found = policy["Statement"] if policy is not None else []
    return found if isinstance(found, list) else [found]


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _checked(text: str) -> dict[str, Any]:
    if len(text.encode()) > _LARGEST_POLICY:
        raise AwsError("PolicyLengthExceededException", "The policy length exceeds the maximum of 10240 bytes.")
    try:
        parse_policy(text, "resource")
    except MalformedPolicy as error:
        raise invalid(f"Provided policy is not valid. Reason: {error}") from None
    return json.loads(text)
