"""Deliveries: what the outbox owes to a subscription, brought there by the subscription's protocol.

A failure of the receiver's side (a queue that is gone, a policy that forbids it, HTTP 4xx) is final; others are tried
again by the delivery policy. What is given up goes to the subscription's dead-letter queue, if it has one.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.services.sns.confirmations import Confirmations
from cloudlet.services.sns.courier import Courier, again_later
from cloudlet.services.sns.delivery_policy import WITHIN_AWS
from cloudlet.services.sns.directory import Directory
from cloudlet.services.sns.envelopes import for_subscriber, lambda_event, notification, pretty, unsubscribe_url
from cloudlet.services.sns.mail import Mail, notification_mail
from cloudlet.services.sns.measures import Measures
from cloudlet.services.sns.messages import body_for, decode_attributes
from cloudlet.services.sns.outcomes import Refused, Unavailable
from cloudlet.services.sns.publishing import StoredMessage, delivered, stored_message
from cloudlet.services.sns.short_messages import default_sender, short_message
from cloudlet.services.sns.signing import Signer
from cloudlet.services.sns.status_log import Outcome, StatusLog
from cloudlet.services.sns.subscriptions import Subscription
from cloudlet.services.sns.topics import Topic
from cloudlet.store import Completion, Delivery, Retry, Store, Transaction

_log = logging.getLogger(__name__)


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
        self._measures = Measures(cloud.metrics, cloud.clock)
        self._store = store
        self._directory = directory
        self._signer = signer
        self._courier = Courier(cloud)
        self._confirmations = Confirmations(cloud.settings, store, directory, signer, self._courier)
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
        await self._courier.close()

    async def deliver(self, delivery: Delivery) -> Completion | None:
        """One attempt at an outbox row: a message for a subscription, or a confirmation."""
        if "token" in delivery.payload:
            return await self._confirmations.ask(delivery)
        if "ended" in delivery.payload:
            return await self._confirmations.tell_the_end(delivery)
        message = stored_message(self._store.reader, delivery.payload["message"])
        if message is None:
            return None
        subscription = self._directory.find_subscription(delivery.target)
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
            again_later(delivery, topic, subscription)
            given_up: Unavailable | Refused = failure
        except Refused as failure:
            given_up = failure
        else:
            self._measures.delivered(topic)
            await self._log_status(found, delivery)
            return completion
        _log.warning("delivery given up", extra={"subscription": subscription.arn, "reason": str(given_up)})
        self._measures.failed(topic, redriven=subscription.dead_letter_target is not None)
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
        queue = found.subscription.endpoint
        await self._courier.send_to_queue(found.topic, queue, _sqs_message(found, queue), found.trace_id)

    async def _to_dead_letter_queue(self, found: Notification, queue: str) -> None:
        """A queue that cannot take it now is tried again; one that will not, loses it, as on AWS."""
        try:
            await self._courier.send_to_queue(found.topic, queue, _sqs_message(found, queue))
        except Unavailable:
            raise Retry(WITHIN_AWS.longest) from None
        except Refused as failure:
            _log.warning("dead letter refused", extra={"queue": queue, "reason": str(failure)})

    async def _to_lambda(self, found: Notification) -> None:
        subscription = found.subscription
        unsubscribe = unsubscribe_url(self._cloud.settings.endpoint_url, subscription.arn)
        event = lambda_event(found.envelope, subscription.arn, unsubscribe, found.attributes)
        await self._courier.invoke(found.topic, subscription.endpoint, event, found.trace_id)

    async def _to_http(self, found: Notification) -> None:
        about = {"Type": "Notification", "MessageId": found.message.message_id, "TopicArn": found.topic.arn}
        await self._courier.post(found.topic, found.subscription, found.text, about)

    async def _to_mail(self, found: Notification) -> Completion | None:
        subscription, sender = found.subscription, found.topic.display_name
        if subscription.protocol == "email-json":
            subject = found.message.subject or "AWS Notification Message"
            mail = Mail("email-json", sender or "AWS Notifications", subscription.endpoint, subject, found.text)
            return await self._courier.mail(found.topic, mail)
        unsubscribe = unsubscribe_url(self._cloud.settings.endpoint_url, subscription.arn)
        mail = notification_mail(subscription.endpoint, sender, found.message.subject, found.body, unsubscribe)
        return await self._courier.mail(found.topic, mail)

    async def _to_phone(self, found: Notification) -> Completion:
        topic = found.topic
        text = f"{topic.display_name}> {found.body}" if topic.display_name else found.body
        sender = default_sender(self._store.reader, topic.account, topic.region)
        try:
            mail = short_message(found.subscription.endpoint, text, found.attributes, sender)
        except AwsError as error:
            raise Refused(str(error)) from error
        return self._courier.into_mailbox(topic, mail)


def _sqs_message(found: Notification, queue: str) -> dict[str, Any]:
    message: dict[str, Any] = {"MessageBody": found.text}
    if found.subscription.raw:
        passed_on = {name: value for name, value in found.attributes.items() if not name.startswith("AWS.")}
        message |= {"MessageAttributes": passed_on} if passed_on else {}
    if found.message.group_id is not None:
        message["MessageGroupId"] = found.message.group_id
    if found.message.deduplication_id is not None and queue.endswith(".fifo"):
        message["MessageDeduplicationId"] = found.message.deduplication_id
    return message


def _completed(message: int, completion: Completion | None) -> Completion:
    def complete(tx: Transaction) -> None:
        delivered(tx, message)
        if completion is not None:
            completion(tx)

    return complete
