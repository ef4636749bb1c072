"""An ACL that names an account hands the decision to it: its users need a policy of their own."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def user(server: Any) -> Any:
    """S3 as a user of the account who may do nothing yet."""
    iam = server.client("iam")
    iam.create_user(UserName="visitor")
    key = iam.create_access_key(UserName="visitor")["AccessKey"]
    return server.client("s3", session=server.session(key["AccessKeyId"], key["SecretAccessKey"]))


def code(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**params)
    answer: Any = refused.value.response
    return str(answer["Error"]["Code"])


def test_the_owners_users_need_a_policy(server: Any, user: Any) -> None:
    s3 = server.client("s3")
    s3.create_bucket(Bucket="with-acls", ObjectOwnership="ObjectWriter")
    s3.put_object(Bucket="with-acls", Key="k", Body=b"secret")
    assert code(user.list_objects_v2, Bucket="with-acls") == "AccessDenied"
    assert code(user.get_object, Bucket="with-acls", Key="k") == "AccessDenied"
    assert code(user.put_object, Bucket="with-acls", Key="k", Body=b"mine") == "AccessDenied"
    iam = server.client("iam")
    iam.put_user_policy(UserName="visitor", PolicyName="read", PolicyDocument=json.dumps(READ))
    assert user.get_object(Bucket="with-acls", Key="k")["Body"].read() == b"secret"
    iam.delete_user_policy(UserName="visitor", PolicyName="read")


def test_what_is_open_to_all_is_open_to_them(server: Any, user: Any) -> None:
    s3 = server.client("s3")
    s3.create_bucket(Bucket="open-acls", ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket="open-acls")
    s3.put_object(Bucket="open-acls", Key="k", Body=b"open", ACL="public-read")
    assert user.get_object(Bucket="open-acls", Key="k")["Body"].read() == b"open"
