"""The operations on subscriptions: from the wish to subscribe to the end of it."""

import json
import secrets
from typing import TYPE_CHECKING, Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.core.ids import request_id
from cloudlet.core.service import operation
from cloudlet.services.sns import subscriptions
from cloudlet.services.sns.base import SnsBase, check_subscription_arn, check_topic_arn, page_of
from cloudlet.services.sns.delivery_policy import effective_subscription_policy
from cloudlet.services.sns.errors import authorization_error, invalid_parameter
from cloudlet.services.sns.subscriptions import Subscription
from cloudlet.services.sns.topics import load_topic
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as t

_TOKEN_SECONDS = 2 * 24 * 60 * 60
_PENDING = "PendingConfirmation"


class SubscriptionOperations(SnsBase):
    @operation("Subscribe")
    async def subscribe(self, call: Call, params: "t.SubscribeInputTypeDef") -> dict[str, Any]:
        topic = self.topic_of(call, params["TopicArn"])
        protocol, endpoint = params["Protocol"], params.get("Endpoint")
        attributes = subscriptions.check_request(topic, protocol, endpoint, params.get("Attributes", {}))
        assert endpoint is not None
        request = subscriptions.Request(protocol, endpoint, call.account, call.principal.arn, attributes)
        token = secrets.token_hex(80) if _needs_confirmation(protocol, endpoint, call.account) else None

        def subscribe(tx: Transaction) -> Subscription:
            arn = f"{topic.arn}:{request_id()}"
            current = load_topic(tx, topic.arn)
            found = subscriptions.subscribe(tx, current, request, arn, token, call.time + _TOKEN_SECONDS)
            self.directory.put_subscription_after(tx, found)
            if not found.confirmed:
                payload = {"token": found.token, "message_id": request_id(), "time": call.time}
                self.outbox.put(tx, found.arn, payload)
            return found

        found = await self.store.write(subscribe)
        shown = found.confirmed or params.get("ReturnSubscriptionArn", False)
        return {"SubscriptionArn": found.arn if shown else "pending confirmation"}

    @operation("ConfirmSubscription")
    async def confirm_subscription(self, call: Call, params: "t.ConfirmSubscriptionInputTypeDef") -> dict[str, Any]:
        check_topic_arn(params["TopicArn"])
        authenticated = call.principal.kind != "anonymous"
        sign_to_leave = authenticated and params.get("AuthenticateOnUnsubscribe", "").lower() == "true"

        def confirm(tx: Transaction) -> Subscription:
            found = subscriptions.confirm(
                tx,
                params["TopicArn"],
                params["Token"],
                call.time,
                authenticated=authenticated,
                sign_to_leave=sign_to_leave,
            )
            self.directory.put_subscription_after(tx, found)
            return found

        self.directory.topic(params["TopicArn"])
        return {"SubscriptionArn": (await self.store.write(confirm)).arn}

    @operation("Unsubscribe")
    async def unsubscribe(self, call: Call, params: "t.UnsubscribeInputTypeDef") -> None:
        """Who follows the link in a message has no signature: that is enough unless the confirmation asked for one."""
        arn = params["SubscriptionArn"]
        check_subscription_arn(arn)
        found = self.directory.find_subscription(arn)
        if found is None:
            return
        if call.principal.kind != "anonymous":
            self.subscription_of(call, arn)
        elif found.unsubscribe_needs_signature:
            raise authorization_error("Authentication is required to unsubscribe")

        def unsubscribe(tx: Transaction) -> None:
            subscriptions.unsubscribe(tx, arn)
            if found.confirmed and found.protocol in ("http", "https"):
                self._tell_the_end(tx, found, call.time)
            self.directory.drop_subscription_after(tx, arn)
            self.directory.put_topic_after(tx, load_topic(tx, found.topic))  # it counts the deleted ones

        await self.store.write(unsubscribe)

    def _tell_the_end(self, tx: Transaction, ended: Subscription, now: float) -> None:
        token = secrets.token_hex(80)
        subscriptions.remember_ended(tx, ended, token, now, now + _TOKEN_SECONDS)
        self.outbox.put(tx, ended.arn, {"ended": token, "message_id": request_id(), "time": now})

    @operation("ListSubscriptions")
    async def list_subscriptions(self, call: Call, params: "t.ListSubscriptionsInputTypeDef") -> dict[str, Any]:
        return _page(self.directory.subscriptions_of(call.account, call.region), params.get("NextToken"))

    @operation("ListSubscriptionsByTopic")
    async def list_subscriptions_by_topic(
        self, call: Call, params: "t.ListSubscriptionsByTopicInputTypeDef"
    ) -> dict[str, Any]:
        topic = self.topic_of(call, params["TopicArn"])
        return _page(list(self.directory.subscriptions_to(topic.arn)), params.get("NextToken"))

    @operation("GetSubscriptionAttributes")
    async def get_subscription_attributes(
        self, call: Call, params: "t.GetSubscriptionAttributesInputTypeDef"
    ) -> dict[str, Any]:
        found = self.subscription_of(call, params["SubscriptionArn"])
        attributes = {
            "SubscriptionArn": found.arn,
            "TopicArn": found.topic,
            "Owner": found.owner,
            "SubscriptionPrincipal": found.principal,
            "Protocol": found.protocol,
            "Endpoint": found.endpoint,
            "PendingConfirmation": str(not found.confirmed).lower(),
            "ConfirmationWasAuthenticated": str(found.authenticated).lower(),
            "RawMessageDelivery": "false",
        }
        if "FilterPolicy" in found.attributes:
            attributes["FilterPolicyScope"] = subscriptions.MESSAGE_ATTRIBUTES
        if found.protocol in ("http", "https"):
            topic = self.directory.topic(found.topic)
            policy = effective_subscription_policy(
                topic.kept.get("DeliveryPolicy"), found.attributes.get("DeliveryPolicy")
            )
            attributes["EffectiveDeliveryPolicy"] = json.dumps(policy, separators=(",", ":"))
        return {"Attributes": attributes | dict(found.attributes)}

    @operation("SetSubscriptionAttributes")
    async def set_subscription_attributes(self, call: Call, params: "t.SetSubscriptionAttributesInputTypeDef") -> None:
        found = self.subscription_of(call, params["SubscriptionArn"])
        topic = self.directory.topic(found.topic)
        name, value = params["AttributeName"], params.get("AttributeValue", "")

        def change(tx: Transaction) -> None:
            changed = subscriptions.set_subscription_attribute(tx, topic, found.arn, name, value)
            self.directory.put_subscription_after(tx, changed)

        await self.store.write(change)


def _needs_confirmation(protocol: str, endpoint: str, account: str) -> bool:
    """Queues and functions of the subscriber's own account and phones do not; everybody else must want it."""
    if protocol in ("sqs", "lambda"):
        owner = Arn.parse(endpoint).account
        if protocol == "lambda" and owner != account:
            raise invalid_parameter("Endpoint Reason: the function belongs to another account")
        return owner != account
    return protocol != "sms"


def _page(found: list[Subscription], token: str | None) -> dict[str, Any]:
    page, following = page_of(found, [subscription.id for subscription in found], token)
    output: dict[str, Any] = {
        "Subscriptions": [
            {
                "SubscriptionArn": subscription.arn if subscription.confirmed else _PENDING,
                "Owner": subscription.owner,
                "Protocol": subscription.protocol,
                "Endpoint": subscription.endpoint,
                "TopicArn": subscription.topic,
            }
            for subscription in page
        ]
    }
    return output | ({"NextToken": following} if following else {})
