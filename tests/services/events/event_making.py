"""What tests of EventBridge share: queues as targets, and waiting for what arrives in them."""

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

_DEADLINE = 60


@dataclass(frozen=True)
class Queue:
    """A queue that rules may send to."""

    server: Any
    url: str
    arn: str

    def messages(self, number: int) -> list[dict[str, Any]]:
        """Waits for so many messages and takes them out."""
        sqs = self.server.client("sqs")
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + _DEADLINE
        while len(found) < number:
            assert time.monotonic() < deadline, (
                f"{len(found)} of {number} messages arrived\n{self.server.log()[-3000:]}"
            )
            answer = sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=2,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
            taken = answer.get("Messages", [])
            handles = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(taken)]
            if handles:
                sqs.delete_message_batch(QueueUrl=self.url, Entries=handles)
            found += taken
        return found

    def events(self, number: int) -> list[Any]:
        return [json.loads(message["Body"]) for message in self.messages(number)]

    def is_empty(self) -> bool:
        answer = self.server.client("sqs").receive_message(QueueUrl=self.url, WaitTimeSeconds=0)
        return not answer.get("Messages")


def entry(source: str, detail: Any = None, **members: Any) -> dict[str, Any]:
    """An entry of PutEvents."""
    return {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail or {}), **members}


def error_of(call: Any, **params: Any) -> tuple[str, str]:
    """The code and the message of the error that a call must answer with."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    answer: Any = refused.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"]


def stranger(server: Any, name: str) -> tuple[str, Any]:
    """Another account: its number and a session of its root."""
    url = f"{server.url}/_cloudlet/accounts"
    request = AWSRequest("POST", url, data=json.dumps({"name": name}))
    SigV4Auth(server.session().get_credentials(), "iam", "us-east-1").add_auth(request)
    headers = dict(request.headers.items())
    account = requests.post(url, data=request.body, headers=headers, timeout=30).json()
    return account["id"], server.session(account["access_key_id"], account["secret_access_key"])


def user_session(server: Any, name: str, *statements: dict[str, Any]) -> Any:
    """A session of a user who may do what the statements say."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName=name, PolicyName="allowed", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return server.session(key["AccessKeyId"], key["SecretAccessKey"])
