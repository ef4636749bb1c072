"""Resource policies: which services of AWS may write to the log groups of an account."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from log_groups import now

from waiting import eventually

ACCOUNT = "000000000000"


@pytest.fixture
def logs(server: Any) -> Any:
    """A client; what a test has put is gone after it."""
    client = server.client("logs")
    yield client
    for policy in client.describe_resource_policies()["resourcePolicies"]:
        client.delete_resource_policy(policyName=policy["policyName"])


def document(resource: str = "*") -> str:
    statement = {
        "Sid": "Writers",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": resource,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refused(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Code"])  # type: ignore[typeddict-item]


def test_policies_are_put_listed_and_deleted(logs: Any) -> None:
    put = logs.put_resource_policy(policyName="one", policyDocument=document())["resourcePolicy"]
    assert abs(put.pop("lastUpdatedTime") - now()) < 60_000
    assert put == {"policyName": "one", "policyDocument": document(), "policyScope": "ACCOUNT"}
    logs.put_resource_policy(policyName="two", policyDocument=document())
    logs.put_resource_policy(policyName="one", policyDocument=document("arn:aws:logs:*:*:*"))
    page = logs.describe_resource_policies(limit=1)
    rest = logs.describe_resource_policies(nextToken=page["nextToken"])
    found = [*page["resourcePolicies"], *rest["resourcePolicies"]]
    assert [policy["policyDocument"] for policy in found] == [document("arn:aws:logs:*:*:*"), document()]
    logs.delete_resource_policy(policyName="one")
    assert refused(logs.delete_resource_policy, policyName="one") == "ResourceNotFoundException"


def test_there_are_ten_at_most(logs: Any) -> None:
    for number in range(10):
        logs.put_resource_policy(policyName=f"policy-{number}", policyDocument=document())
    assert refused(logs.put_resource_policy, policyName="more", policyDocument=document()) == "LimitExceededException"
    logs.put_resource_policy(policyName="policy-9", policyDocument=document("arn:aws:logs:*:*:*"))


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"policyDocument": "{}"}, "InvalidParameterException"),
        ({"policyDocument": "no JSON"}, "InvalidParameterException"),
        ({"policyDocument": document("arn:aws:logs:" + "x" * 6000)}, "InvalidParameterException"),
        ({"policyName": ""}, "InvalidParameterException"),
        ({"resourceArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/g"}, "NotImplemented"),
    ],
)
def test_what_is_refused(logs: Any, params: dict[str, Any], code: str) -> None:
    assert refused(logs.put_resource_policy, **{"policyName": "p", "policyDocument": document(), **params}) == code


def test_a_service_writes_where_a_policy_lets_it(server: Any, logs: Any) -> None:
    events = server.client("events")
    source = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:"
    for group in ("/events/closed", "/events/open"):
        logs.create_log_group(logGroupName=group)
        name = group.rpartition("/")[2]
        events.put_rule(Name=name, EventPattern=json.dumps({"source": ["test"]}))
        events.put_targets(Rule=name, Targets=[{"Id": "logs", "Arn": source + group}])
    logs.put_resource_policy(policyName="one", policyDocument=document(f"{source}/elsewhere/*:*"))
    logs.put_resource_policy(policyName="two", policyDocument=document(f"{source}/events/open:*"))
    events.put_events(Entries=[{"Source": "test", "DetailType": "t", "Detail": '{"a": 1}'}])
    (event,) = eventually(
        lambda: logs.filter_log_events(logGroupName="/events/open")["events"],
        what="an event in the log group",
    )
    assert json.loads(event["message"])["detail"] == {"a": 1}
    assert logs.filter_log_events(logGroupName="/events/closed")["events"] == []
