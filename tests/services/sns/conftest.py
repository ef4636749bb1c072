"""SNS and SQS in process, as the services of one cloud."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudlet.core.clock import SystemClock
from cloudlet.core.context import FIRST_ACCOUNT, Call, Principal
from cloudlet.core.errors import AccessDenied
from cloudlet.core.service import Cloud
from cloudlet.core.settings import Settings
from cloudlet.services.sns import SNS
from cloudlet.services.sqs import SQS


class PolicyAuthoriser:
    """Lets in the services that a statement of the resource's policy names for this source."""

    def authorise(self, call: Call, resource: str | None, resource_policy: dict[str, Any] | None) -> None:
        for statement in (resource_policy or {}).get("Statement", ()):
            source = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn")
            if statement["Principal"] == {"Service": call.principal.arn} and source == call.source_arn:
                return
        raise AccessDenied


class SnsClient:
    """Calls both services as the account's root, by the operations' names."""

    def __init__(self, cloud: Cloud, sns: SNS, sqs: SQS) -> None:
        self.cloud = cloud
        self.service = sns
        self.queues = sqs

    async def __call__(self, operation: str, **params: Any) -> Any:
        return await self._call("sns", operation, params)

    async def sqs(self, operation: str, **params: Any) -> Any:
        return await self._call("sqs", operation, params)

    async def _call(self, api: str, operation: str, params: dict[str, Any]) -> Any:
        root = Principal.root(FIRST_ACCOUNT)
        return await self.cloud.call(api, operation, params, as_=root, region="us-east-1")

    async def topic(self, name: str = "alerts", **attributes: str) -> str:
        """Creates a topic; returns its ARN."""
        return (await self("CreateTopic", Name=name, Attributes=attributes))["TopicArn"]

    async def queue(self, name: str, topic: str | None = None, **attributes: str) -> str:
        """Creates a queue to which the topic may send; returns its URL."""
        url = (await self.sqs("CreateQueue", QueueName=name, Attributes=attributes))["QueueUrl"]
        if topic is not None:
            await self.allow(url, topic)
        return url

    async def allow(self, url: str, topic: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.arn(url),
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        await self.sqs("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": policy})

    def arn(self, url: str) -> str:
        return f"arn:aws:sqs:us-east-1:{FIRST_ACCOUNT}:{url.rsplit('/', 1)[1]}"

    async def subscribe(self, topic: str, protocol: str, endpoint: str, **attributes: str) -> str:
        """Subscribes; returns the ARN even if confirmation is pending."""
        params = {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint, "Attributes": attributes}
        return (await self("Subscribe", **params, ReturnSubscriptionArn=True))["SubscriptionArn"]

    async def received(self, url: str, **params: Any) -> dict[str, Any]:
        """The next message of a queue, which is deleted."""
        asked = {"WaitTimeSeconds": 20, "MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
        (message,) = (await self.sqs("ReceiveMessage", QueueUrl=url, **asked, **params))["Messages"]
        await self.sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return message

    async def settled(self) -> None:
        """Waits until the outbox is empty."""
        while self.service.outbox.statistics() != {"waiting": 0, "under_way": 0}:
            await asyncio.sleep(0.001)

    async def mails(self) -> list[dict[str, Any]]:
        from cloudlet.services.sns.mail import mailbox

        await self.settled()
        return await self.service.store.query(lambda reader: mailbox(reader, FIRST_ACCOUNT, 100))


@pytest.fixture
async def sns(tmp_path: Path) -> AsyncIterator[SnsClient]:
    cloud = Cloud(Settings(data=tmp_path), SystemClock())
    cloud.authoriser = PolicyAuthoriser()
    sqs, service = SQS(cloud), SNS(cloud)
    for each in (sqs, service):
        cloud.add(each)
        await each.start()
    await service.recover()
    yield SnsClient(cloud, service, sqs)
    for each in (service, sqs):
        await each.stop()


class Subscriber:
    """A web server that keeps what it is sent, and answers as it is told: a status per request, then 200."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[tuple[dict[str, str], str]] = asyncio.Queue()
        self.statuses: list[int] = []
        self.url = ""
        self.answers = asyncio.Event()
        self.answers.set()

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.put_nowait((headers, await request.text()))
        await self.answers.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def next(self) -> tuple[dict[str, str], str]:
        """Headers and body of the next request."""
        return await asyncio.wait_for(self.requests.get(), 30)


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    found = Subscriber()
    app = web.Application()
    app.router.add_post("/inbox", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/inbox"
    yield found
    await runner.cleanup()
