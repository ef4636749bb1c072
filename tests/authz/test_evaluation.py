"""The order of decisions: denies, the resource's policy, identity policies, boundary, session; across accounts."""

from typing import Any

import pytest

from cloudlet.authz.documents import Kind, Policy, parse_policy
from cloudlet.authz.evaluation import Decision, Policies, Request, decide
from cloudlet.core.accounts import canonical_owner_id
from cloudlet.core.context import Principal

HERE, THERE = "000000000000", "111111111111"
ANN = Principal("user", HERE, f"arn:aws:iam::{HERE}:user/ann", "AIDA1", policies_of=f"arn:aws:iam::{HERE}:user/ann")
ROLE_ARN = f"arn:aws:iam::{HERE}:role/r"
SESSION = Principal("role", HERE, f"arn:aws:sts::{HERE}:assumed-role/r/s", "AROA1:s", policies_of=ROLE_ARN)
S3 = Principal.service("s3.amazonaws.com", HERE)
OBJECT = "arn:aws:s3:::b/k"


def policy(effect: str = "Allow", action: str = "s3:GetObject", **more: Any) -> Policy:
    kind: Kind = "resource" if "Principal" in more or "NotPrincipal" in more else "identity"
    statement = {"Effect": effect, "Action": action, "Resource": "*", **more}
    return parse_policy({"Version": "2012-10-17", "Statement": [statement]}, kind)


def named(principal: Any, effect: str = "Allow", **more: Any) -> Policy:
    return policy(effect, Principal=principal, **more)


ALLOW, DENY, OTHER = policy(), policy("Deny"), policy(action="s3:PutObject")


def decision(
    principal: Principal = ANN, policies: Policies | None = None, resource: Policy | None = None, **options: Any
) -> Decision:
    account = options.pop("account", HERE)
    request = Request(principal, "s3:GetObject", OBJECT, account, options.pop("context", {}))
    return decide(request, policies or Policies(), resource, **options)


def test_nothing_is_allowed_by_itself() -> None:
    assert decision().why == " because no identity-based policy allows the s3:GetObject action"


def test_an_identity_policy_allows() -> None:
    assert decision(policies=Policies((OTHER, ALLOW))).allowed


@pytest.mark.parametrize(
    ("policies", "resource", "where"),
    [
        (Policies((ALLOW, DENY)), None, "an identity-based policy"),
        (Policies((ALLOW,)), named("*", "Deny"), "a resource-based policy"),
        (Policies((ALLOW,), boundary=DENY), None, "a permissions boundary"),
        (Policies((ALLOW,), session=(ALLOW, DENY)), None, "a session policy"),
        (Policies((DENY,)), named({"AWS": ANN.arn}), "an identity-based policy"),
    ],
)
def test_an_explicit_deny_wins_wherever_it_is(policies: Policies, resource: Policy | None, where: str) -> None:
    assert decision(policies=policies, resource=resource).why == f" with an explicit deny in {where}"


def test_boundary_and_session_limit_what_identity_policies_allow() -> None:
    assert decision(policies=Policies((ALLOW,), boundary=ALLOW, session=(OTHER, ALLOW))).allowed
    outside = decision(policies=Policies((ALLOW,), boundary=OTHER))
    assert outside.why == " because no permissions boundary allows the s3:GetObject action"
    outside = decision(policies=Policies((ALLOW,), session=(OTHER,)))
    assert outside.why == " because no session policy allows the s3:GetObject action"


@pytest.mark.parametrize(
    ("principal", "element", "allowed"),
    [
        (ANN, "*", True),
        (ANN, {"AWS": "*"}, True),
        (ANN, {"AWS": ANN.arn}, True),
        (ANN, {"AWS": [SESSION.arn, ANN.arn]}, True),
        (ANN, {"AWS": f"arn:aws:iam::{HERE}:user/bob"}, False),
        # The account hands the decision to its identity policies.
        (ANN, {"AWS": HERE}, False),
        (ANN, {"AWS": f"arn:aws:iam::{HERE}:root"}, False),
        (SESSION, {"AWS": ROLE_ARN}, True),
        (SESSION, {"AWS": SESSION.arn}, True),
        (S3, {"Service": "s3.amazonaws.com"}, True),
        (S3, {"Service": "sns.amazonaws.com"}, False),
        (S3, {"AWS": HERE}, False),
        (Principal.anonymous(), "*", True),
        (Principal.anonymous(), {"AWS": HERE}, False),
    ],
)
def test_a_resources_policy_allows_whom_it_names(principal: Principal, element: Any, allowed: bool) -> None:
    assert decision(principal, resource=named(element)).allowed is allowed


def test_services_and_the_anonymous_need_a_resources_policy() -> None:
    for principal in (S3, Principal.anonymous()):
        assert decision(principal, Policies((ALLOW,))).why.startswith(" because no resource-based policy")


def test_a_role_named_by_a_resource_is_still_within_its_boundary_and_session() -> None:
    limits = Policies(boundary=OTHER), Policies(session=(OTHER,))
    assert not any(decision(SESSION, limit, named({"AWS": ROLE_ARN})).allowed for limit in limits)
    assert all(decision(SESSION, limit, named({"AWS": SESSION.arn})).allowed for limit in limits)


def test_all_but_those_named() -> None:
    others = policy("Deny", NotPrincipal={"AWS": ANN.arn})
    assert decision(ANN, Policies((ALLOW,)), others).allowed
    assert not decision(SESSION, Policies((ALLOW,)), others).allowed


def test_another_accounts_resource_needs_both_sides() -> None:
    shared = named({"AWS": HERE})
    assert decision(policies=Policies((ALLOW,)), resource=shared, account=THERE).allowed
    assert not decision(policies=Policies((ALLOW,)), account=THERE).allowed
    assert not decision(resource=shared, account=THERE).allowed
    assert not decision(policies=Policies((ALLOW,)), resource=named({"AWS": THERE}), account=THERE).allowed


def test_another_accounts_root_needs_the_resources_policy_alone() -> None:
    root = Principal.root(HERE)
    assert not decision(root, account=THERE).allowed
    assert decision(root, resource=named({"AWS": HERE}), account=THERE).allowed
    by_owner = named({"CanonicalUser": canonical_owner_id(HERE)})
    assert decision(root, resource=by_owner, account=THERE).allowed


def test_where_the_resources_policy_decides() -> None:
    """A role's trust policy: an identity policy alone does not open it."""
    allowed = Policies((ALLOW,))
    assert not decision(ANN, allowed, resource_policy_decides=True).allowed
    assert decision(ANN, allowed, named({"AWS": HERE}), resource_policy_decides=True).allowed
    assert not decision(ANN, Policies(), named({"AWS": HERE}), resource_policy_decides=True).allowed
    assert decision(ANN, Policies(), named({"AWS": ANN.arn}), resource_policy_decides=True).allowed


def test_a_condition_on_who_calls_for_whom() -> None:
    source = named({"Service": "s3.amazonaws.com"}, Condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}})
    assert decision(S3, resource=source, context={"aws:sourcearn": "arn:aws:s3:::b"}).allowed
    assert not decision(S3, resource=source, context={"aws:sourcearn": "arn:aws:s3:::other"}).allowed
    assert not decision(S3, resource=source).allowed
