"""SQS in process, on a clock that the test moves."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.clock import ManualClock
from cloudlet.core.context import FIRST_ACCOUNT, Principal
from cloudlet.core.service import Cloud
from cloudlet.core.settings import Settings
from cloudlet.services.sqs import SQS


class SqsClient:
    """Calls the service as the account's root, by the operations' names."""

    def __init__(self, cloud: Cloud, service: SQS) -> None:
        self.cloud = cloud
        self.service = service
        self.clock = cloud.clock

    async def __call__(self, operation: str, **params: Any) -> Any:
        return await self.cloud.call("sqs", operation, params, as_=Principal.root(FIRST_ACCOUNT), region="us-east-1")

    async def queue(self, name: str, **attributes: str) -> str:
        """Creates a queue; returns its URL."""
        return (await self("CreateQueue", QueueName=name, Attributes=attributes))["QueueUrl"]

    async def arn(self, url: str) -> str:
        answer = await self("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    async def send(self, url: str, body: str, **params: Any) -> Any:
        return await self("SendMessage", QueueUrl=url, MessageBody=body, **params)

    async def receive(self, url: str, **params: Any) -> list[dict[str, Any]]:
        """Up to ten messages with all their system attributes."""
        asked = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"], **params}
        return (await self("ReceiveMessage", QueueUrl=url, **asked)).get("Messages", [])

    async def bodies(self, url: str, **params: Any) -> list[str]:
        return [message["Body"] for message in await self.receive(url, **params)]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sqs(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqsClient]:
    cloud = Cloud(Settings(data=tmp_path), clock)
    service = SQS(cloud)
    cloud.add(service)
    await service.start()
    yield SqsClient(cloud, service)
    await service.stop()
