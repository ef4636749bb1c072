"""Bucket policies as documents: checked for what S3 refuses, parsed once."""

from functools import lru_cache
from typing import Any

import orjson

from cloudlet.authz.documents import MalformedPolicy, parse_policy
from cloudlet.services.s3.errors import s3_error

_LARGEST = 20 * 1024


@lru_cache(maxsize=1024)
def policy_document(text: str) -> dict[str, Any]:
    """The document of a policy that was checked before."""
    return orjson.loads(text)


def check_policy(text: str, bucket_arn: str) -> dict[str, Any]:
    """Returns the document. Raises MalformedPolicy in S3's words."""
    if len(text.encode()) > _LARGEST:
        raise s3_error("MalformedPolicy", f"Policy exceeds the maximum allowed document size of {_LARGEST} bytes.")
    if not text.startswith("{"):
        raise s3_error("MalformedPolicy")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise s3_error("MalformedPolicy", "This policy contains invalid Json") from None
    statements = document.get("Statement")
    if not statements:
        raise s3_error("MalformedPolicy", "Missing required field Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        _check_statement(statement, bucket_arn)
    try:
        parse_policy(document, "resource")
    except MalformedPolicy as error:
        raise s3_error("MalformedPolicy", str(error)) from None
    return document


def _check_statement(statement: Any, bucket_arn: str) -> None:
    if not isinstance(statement, dict):
        raise s3_error("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise s3_error("MalformedPolicy", "Missing required field Principal")
    actions = _listed(statement, "Action", "NotAction")
    if not all(isinstance(action, str) and (action == "*" or action.lower().startswith("s3:")) for action in actions):
        raise s3_error("MalformedPolicy", "Policy has invalid action")
    resources = _listed(statement, "Resource", "NotResource")
    if not resources:
        raise s3_error("MalformedPolicy", "Missing required field Resource")
    for resource in resources:
        if resource != "*" and not _is_within(str(resource), bucket_arn):
            raise s3_error("MalformedPolicy", "Policy has invalid resource")


def _listed(statement: dict[str, Any], *names: str) -> list[Any]:
    for name in names:
        if name in statement:
            value = statement[name]
            return value if isinstance(value, list) else [value]
    return []


def _is_within(resource: str, bucket_arn: str) -> bool:
    """Whether the pattern can only be about the bucket or its objects; wildcards in the bucket's place are allowed."""
    name, _, _ = resource.partition("/")
    if "*" in name or "?" in name:
        return name.startswith("arn:aws:s3:::")
    return name == bucket_arn
