"""Deliveries: what the outbox owes to a subscription, brought there by the subscription's protocol.

A failure of the receiver's side (a queue that is gone, a policy that forbids it, HTTP 4xx) is final; others are tried
again by the delivery policy. What is given up goes to the subscription's dead-letter queue, if it has one.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
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
from cloudlet.services.sns.directory import Directory
from cloudlet.services.sns.envelopes import (
    confirmation,
    end_confirmation,
    for_subscriber,
    lambda_event,
    notification,
    pretty,
    subscribe_url,
    unsubscribe_url,
)
from cloudlet.services.sns.http_endpoints import HttpEndpoints
from cloudlet.services.sns.mail import (
    Mail,
    MailRefused,
    confirmation_mail,
    notification_mail,
    put_in_mailbox,
    send_by_smtp,
)
from cloudlet.services.sns.messages import body_for, decode_attributes
from cloudlet.services.sns.outcomes import Refused, Unavailable
from cloudlet.services.sns.publishing import StoredMessage, delivered, stored_message
from cloudlet.services.sns.short_messages import default_sender, short_message
from cloudlet.services.sns.signing import Signer
from cloudlet.services.sns.status_log import SERVICE, Outcome, StatusLog
from cloudlet.services.sns.subscriptions import Subscription, ended_subscription
from cloudlet.services.sns.throttle import Throttle
from cloudlet.services.sns.topics import Topic
from cloudlet.store import Completion, Delivery, Retry, Store, Transaction

_log = logging.getLogger(__name__)
_MOST_SQS_ATTRIBUTES = 10
_THROTTLED = frozenset({"RequestThrottled", "ThrottlingException", "TooManyRequestsException"})


@dataclass(frozen=True, slots=True)
class Notification:
    """A message for one subscriber: its body by the subscriber's protocol, the envelope signed and complete."""

    message: StoredMessage
    topic: Topic
    subscription: Subscription
    body: str
    attributes: Mapping[str, Mapping[str, Any]]
    envelope: Mapping[str, Any]
    trace_id: str | None = None

    @property
    def text(self) -> str:
        return self.body if self.subscription.raw else pretty(self.envelope)


class Deliverer:
    def __init__(self, cloud: Cloud, store: Store, directory: Directory, signer: Signer) -> None:
        self._cloud = cloud
        self._store = store
        self._directory = directory
        self._signer = signer
        self._http = HttpEndpoints()
        self._throttle = Throttle()
        self._status_log = StatusLog(cloud)
        self._by_protocol = {
            "sqs": self._to_sqs,
            "lambda": self._to_lambda,
            "http": self._to_http,
            "https": self._to_http,
            "email": self._to_mail,
            "email-json": self._to_mail,
            "sms": self._to_phone,
        }

    async def close(self) -> None:
        await self._http.close()

    async def deliver(self, delivery: Delivery) -> Completion | None:
        """One attempt at an outbox row: a message for a subscription, or the request to confirm it."""
        subscription = self._directory.find_subscription(delivery.target)
        if "token" in delivery.payload:
            return await self._ask_to_confirm(delivery, subscription)
        if "ended" in delivery.payload:
            return await self._tell_the_end(delivery)
        message = stored_message(self._store.reader, delivery.payload["message"])
        if message is None:
            return None
        topic = self._directory.find_topic(message.topic)
        completion: Completion | None = None
        if subscription is not None and topic is not None:
            completion = await self._notify(delivery, message, topic, subscription)
        return _completed(message.id, completion)

    async def _notify(
        self, delivery: Delivery, message: StoredMessage, topic: Topic, subscription: Subscription
    ) -> Completion | None:
        found = await self._notification(message, topic, subscription, delivery.payload)
        try:
            completion = await self._by_protocol[subscription.protocol](found)
        except Unavailable as failure:
            self._again_later(delivery, topic, subscription)
            given_up: Unavailable | Refused = failure
        except Refused as failure:
            given_up = failure
        else:
            await self._log_status(found, delivery)
            return completion
        _log.warning("delivery given up", extra={"subscription": subscription.arn, "reason": str(given_up)})
        await self._log_status(found, delivery, given_up)
        if subscription.dead_letter_target is not None:
            await self._to_dead_letter_queue(found, subscription.dead_letter_target)
        return None

    async def _log_status(
        self, found: Notification, delivery: Delivery, failure: Unavailable | Refused | None = None
    ) -> None:
        subscription = found.subscription
        status, reason = (200, None) if failure is None else (failure.status, str(failure))
        outcome = Outcome(subscription.protocol, subscription.endpoint, delivery.attempts + 1, status, reason)
        await self._status_log.record(found.topic, found.message, outcome)

    async def _ask_to_confirm(self, delivery: Delivery, subscription: Subscription | None) -> Completion | None:
        if subscription is None or subscription.confirmed or subscription.token != delivery.payload["token"]:
            return None
        topic = self._directory.topic(subscription.topic)
        try:
            return await self._send_confirmation(topic, subscription, delivery.payload)
        except Unavailable:
            self._again_later(delivery, topic, subscription)
        except Refused as failure:
            _log.warning("confirmation refused", extra={"subscription": subscription.arn, "reason": str(failure)})
        return None

    async def _tell_the_end(self, delivery: Delivery) -> None:
        token = delivery.payload["ended"]
        ended = ended_subscription(self._store.reader, token)
        topic = self._directory.find_topic(ended.topic) if ended is not None else None
        if ended is None or topic is None:
            return
        url, payload = self._cloud.settings.endpoint_url, delivery.payload
        asked = confirmation(payload["message_id"], topic.arn, token, url, payload["time"])
        envelope = await self._signer.signed(end_confirmation(asked, ended.arn), topic.signature_version)
        content_type = self._content_type(topic, ended)
        try:
            await self._http.post(ended.endpoint, pretty(envelope), content_type, envelope, subscription=ended.arn)
        except Unavailable:
            self._again_later(delivery, topic, ended)
        except Refused as failure:
            _log.warning("confirmation refused", extra={"subscription": ended.arn, "reason": str(failure)})

    async def _send_confirmation(
        self, topic: Topic, subscription: Subscription, payload: Mapping[str, Any]
    ) -> Completion | None:
        endpoint_url, token = self._cloud.settings.endpoint_url, payload["token"]
        if subscription.protocol == "email":
            url = subscribe_url(endpoint_url, topic.arn, token)
            return await self._mail(topic, confirmation_mail(subscription.endpoint, topic.arn, url))
        asked = confirmation(payload["message_id"], topic.arn, token, endpoint_url, payload["time"])
        envelope = await self._signer.signed(asked, topic.signature_version)
        if subscription.protocol == "email-json":
            subject = "AWS Notification - Subscription Confirmation"
            mail = Mail("email-json", "AWS Notifications", subscription.endpoint, subject, pretty(envelope))
            return await self._mail(topic, mail)
        if subscription.protocol == "sqs":
            await self._send_to_queue(topic, subscription.endpoint, {"MessageBody": pretty(envelope)})
        else:
            await self._http.post(
                subscription.endpoint, pretty(envelope), self._content_type(topic, subscription), envelope
            )
        return None

    async def _notification(
        self, message: StoredMessage, topic: Topic, subscription: Subscription, payload: Mapping[str, Any]
    ) -> Notification:
        sequence_number, trace_id = payload.get("sequence"), payload.get("trace_id")
        body = body_for(message.body, bool(message.structured), subscription.protocol)
        attributes = decode_attributes(message.attributes)
        if subscription.raw or subscription.protocol in ("email", "sms"):
            return Notification(message, topic, subscription, body, attributes, {}, trace_id)
        endpoint_url = self._cloud.settings.endpoint_url
        plain = notification(message.message_id, topic.arn, message.subject, body, message.published, sequence_number)
        signed = await self._signer.signed(plain, topic.signature_version)
        envelope = for_subscriber(signed, unsubscribe_url(endpoint_url, subscription.arn), attributes)
        return Notification(message, topic, subscription, body, attributes, envelope, trace_id)

    async def _to_sqs(self, found: Notification) -> None:
        await self._send_to_queue(found.topic, found.subscription.endpoint, _sqs_message(found), found.trace_id)

    async def _to_dead_letter_queue(self, found: Notification, queue: str) -> None:
        """A queue that cannot take it now is tried again; one that will not, loses it, as on AWS."""
        try:
            await self._send_to_queue(found.topic, queue, _sqs_message(found))
        except Unavailable:
            raise Retry(WITHIN_AWS.longest) from None
        except Refused as failure:
            _log.warning("dead letter refused", extra={"queue": queue, "reason": str(failure)})

    async def _send_to_queue(
        self, topic: Topic, queue: str, message: dict[str, Any], trace_id: str | None = None
    ) -> None:
        arn = Arn.parse(queue)
        if len(message.get("MessageAttributes", ())) > _MOST_SQS_ATTRIBUTES:
            raise Refused("more than ten message attributes")
        url = f"{self._cloud.settings.endpoint_url}/{arn.account}/{arn.resource}"
        await self._call("sqs", "SendMessage", {"QueueUrl": url, **message}, arn, topic, trace_id)

    async def _to_lambda(self, found: Notification) -> None:
        function = found.subscription.endpoint
        unsubscribe = unsubscribe_url(self._cloud.settings.endpoint_url, found.subscription.arn)
        event = lambda_event(found.envelope, found.subscription.arn, unsubscribe, found.attributes)
        params = {"FunctionName": function, "InvocationType": "Event", "Payload": event}
        await self._call("lambda", "Invoke", params, Arn.parse(function), found.topic, found.trace_id)

    async def _to_http(self, found: Notification) -> None:
        subscription = found.subscription
        throttle = self._effective_policy(found.topic, subscription)["throttlePolicy"]
        if throttle and throttle.get("maxReceivesPerSecond"):
            await self._throttle.wait(subscription.arn, throttle["maxReceivesPerSecond"])
        about = {"Type": "Notification", "MessageId": found.message.message_id, "TopicArn": found.topic.arn}
        await self._http.post(
            subscription.endpoint,
            found.text,
            self._content_type(found.topic, subscription),
            about,
            subscription=subscription.arn,
            raw=subscription.raw,
        )

    async def _to_mail(self, found: Notification) -> Completion | None:
        subscription, sender = found.subscription, found.topic.display_name
        if subscription.protocol == "email-json":
            subject = found.message.subject or "AWS Notification Message"
            mail = Mail("email-json", sender or "AWS Notifications", subscription.endpoint, subject, found.text)
            return await self._mail(found.topic, mail)
        unsubscribe = unsubscribe_url(self._cloud.settings.endpoint_url, subscription.arn)
        mail = notification_mail(subscription.endpoint, sender, found.message.subject, found.body, unsubscribe)
        return await self._mail(found.topic, mail)

    async def _to_phone(self, found: Notification) -> Completion:
        topic = found.topic
        text = f"{topic.display_name}> {found.body}" if topic.display_name else found.body
        sender = default_sender(self._store.reader, topic.account, topic.region)
        try:
            mail = short_message(found.subscription.endpoint, text, found.attributes, sender)
        except AwsError as error:
            raise Refused(str(error)) from error
        return self._into_mailbox(topic, mail)

    async def _mail(self, topic: Topic, mail: Mail) -> Completion | None:
        url = self._cloud.settings.smtp_url
        if url is None:
            return self._into_mailbox(topic, mail)
        try:
            await send_by_smtp(url, mail)
        except MailRefused as failure:
            raise Refused(str(failure)) from failure
        except OSError as failure:  # SMTPException is one
            raise Unavailable(str(failure)) from failure
        return None

    def _into_mailbox(self, topic: Topic, mail: Mail) -> Completion:
        now = self._cloud.clock.now()
        return lambda tx: put_in_mailbox(tx, topic.account, topic.region, mail, now)

    async def _call(
        self,
        api: str,
        operation: str,
        params: dict[str, Any],
        target: Arn,
        topic: Topic,
        trace_id: str | None = None,
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

    def _content_type(self, topic: Topic, subscription: Subscription) -> str:
        return self._effective_policy(topic, subscription)["requestPolicy"]["headerContentType"]

    def _again_later(self, delivery: Delivery, topic: Topic, subscription: Subscription) -> None:
        """Raises Retry unless this was the last attempt."""
        pause = self._retry_policy(topic, subscription).pause(delivery.attempts + 1)
        if pause is not None:
            raise Retry(pause)

    def _retry_policy(self, topic: Topic, subscription: Subscription) -> RetryPolicy:
        if subscription.protocol in ("http", "https"):
            return retry_policy(self._effective_policy(topic, subscription)["healthyRetryPolicy"])
        return WITHIN_AWS if subscription.protocol in ("sqs", "lambda") else BY_MAIL

    def _effective_policy(self, topic: Topic, subscription: Subscription) -> dict[str, Any]:
        return effective_subscription_policy(
            topic.kept.get("DeliveryPolicy"), subscription.attributes.get("DeliveryPolicy")
        )


def _sqs_message(found: Notification) -> dict[str, Any]:
    message: dict[str, Any] = {"MessageBody": found.text}
    if found.subscription.raw:
        passed_on = {name: value for name, value in found.attributes.items() if not name.startswith("AWS.")}
        message |= {"MessageAttributes": passed_on} if passed_on else {}
    if found.message.group_id is not None:
        message["MessageGroupId"] = found.message.group_id
    if found.message.deduplication_id is not None and found.subscription.endpoint.endswith(".fifo"):
        message["MessageDeduplicationId"] = found.message.deduplication_id
    return message


def _completed(message: int, completion: Completion | None) -> Completion:
    def complete(tx: Transaction) -> None:
        delivered(tx, message)
        if completion is not None:
            completion(tx)

    return complete
