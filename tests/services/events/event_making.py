"""What tests of EventBridge share: queues as targets, and waiting for what arrives in them."""

import json
import time
from dataclasses import dataclass
from typing import Any

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
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(message)
        return found

    def events(self, number: int) -> list[Any]:
        return [json.loads(message["Body"]) for message in self.messages(number)]

    def is_empty(self) -> bool:
        answer = self.server.client("sqs").receive_message(QueueUrl=self.url, WaitTimeSeconds=0)
        return not answer.get("Messages")


def entry(source: str, detail: Any = None, **members: Any) -> dict[str, Any]:
    """An entry of PutEvents."""
    return {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail or {}), **members}
