"""DynamoDB's errors, in its own words."""

from collections.abc import Mapping
from typing import Any

from cloudlet.core.errors import AwsError


class StaleTable(Exception):
    """The table changed between the look-up of its description and the write: the write begins anew."""


def validation(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def invalid_values(message: str) -> AwsError:
    return validation(f"One or more parameter values were invalid: {message}")


def serialization(message: str) -> AwsError:
    return AwsError("SerializationException", message)


def table_not_found() -> AwsError:
    """As item operations say it."""
    return AwsError("ResourceNotFoundException", "Requested resource not found")


def named_table_not_found(name: str) -> AwsError:
    """As operations on tables say it."""
    return AwsError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def arn_not_found(arn: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Requested resource not found: ResourcArn: {arn} not found")


def table_exists(name: str) -> AwsError:
    return AwsError("ResourceInUseException", f"Table already exists: {name}")


def condition_failed(item: Mapping[str, Any] | None = None) -> AwsError:
    """`item` is the one that did not meet the condition, where the caller wants to see it."""
    fields = {"Item": item} if item is not None else None
    return AwsError("ConditionalCheckFailedException", "The conditional request failed", fields=fields)


def key_does_not_match() -> AwsError:
    return validation("The provided key element does not match the schema")
