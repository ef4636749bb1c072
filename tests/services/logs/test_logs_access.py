"""Who may write to a log group: its ARN in policies is the one of AWS's documentation."""

import json
import time
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError


def user_with(server: Any, name: str, resource: str, action: str = "logs:*", **more: Any) -> boto3.Session:
    iam = server.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="logs", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session: boto3.Session = server.session(key["AccessKeyId"], key["SecretAccessKey"])
    return session


def test_a_user_of_one_group(server: Any) -> None:
    anna = user_with(server, "anna", "arn:aws:logs:us-east-1:000000000000:log-group:/mine:*")
    logs = server.client("logs", session=anna)
    logs.create_log_group(logGroupName="/mine")
    logs.create_log_stream(logGroupName="/mine", logStreamName="s")
    events = [{"timestamp": int(time.time() * 1000), "message": "m"}]
    logs.put_log_events(logGroupName="/mine", logStreamName="s", logEvents=events)
    assert len(logs.filter_log_events(logGroupName="/mine")["events"]) == 1
    with pytest.raises(ClientError) as caught:
        logs.create_log_group(logGroupName="/theirs")
    assert "(AccessDeniedException)" in str(caught.value)


def test_the_right_to_one_group_is_none_to_list_them_all(server: Any) -> None:
    groups = "arn:aws:logs:us-east-1:000000000000:log-group"
    of_one = server.client("logs", session=user_with(server, "of-one", f"{groups}:/one:*"))
    for operation in (of_one.describe_log_groups, of_one.list_log_groups, of_one.describe_resource_policies):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            operation()
    of_all = server.client("logs", session=user_with(server, "of-all", f"{groups}:*"))
    assert "logGroups" in of_all.describe_log_groups()
    of_some = server.client("logs", session=user_with(server, "of-some", f"{groups}:/some/*"))
    assert of_some.describe_log_groups(logGroupNamePrefix="/some/")["logGroups"] == []
    with pytest.raises(ClientError, match=f"{groups}:/other/:log-stream:"):
        of_some.describe_log_groups(logGroupNamePrefix="/other/")


def test_tags_decide_whose_group_it_is(server: Any) -> None:
    logs = server.client("logs")
    for team in ("red", "blue"):
        logs.create_log_group(logGroupName=f"/of-{team}", tags={"team": team})
    condition = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    red = server.client("logs", session=user_with(server, "red", "*", Condition=condition))
    assert red.filter_log_events(logGroupName="/of-red")["events"] == []
    with pytest.raises(ClientError, match="AccessDeniedException"):
        red.filter_log_events(logGroupName="/of-blue")
    only_red = {"StringEquals": {"aws:RequestTag/team": "red"}}
    maker = server.client("logs", session=user_with(server, "maker", "*", Condition=only_red))
    maker.create_log_group(logGroupName="/made", tags={"team": "red"})
    with pytest.raises(ClientError, match="AccessDeniedException"):
        maker.create_log_group(logGroupName="/not-made", tags={"team": "blue"})


def test_tags_at_creation_need_the_right_to_tag(server: Any) -> None:
    creator = server.client("logs", session=user_with(server, "creator", "*", "logs:CreateLogGroup"))
    creator.create_log_group(logGroupName="/untagged")
    with pytest.raises(ClientError, match="logs:TagResource"):
        creator.create_log_group(logGroupName="/tagged", tags={"a": "b"})
