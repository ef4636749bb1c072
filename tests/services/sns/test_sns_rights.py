"""What users may do whose policies name topics: that, and nothing with the others."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

TOPICS = "arn:aws:sns:us-east-1:000000000000"


def client_of(server: Any, name: str, action: str, resource: str) -> Any:
    iam = server.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return server.client("sns", session=server.session(key["AccessKeyId"], key["SecretAccessKey"]))


def test_the_right_to_one_topic_is_none_to_list_them_all(server: Any) -> None:
    sns = client_of(server, "of-one", "sns:*", f"{TOPICS}:mine*")
    topic = sns.create_topic(Name="mine")["TopicArn"]
    sns.publish(TopicArn=topic, Message="m")
    for operation in (sns.list_topics, sns.list_subscriptions, sns.get_sms_attributes):
        with pytest.raises(ClientError, match="AuthorizationError"):
            operation()
    with pytest.raises(ClientError, match="AuthorizationError"):
        sns.publish(PhoneNumber="+15551234567", Message="m")
    assert "Topics" in client_of(server, "of-all", "sns:List*", f"{TOPICS}:*").list_topics()


def test_tags_at_creation_need_the_right_to_tag(server: Any) -> None:
    sns = client_of(server, "creator", "sns:CreateTopic", "*")
    sns.create_topic(Name="untagged")
    with pytest.raises(ClientError, match="sns:TagResource"):
        sns.create_topic(Name="tagged", Tags=[{"Key": "a", "Value": "b"}])
