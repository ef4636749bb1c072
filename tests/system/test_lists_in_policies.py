"""Whoever may do everything with one resource may not list all of them."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

OF_ONE = {
    "Effect": "Allow",
    "Action": "*",
    "Resource": ["arn:aws:dynamodb:*:*:table/mine", "arn:aws:lambda:*:*:function:mine"],
}
OF_ALL = {"Effect": "Allow", "Action": "dynamodb:List*", "Resource": "arn:aws:dynamodb:*:*:table/*"}


def session(server: Any, name: str, statement: dict[str, Any]) -> Any:
    iam = server.client("iam")
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return server.session(key["AccessKeyId"], key["SecretAccessKey"])


def test_tables_and_functions(server: Any) -> None:
    of_one = session(server, "of-one", OF_ONE)
    dynamodb, functions = server.client("dynamodb", session=of_one), server.client("lambda", session=of_one)
    streams = server.client("dynamodbstreams", session=of_one)
    lists = (dynamodb.list_tables, streams.list_streams, functions.list_functions, functions.list_event_source_mappings)
    for operation in lists:
        with pytest.raises(ClientError, match="AccessDeniedException"):
            operation()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        dynamodb.describe_table(TableName="mine")
    of_all = session(server, "of-all", OF_ALL)
    assert server.client("dynamodb", session=of_all).list_tables()["TableNames"] == []
    assert server.client("dynamodbstreams", session=of_all).list_streams()["Streams"] == []


def test_users_and_roles(server: Any) -> None:
    of_one = {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::*:user/somebody"}
    iam = server.client("iam", session=session(server, "somebody", of_one))
    for operation in (iam.list_users, iam.list_roles, iam.list_policies, iam.get_account_summary):
        with pytest.raises(ClientError, match="AccessDenied"):
            operation()
    assert iam.get_user(UserName="somebody")["User"]["UserName"] == "somebody"
    assert iam.list_access_keys()["AccessKeyMetadata"]
