"""Documents: what is a policy, what is not, and what its statements cover."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.authz.documents import Kind, MalformedPolicy, parse_policy

READ: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
TRUST: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def allows(statement: dict[str, Any], action: str, resource: str | None, **keys: str) -> bool:
    context = {name.replace("_", ":"): value for name, value in keys.items()}
    return parse_policy(document(statement), "identity").allows(action.lower(), resource, context)


@pytest.mark.parametrize(
    ("given", "action", "covered"),
    [
        ("s3:GetObject", "s3:GetObject", True),
        ("S3:getobject", "s3:GetObject", True),
        ("s3:Get*", "s3:GetObjectAcl", True),
        ("s3:Get?bject", "s3:GetObject", True),
        ("s3:*", "sqs:SendMessage", False),
        ("*", "sqs:SendMessage", True),
        ("*:*", "sqs:SendMessage", True),
        ("s3:GetObject", "s3:GetObjectAcl", False),
    ],
)
def test_actions(given: str, action: str, covered: bool) -> None:
    assert allows({"Effect": "Allow", "Action": given, "Resource": "*"}, action, "arn:aws:s3:::b") is covered
    others = {"Effect": "Allow", "NotAction": [given], "Resource": "*"}
    assert allows(others, action, "arn:aws:s3:::b") is not covered


@pytest.mark.parametrize(
    ("given", "resource", "covered"),
    [
        ("*", "arn:aws:sqs:us-east-1:000000000000:q", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/b:c", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", False),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::B/a", False),
        ("arn:aws:s3:::b/?.txt", "arn:aws:s3:::b/1.txt", True),
        ("arn:aws:sqs:*:000000000000:q", "arn:aws:sqs:us-east-1:000000000000:q", True),
        ("arn:aws:sqs:*:q", "arn:aws:sqs:us-east-1:000000000000:q", False),
        ("arn:aws:sqs:us-east-1:*", "arn:aws:sqs:us-east-1:000000000000:q", True),
        ("arn:aws:logs:*:*:log-group:/aws/*", "arn:aws:logs:us-east-1:1:log-group:/aws/x:log-stream:y", True),
    ],
)
def test_resources(given: str, resource: str, covered: bool) -> None:
    assert allows({"Effect": "Allow", "Action": "*", "Resource": given}, "a:b", resource) is covered
    assert allows({"Effect": "Allow", "Action": "*", "NotResource": given}, "a:b", resource) is not covered


def test_a_resource_that_is_not_known_is_covered_by_an_allow_but_not_by_a_narrow_deny() -> None:
    policy = parse_policy(document(READ, {**READ, "Effect": "Deny"}), "identity")
    assert policy.allows("s3:getobject", None, {})
    assert not policy.denies("s3:getobject", None, {})
    everything = parse_policy(document({"Effect": "Deny", "Action": "*", "Resource": "*"}), "identity")
    assert everything.denies("s3:getobject", None, {})


def test_policy_variables() -> None:
    own = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::homes/${aws:username}/*"}
    assert allows(own, "s3:PutObject", "arn:aws:s3:::homes/ann/x", aws_username="ann")
    assert not allows(own, "s3:PutObject", "arn:aws:s3:::homes/bob/x", aws_username="ann")
    assert not allows(own, "s3:PutObject", "arn:aws:s3:::homes//x")
    assert not allows(own, "s3:PutObject", "arn:aws:s3:::homes/bob/x", aws_username="*")


def test_policy_variables_with_defaults_and_literals() -> None:
    with_default = {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${aws:username, 'nobody'}"}
    assert allows(with_default, "a:b", "arn:aws:s3:::nobody")
    literal = {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/${*}"}
    assert allows(literal, "a:b", "arn:aws:s3:::b/*")
    assert not allows(literal, "a:b", "arn:aws:s3:::b/x")


def test_the_older_version_knows_no_variables() -> None:
    policy = parse_policy(
        document({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${aws:username}"}, version="2008-10-17"),
        "identity",
    )
    assert not policy.allows("a:b", "arn:aws:s3:::ann", {"aws:username": "ann"})


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("{", "identity", "Syntax errors in policy."),
        ("[]", "identity", "Syntax errors in policy."),
        (document(READ, version="2020-01-01"), "identity", "Syntax errors in policy."),
        (document({**READ, "Effect": "allow"}), "identity", "Syntax errors in policy."),
        (document({**READ, "Colour": "blue"}), "identity", "Syntax errors in policy."),
        (document({**READ, "NotAction": "s3:*"}), "identity", "Syntax errors in policy."),
        (document({"Effect": "Allow", "Resource": "*"}), "identity", "Policy statement must contain actions."),
        (document({"Effect": "Allow", "Action": "*"}), "identity", "Policy statement must contain resources."),
        (
            document({**READ, "Action": "GetObject"}),
            "identity",
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (document({**READ, "Resource": "b/*"}), "identity", 'Resource b/* must be in ARN format or "*".'),
        (document({**READ, "Principal": "*"}), "identity", "Policy document should not specify a principal."),
        (
            document({**READ, "Sid": "A"}, {**READ, "Sid": "A"}),
            "identity",
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (
            document({**READ, "Condition": {"StringIs": {"a": "b"}}}),
            "identity",
            "Invalid Condition type : StringIs.",
        ),
        (document({"Effect": "Allow", "Action": "sts:AssumeRole"}), "trust", "Missing required field Principal"),
        (document({**TRUST, "Resource": "*"}), "trust", "Has prohibited field Resource"),
        (document({**TRUST, "Principal": {"Robot": "x"}}), "trust", "Invalid principal in policy"),
    ],
)
def test_what_is_not_a_policy(text: str, kind: Kind, message: str) -> None:
    with pytest.raises(MalformedPolicy) as raised:
        parse_policy(text, kind)
    assert str(raised.value) == message


WORDS = st.sampled_from(["*", "s3:*", "S3:Get?bject", "arn:aws:s3:::b", "arn:*:${aws:x}", "${a", "$", "", "1", "AWS"])
KEYS = st.sampled_from(["AWS", "Service", "StringEquals", "Null", "NumericEquals", "DateLessThanIfExists", "aws:x"])
VALUES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-5, 5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
ELEMENTS = ("Sid", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition")
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"])}, optional=dict.fromkeys(ELEMENTS, VALUES)
)


@given(STATEMENTS | VALUES, st.sampled_from(["identity", "resource", "trust"]))
def test_whatever_is_given_is_a_policy_or_malformed(statement: Any, kind: Kind) -> None:
    """Nothing else happens, neither while it is compiled nor while it is held against a call."""
    try:
        found = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), kind)
    except MalformedPolicy:
        return
    found.allows("s3:getobject", "arn:aws:s3:::b", {"aws:x": "1"})
