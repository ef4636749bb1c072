"""Who may write to a log group: its ARN in policies is the one of AWS's documentation."""

import json
import time
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError


def user_with(server: Any, name: str, resource: str) -> boto3.Session:
    iam = server.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": "logs:*", "Resource": resource}
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
