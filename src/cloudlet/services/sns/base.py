"""What all SNS operations stand on: the data, the deliveries, the topic that a call is about, its policy."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.core.service import Service
from cloudlet.services.sns.delivery import Deliverer
from cloudlet.services.sns.directory import Directory
from cloudlet.services.sns.errors import invalid_parameter
from cloudlet.services.sns.measures import Measures
from cloudlet.services.sns.signing import Signer
from cloudlet.services.sns.subscriptions import Subscription
from cloudlet.services.sns.topics import Topic
from cloudlet.store import Outbox, Store

T = TypeVar("T")
_PAGE = 100
# A web server that takes its time holds back its own messages only.
_PER_SUBSCRIPTION = 64
_CONCURRENCY = 512
# These are about whichever topics there are.
_OF_ALL = frozenset({"ListTopics", "ListSubscriptions"})


class SnsBase(Service):
    apis = ("sns",)
    store: Store
    outbox: Outbox
    directory: Directory
    signer: Signer
    measures: Measures

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "sns.db", Path(__file__).with_name("schema.sql"))
        self.directory = Directory(self.store.reader)
        self.signer = Signer(self.store, self.cloud.settings)
        self.measures = Measures(self.cloud.metrics, self.cloud.clock)
        self._deliverer = Deliverer(self.cloud, self.store, self.directory, self.signer)
        self.outbox = Outbox(
            self.store,
            self.cloud.clock,
            self._deliverer.deliver,
            concurrency=_CONCURRENCY,
            per_target=_PER_SUBSCRIPTION,
        )

    async def recover(self) -> None:
        self.outbox.start()

    async def drain(self) -> None:
        """What is not delivered yet stays in the outbox for the next start."""
        await self.outbox.stop()

    async def stop(self) -> None:
        await self.outbox.stop()
        await self._deliverer.close()
        await self.signer.stop()
        self.store.close()

    def resource(self, call: Call, params: dict[str, Any]) -> str | None:
        if "Name" in params:
            return f"arn:aws:sns:{call.region}:{call.account}:{params['Name']}"
        if call.operation in _OF_ALL:
            return f"arn:aws:sns:{call.region}:{call.account}:*"
        return self._topic_arn(params) or "*"

    def resource_policy(self, call: Call, params: dict[str, Any]) -> dict[str, Any] | None:
        arn = self._topic_arn(params)
        topic = self.directory.find_topic(arn) if arn is not None else None
        return dict(topic.policy) if topic is not None else None

    def topic_of(self, call: Call, arn: str) -> Topic:
        """Raises NotFound, InvalidParameter for what is no ARN of a topic, AuthorizationError for a foreign one."""
        check_topic_arn(arn)
        topic = self.directory.topic(arn)
        self._check_account(call, topic)
        return topic

    def subscription_of(self, call: Call, arn: str) -> Subscription:
        """Raises NotFound, AuthorizationError unless the caller's account has the subscription or its topic."""
        check_subscription_arn(arn)
        subscription = self.directory.subscription(arn)
        if call.principal.account != subscription.owner:
            self._check_account(call, self.directory.topic(subscription.topic))
        return subscription

    def _check_account(self, call: Call, topic: Topic) -> None:
        """Another account's topic is open only to those whom its policy lets in, and be it that account's root."""
        principal = call.principal
        if principal.kind != "service" and principal.account != topic.account:
            self.cloud.authoriser.authorise(replace(call, account=topic.account), topic.arn, dict(topic.policy))

    def _topic_arn(self, params: Mapping[str, Any]) -> str | None:
        for member in ("TopicArn", "TargetArn", "ResourceArn"):
            if member in params:
                return params[member]
        subscription = params.get("SubscriptionArn")
        return subscription.rpartition(":")[0] if subscription else None


def check_topic_arn(arn: str) -> None:
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise invalid_parameter("TopicArn Reason: An ARN must have at least 6 elements, not 1") from None
    if parsed.service != "sns" or not parsed.resource or ":" in parsed.resource:
        raise invalid_parameter("TopicArn")


def check_subscription_arn(arn: str) -> None:
    parts = arn.split(":")
    if len(parts) < 6 or parts[0] != "arn" or parts[2] != "sns":
        reason = f"An ARN must have at least 6 elements, not {len(parts)}"
        raise invalid_parameter(f"SubscriptionArn Reason: {reason}")
    if len(parts) != 7:
        raise invalid_parameter("SubscriptionId")


def page_of(found: Sequence[T], ids: Sequence[int], token: str | None) -> tuple[Sequence[T], str | None]:
    """The page of a hundred that a token asks for, and the token of the next. `ids` of the items, rising."""
    after = _read_token(token) if token else 0
    start = next((index for index, id_ in enumerate(ids) if id_ > after), len(ids))
    end = start + _PAGE
    following = base64.urlsafe_b64encode(f"after:{ids[end - 1]}".encode()).decode() if end < len(found) else None
    return found[start:end], following


def _read_token(token: str) -> int:
    try:
        kind, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        after = int(number)
    except (binascii.Error, ValueError):
        raise invalid_parameter("NextToken") from None
    if kind != "after":
        raise invalid_parameter("NextToken")
    return after
