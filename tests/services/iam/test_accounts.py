"""Accounts: made by the first account's root, each with a root of its own, and nothing shared between them."""

import json
from typing import Any

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError


def ask(server: Any, session: boto3.Session, method: str, body: Any = None) -> requests.Response:
    url, content = f"{server.url}/_cloudlet/accounts", json.dumps(body) if body is not None else ""
    request = AWSRequest(method, url, {"Content-Type": "application/json"}, content)
    credentials = session.get_credentials()
    assert credentials is not None
    assert isinstance(credentials, Credentials)
    SigV4Auth(credentials, "iam", "us-east-1").add_auth(request)
    return requests.request(method, url, headers=dict(request.headers.items()), data=content, timeout=10)


def make(server: Any, name: str) -> dict[str, str]:
    answer: dict[str, str] = ask(server, server.session(), "POST", {"name": name}).json()
    return answer


def test_a_new_account_has_a_root_of_its_own(server: Any) -> None:
    account = make(server, "second")
    assert len(account["id"]) == 12
    assert len(account["canonical_id"]) == 64
    session = server.session(account["access_key_id"], account["secret_access_key"])
    assert server.client("sts", session=session).get_caller_identity()["Arn"] == f"arn:aws:iam::{account['id']}:root"
    listed = ask(server, server.session(), "GET").json()["accounts"]
    assert [known["name"] for known in listed] == ["first", "second"]
    assert "secret_access_key" not in listed[1]


def test_names_are_unique(server: Any) -> None:
    make(server, "twice")
    answer = ask(server, server.session(), "POST", {"name": "twice"})
    assert (answer.status_code, answer.json()["code"]) == (409, "AccountAlreadyExists")
    assert ask(server, server.session(), "POST", {"name": " "}).status_code == 400


def test_only_the_first_root_makes_accounts(server: Any) -> None:
    account = make(server, "third")
    other = server.session(account["access_key_id"], account["secret_access_key"])
    assert ask(server, other, "POST", {"name": "fourth"}).status_code == 403
    assert ask(server, other, "GET").status_code == 403
    assert requests.get(f"{server.url}/_cloudlet/accounts", timeout=10).status_code == 403
    wrong = server.session(secret="wrong")
    assert ask(server, wrong, "POST", {"name": "fourth"}).status_code == 403
    names = [known["name"] for known in ask(server, server.session(), "GET").json()["accounts"]]
    assert "fourth" not in names


def test_accounts_do_not_see_each_other(server: Any, policy: Any) -> None:
    account = make(server, "neighbour")
    theirs = server.client("iam", session=server.session(account["access_key_id"], account["secret_access_key"]))
    ours = server.client("iam")
    ours.create_user(UserName="ann")
    assert theirs.list_users()["Users"] == []
    theirs.create_user(UserName="ann")
    theirs.create_policy(PolicyName="p", PolicyDocument=policy.allow("s3:*"))
    with pytest.raises(ClientError, match="AccessDenied"):
        ours.get_policy(PolicyArn=f"arn:aws:iam::{account['id']}:policy/p")
