"""The ways out of SNS: calls of queues and functions as the topic, posts to web servers, mail."""

from collections.abc import Mapping
from typing import Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.services.sns.delivery_policy import (
    BY_MAIL,
    WITHIN_AWS,
    RetryPolicy,
    effective_subscription_policy,
    retry_policy,
)
from cloudlet.services.sns.http_endpoints import HttpEndpoints
from cloudlet.services.sns.mail import Mail, MailRefused, put_in_mailbox, send_by_smtp
from cloudlet.services.sns.outcomes import Refused, Unavailable
from cloudlet.services.sns.status_log import SERVICE
from cloudlet.services.sns.subscriptions import Subscription
from cloudlet.services.sns.throttle import Throttle
from cloudlet.services.sns.topics import Topic
from cloudlet.store import Completion, Delivery, Retry

_MOST_SQS_ATTRIBUTES = 10
_THROTTLED = frozenset({"RequestThrottled", "ThrottlingException", "TooManyRequestsException"})


class Courier:
    """Every way raises Refused or Unavailable where the message does not arrive."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._http = HttpEndpoints()
        self._throttle = Throttle()

    async def close(self) -> None:
        await self._http.close()

    async def send_to_queue(
        self, topic: Topic, queue: str, message: Mapping[str, Any], trace_id: str | None = None
    ) -> None:
        arn = Arn.parse(queue)
        if len(message.get("MessageAttributes", ())) > _MOST_SQS_ATTRIBUTES:
            raise Refused("more than ten message attributes")
        url = f"{self._cloud.settings.endpoint_url}/{arn.account}/{arn.resource}"
        await self._call("sqs", "SendMessage", {"QueueUrl": url, **message}, arn, topic, trace_id)

    async def invoke(self, topic: Topic, function: str, event: bytes, trace_id: str | None) -> None:
        params = {"FunctionName": function, "InvocationType": "Event", "Payload": event}
        await self._call("lambda", "Invoke", params, Arn.parse(function), topic, trace_id)

    async def post(
        self, topic: Topic, subscription: Subscription, text: str, about: Mapping[str, str], *, named: bool = True
    ) -> None:
        """`about` has Type, MessageId and TopicArn; `named` says whether the headers tell the subscription."""
        policy = effective_policy(topic, subscription)
        throttle = policy["throttlePolicy"]
        if throttle and throttle.get("maxReceivesPerSecond"):
            await self._throttle.wait(subscription.arn, throttle["maxReceivesPerSecond"])
        await self._http.post(
            subscription.endpoint,
            text,
            policy["requestPolicy"]["headerContentType"],
            about,
            subscription=subscription.arn if named else None,
            raw=subscription.raw and about["Type"] == "Notification",
        )

    async def mail(self, topic: Topic, mail: Mail) -> Completion | None:
        url = self._cloud.settings.smtp_url
        if url is None:
            return self.into_mailbox(topic, mail)
        try:
            await send_by_smtp(url, mail)
        except MailRefused as failure:
            raise Refused(str(failure)) from failure
        except OSError as failure:  # SMTPException is one
            raise Unavailable(str(failure)) from failure
        return None

    def into_mailbox(self, topic: Topic, mail: Mail) -> Completion:
        now = self._cloud.clock.now()
        return lambda tx: put_in_mailbox(tx, topic.account, topic.region, mail, now)

    async def _call(
        self, api: str, operation: str, params: dict[str, Any], target: Arn, topic: Topic, trace_id: str | None
    ) -> None:
        try:
            await self._cloud.call(
                api,
                operation,
                params,
                as_=Principal.service(SERVICE, topic.account),
                account=target.account,
                region=target.region,
                source_arn=topic.arn,
                trace_id=trace_id,
            )
        except AwsError as error:
            if error.code in _THROTTLED or (error.status >= 500 and error.status != 501):
                raise Unavailable(str(error), error.status) from error
            raise Refused(str(error), error.status) from error


def again_later(delivery: Delivery, topic: Topic, subscription: Subscription) -> None:
    """Raises Retry unless this was the last attempt."""
    pause = _retry_policy(topic, subscription).pause(delivery.attempts + 1)
    if pause is not None:
        raise Retry(pause)


def effective_policy(topic: Topic, subscription: Subscription) -> dict[str, Any]:
    return effective_subscription_policy(
        topic.kept.get("DeliveryPolicy"), subscription.attributes.get("DeliveryPolicy")
    )


def _retry_policy(topic: Topic, subscription: Subscription) -> RetryPolicy:
    if subscription.protocol in ("http", "https"):
        return retry_policy(effective_policy(topic, subscription)["healthyRetryPolicy"])
    return WITHIN_AWS if subscription.protocol in ("sqs", "lambda") else BY_MAIL
