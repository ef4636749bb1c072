"""All topics and subscriptions in memory, as committed: where each publish and delivery looks them up."""

from collections.abc import Iterable

from cloudlet.services.sns.errors import subscription_not_found, topic_not_found
from cloudlet.services.sns.subscriptions import Subscription, all_subscriptions
from cloudlet.services.sns.topics import Topic, all_topics
from cloudlet.store import Reader, Transaction


class Directory:
    """Changes come in by the `…_after` methods, after the commit of the row."""

    def __init__(self, reader: Reader) -> None:
        self._topics = {topic.arn: topic for topic in all_topics(reader)}
        self._subscriptions = {found.arn: found for found in all_subscriptions(reader)}
        self._of_topic: dict[str, dict[str, Subscription]] = {}
        for subscription in self._subscriptions.values():
            self._of_topic.setdefault(subscription.topic, {})[subscription.arn] = subscription

    def topic(self, arn: str) -> Topic:
        """Raises NotFound."""
        topic = self._topics.get(arn)
        if topic is None:
            raise topic_not_found()
        return topic

    def find_topic(self, arn: str) -> Topic | None:
        return self._topics.get(arn)

    def topics_of(self, account: str, region: str) -> list[Topic]:
        return [topic for topic in self._topics.values() if (topic.account, topic.region) == (account, region)]

    def subscription(self, arn: str) -> Subscription:
        """Raises NotFound."""
        subscription = self._subscriptions.get(arn)
        if subscription is None:
            raise subscription_not_found()
        return subscription

    def find_subscription(self, arn: str) -> Subscription | None:
        return self._subscriptions.get(arn)

    def subscriptions_to(self, topic: str) -> Iterable[Subscription]:
        found = self._of_topic.get(topic)
        return found.values() if found is not None else ()

    def subscriptions_of(self, owner: str, region: str) -> list[Subscription]:
        return [
            subscription
            for subscription in self._subscriptions.values()
            if subscription.owner == owner and self._topics[subscription.topic].region == region
        ]

    def put_topic_after(self, tx: Transaction, topic: Topic) -> None:
        def put() -> None:
            self._topics[topic.arn] = topic

        tx.after_commit(put)

    def drop_topic_after(self, tx: Transaction, arn: str) -> None:
        def drop() -> None:
            self._topics.pop(arn, None)
            for subscription in self._of_topic.pop(arn, {}):
                self._subscriptions.pop(subscription, None)

        tx.after_commit(drop)

    def put_subscription_after(self, tx: Transaction, subscription: Subscription) -> None:
        def put() -> None:
            self._subscriptions[subscription.arn] = subscription
            self._of_topic.setdefault(subscription.topic, {})[subscription.arn] = subscription

        tx.after_commit(put)

    def drop_subscription_after(self, tx: Transaction, arn: str) -> None:
        def drop() -> None:
            gone = self._subscriptions.pop(arn, None)
            if gone is not None:
                self._of_topic.get(gone.topic, {}).pop(arn, None)

        tx.after_commit(drop)
