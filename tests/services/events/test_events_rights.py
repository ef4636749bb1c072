"""Who may do what: policies of users with EventBridge's condition keys, roles of targets."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from event_making import Queue, entry, error_of, user_session

ACCOUNT = "000000000000"
BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus"
RULES = f"arn:aws:events:us-east-1:{ACCOUNT}:rule"
PATTERN = '{"source": ["x"]}'
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def role(server: Any) -> str:
    """A role that rules may assume and that may send to queues."""
    iam = server.client("iam")
    arn: str = iam.create_role(RoleName="of-rules", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": ["sqs:SendMessage", "events:PutEvents"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="of-rules", PolicyName="p", PolicyDocument=policy)
    return arn


def test_a_user_puts_only_what_a_policy_names(server: Any) -> None:
    condition = {"StringEquals": {"events:source": "user.shop"}, "StringLike": {"events:detail-type": "T*"}}
    allowed = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": f"{BUS}/default", "Condition": condition}
    events = server.client("events", session=user_session(server, "putter", allowed))
    assert events.put_events(Entries=[entry("user.shop")])["FailedEntryCount"] == 0
    code, message = error_of(events.put_events, Entries=[entry("user.shop"), entry("user.other")])
    assert code == "AccessDeniedException"
    assert f"events:PutEvents on resource: {BUS}/default because no identity-based policy" in message
    other_type = {**entry("user.shop"), "DetailType": "Other"}
    assert error_of(events.put_events, Entries=[other_type])[0] == "AccessDeniedException"
    other_bus = entry("user.shop", EventBusName="other")
    assert error_of(events.put_events, Entries=[other_bus])[0] == "AccessDeniedException"


def test_rules_are_resources_of_their_own(server: Any) -> None:
    allowed = {"Effect": "Allow", "Action": "events:*Rule", "Resource": f"{RULES}/mine-*"}
    events = server.client("events", session=user_session(server, "ruler", allowed))
    events.put_rule(Name="mine-1", EventPattern=PATTERN)
    assert error_of(events.put_rule, Name="yours", EventPattern=PATTERN)[0] == "AccessDeniedException"
    tags = [{"Key": "a", "Value": "b"}]
    assert error_of(events.put_rule, Name="mine-2", EventPattern=PATTERN, Tags=tags)[0] == "AccessDeniedException"


def test_targets_can_be_limited(server: Any) -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:limited"
    condition = {"ArnLike": {"events:TargetArn": queue}}
    allowed = [
        {"Effect": "Allow", "Action": "events:PutRule", "Resource": "*"},
        {"Effect": "Allow", "Action": "events:PutTargets", "Resource": "*", "Condition": condition},
    ]
    events = server.client("events", session=user_session(server, "targeter", *allowed))
    events.put_rule(Name="limited", EventPattern=PATTERN)
    events.put_targets(Rule="limited", Targets=[{"Id": "1", "Arn": queue}])
    both = [{"Id": "1", "Arn": queue}, {"Id": "2", "Arn": f"{queue}-not"}]
    assert error_of(events.put_targets, Rule="limited", Targets=both)[0] == "AccessDeniedException"


def test_a_target_is_reached_as_its_role(
    server: Any, make_queue: Callable[..., Queue], make_rule: Callable[..., str], role: str
) -> None:
    events = server.client("events")
    closed = make_queue(server, "closed-but-to-roles", open_to_rules=False)
    second = events.create_event_bus(Name="by-role")["EventBusArn"]
    make_rule(server, "with-role", "shop.role", {"Arn": closed.arn, "RoleArn": role}, {"Arn": second, "RoleArn": role})
    make_rule(server, "behind", "shop.role", {"Arn": closed.arn, "RoleArn": role, "Input": '"b"'}, bus="by-role")
    events.put_events(Entries=[entry("shop.role")])
    assert sorted(isinstance(event, dict) for event in closed.events(2)) == [False, True]


def test_a_role_must_be_passed(server: Any, role: str) -> None:
    allowed = {"Effect": "Allow", "Action": "events:*", "Resource": "*"}
    events = server.client("events", session=user_session(server, "passer", allowed))
    events.put_rule(Name="passing", EventPattern=PATTERN)
    target = {"Id": "1", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "RoleArn": role}
    code, message = error_of(events.put_targets, Rule="passing", Targets=[target])
    assert code == "AccessDeniedException"
    assert "iam:PassRole" in message
    assert error_of(events.put_rule, Name="passing", EventPattern=PATTERN, RoleArn=role)[0] == "AccessDeniedException"


def test_the_right_to_one_rule_is_none_to_list_them_all(server: Any) -> None:
    allowed = {"Effect": "Allow", "Action": "events:*", "Resource": [f"{RULES}/mine-*", f"{BUS}/mine"]}
    events = server.client("events", session=user_session(server, "of-one-rule", allowed))
    code, message = error_of(events.list_rules)
    assert (code, f"on resource: {RULES}/* because" in message) == ("AccessDeniedException", True)
    assert error_of(events.list_event_buses)[0] == "AccessDeniedException"
    assert error_of(events.test_event_pattern, EventPattern=PATTERN, Event="{}")[0] == "AccessDeniedException"


def test_tags_decide_whose_rule_it_is(server: Any) -> None:
    for team in ("red", "blue"):
        tags = [{"Key": "team", "Value": team}]
        server.client("events").put_rule(Name=f"of-{team}", EventPattern=PATTERN, Tags=tags)
        server.client("events").create_event_bus(Name=f"of-{team}", Tags=tags)
    condition = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    allowed = {"Effect": "Allow", "Action": "events:*", "Resource": "*", "Condition": condition}
    events = server.client("events", session=user_session(server, "of-red", allowed))
    assert events.describe_rule(Name="of-red")["Name"] == "of-red"
    assert error_of(events.describe_rule, Name="of-blue")[0] == "AccessDeniedException"
    assert events.put_events(Entries=[entry("x", EventBusName="of-red")])["FailedEntryCount"] == 0
    assert error_of(events.put_events, Entries=[entry("x", EventBusName="of-blue")])[0] == "AccessDeniedException"


def test_tags_of_what_is_not_there(server: Any) -> None:
    events = server.client("events")
    missing = [(f"{RULES}/b/r", "Rule r does not exist on EventBus b."), (f"{BUS}/b", "Event bus b does not exist.")]
    missing.append(("a:event-bus/b", "Event bus b does not exist."))
    for arn, message in missing:
        assert error_of(events.list_tags_for_resource, ResourceARN=arn) == ("ResourceNotFoundException", message)
