"""Confirmations: subscribers are asked whether they want to be one, and told when they are none any more."""

import logging
from collections.abc import Mapping
from typing import Any

from cloudlet.core.settings import Settings
from cloudlet.services.sns.courier import Courier, again_later
from cloudlet.services.sns.directory import Directory
from cloudlet.services.sns.envelopes import confirmation, end_confirmation, pretty, subscribe_url
from cloudlet.services.sns.mail import Mail, confirmation_mail
from cloudlet.services.sns.outcomes import Refused, Unavailable
from cloudlet.services.sns.signing import Signer
from cloudlet.services.sns.subscriptions import Subscription, ended_subscription
from cloudlet.services.sns.topics import Topic
from cloudlet.store import Completion, Delivery, Store

_log = logging.getLogger(__name__)


class Confirmations:
    def __init__(
        self, settings: Settings, store: Store, directory: Directory, signer: Signer, courier: Courier
    ) -> None:
        self._settings = settings
        self._store = store
        self._directory = directory
        self._signer = signer
        self._courier = courier

    async def ask(self, delivery: Delivery) -> Completion | None:
        """Whether the subscriber wants to be one; nobody is asked twice, nor with a token that is not the newest."""
        subscription = self._directory.find_subscription(delivery.target)
        if subscription is None or subscription.confirmed or subscription.token != delivery.payload["token"]:
            return None
        topic = self._directory.topic(subscription.topic)
        try:
            return await self._ask(topic, subscription, delivery.payload)
        except Unavailable:
            again_later(delivery, topic, subscription)
        except Refused as failure:
            _log.warning("confirmation refused", extra={"subscription": subscription.arn, "reason": str(failure)})
        return None

    async def tell_the_end(self, delivery: Delivery) -> None:
        """That the subscription has ended, and how to restore it."""
        token = delivery.payload["ended"]
        ended = ended_subscription(self._store.reader, token)
        topic = self._directory.find_topic(ended.topic) if ended is not None else None
        if ended is None or topic is None:
            return
        envelope = await self._envelope(topic, token, delivery.payload, ended=ended.arn)
        try:
            await self._courier.post(topic, ended, pretty(envelope), envelope)
        except Unavailable:
            again_later(delivery, topic, ended)
        except Refused as failure:
            _log.warning("confirmation refused", extra={"subscription": ended.arn, "reason": str(failure)})

    async def _ask(self, topic: Topic, subscription: Subscription, payload: Mapping[str, Any]) -> Completion | None:
        token, recipient = payload["token"], subscription.endpoint
        if subscription.protocol == "email":
            url = subscribe_url(self._settings.endpoint_url, topic.arn, token)
            return await self._courier.mail(topic, confirmation_mail(recipient, topic.arn, url))
        envelope = await self._envelope(topic, token, payload)
        if subscription.protocol == "email-json":
            subject = "AWS Notification - Subscription Confirmation"
            mail = Mail("email-json", "AWS Notifications", recipient, subject, pretty(envelope))
            return await self._courier.mail(topic, mail)
        if subscription.protocol == "sqs":
            await self._courier.send_to_queue(topic, recipient, {"MessageBody": pretty(envelope)})
        else:
            await self._courier.post(topic, subscription, pretty(envelope), envelope, named=False)
        return None

    async def _envelope(
        self, topic: Topic, token: str, payload: Mapping[str, Any], *, ended: str | None = None
    ) -> dict[str, Any]:
        """Signed; of the end of a subscription where its ARN is given."""
        url = self._settings.endpoint_url
        asked = confirmation(payload["message_id"], topic.arn, token, url, payload["time"])
        plain = asked if ended is None else end_confirmation(asked, ended)
        return await self._signer.signed(plain, topic.signature_version)
