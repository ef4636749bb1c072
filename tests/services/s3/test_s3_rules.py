"""Pure rules: when lifecycle rules end an object, when a policy is public, which origins a CORS rule allows."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cloudlet.services.s3 import cors, lifecycle, public_access


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("since", "days", "wanted"),
    [
        ("2026-01-01T10:30:00", 1, "2026-01-03T00:00:00"),
        ("2026-01-01T00:00:00", 1, "2026-01-02T00:00:00"),
        ("2026-02-28T23:59:59", 3, "2026-03-04T00:00:00"),
    ],
)
def test_days_end_at_the_next_midnight(since: str, days: int, wanted: str) -> None:
    assert lifecycle.due(at(since), days) == at(wanted)


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ({}, True),
        ({"Prefix": "logs/"}, True),
        ({"Prefix": "other/"}, False),
        ({"Tag": {"Key": "a", "Value": "1"}}, True),
        ({"ObjectSizeGreaterThan": 10}, False),
        ({"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "2"}]}}, False),
    ],
)
def test_filters(condition: dict[str, Any], wanted: bool) -> None:
    rule = {"Status": "Enabled", "Filter": condition}
    assert lifecycle.applies(rule, "logs/1", 10, {"a": "1"}) is wanted
    assert not lifecycle.applies({**rule, "Status": "Disabled"}, "logs/1", 10, {"a": "1"})


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::111111111111:root"}}, False),
        ({"Effect": "Deny"}, False),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}}}, False),
        ({"Condition": {"StringLike": {"aws:SourceArn": "*"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/16"}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}, True),
    ],
)
def test_public_policies(change: dict[str, Any], wanted: bool) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*", **change}
    assert public_access.is_public({"Statement": [statement]}) is wanted


@pytest.mark.parametrize(
    ("origin", "method", "headers", "wanted"),
    [
        ("https://a.example.com", "GET", [], True),
        ("https://example.com", "GET", [], False),
        ("https://a.example.com", "DELETE", [], False),
        ("https://a.example.com", "GET", ["x-amz-date"], True),
        ("https://a.example.com", "GET", ["authorization"], False),
    ],
)
def test_cors_rules(origin: str, method: str, headers: list[str], wanted: bool) -> None:
    rule = {"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET"], "AllowedHeaders": ["X-Amz-*"]}
    assert (cors.matching_rule([rule], origin, method, headers) is not None) is wanted
