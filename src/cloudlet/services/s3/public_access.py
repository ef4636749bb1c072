"""When a bucket's policy counts as public, as S3 Block Public Access defines it."""

import re
from collections.abc import Mapping
from typing import Any

_FIXING_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)
_WIDE_NETWORK = re.compile(r"0\.0\.0\.0/\d+|::/\d+|[\d.]+/[0-7]")


def is_public(policy: Mapping[str, Any]) -> bool:
    """Whether a statement allows something to everybody without a condition that fixes who."""
    statements = policy.get("Statement", [])
    if isinstance(statements, Mapping):
        statements = [statements]
    return any(_is_public(statement) for statement in statements)


def _is_public(statement: Mapping[str, Any]) -> bool:
    if statement.get("Effect") != "Allow":
        return False
    if "NotPrincipal" not in statement and not _is_everybody(statement.get("Principal")):
        return False
    for operator, entries in (statement.get("Condition") or {}).items():
        if _positive(operator) and any(_fixes(key, values) for key, values in entries.items()):
            return False
    return True


def _is_everybody(principal: Any) -> bool:
    if isinstance(principal, Mapping):
        aws = principal.get("AWS", [])
        return "*" in (aws if isinstance(aws, list) else [aws])
    return principal == "*"


def _positive(operator: str) -> bool:
    name = operator.lower()
    return "not" not in name and name != "null" and not name.endswith("ifexists")


def _fixes(key: str, values: Any) -> bool:
    texts = [str(value) for value in (values if isinstance(values, list) else [values])]
    if key.lower() == "aws:sourceip":
        return not any(_WIDE_NETWORK.fullmatch(text) for text in texts)
    return key.lower() in _FIXING_KEYS and not any("*" in text or "${" in text for text in texts)
