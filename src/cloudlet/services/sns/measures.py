"""What SNS measures of its topics, under AWS/SNS."""

from cloudlet.core.clock import Clock
from cloudlet.core.metrics import Metrics
from cloudlet.services.sns.topics import Topic

_NAMESPACE = "AWS/SNS"


class Measures:
    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    def published(self, topic: Topic, size: int) -> None:
        self._record(topic, "NumberOfMessagesPublished", 1.0)
        self._record(topic, "PublishSize", float(size), "Bytes")

    def filtered_out(self, topic: Topic, subscriptions: int) -> None:
        """So many subscriptions did not want a message."""
        if subscriptions:
            self._record(topic, "NumberOfNotificationsFilteredOut", float(subscriptions))

    def delivered(self, topic: Topic) -> None:
        self._record(topic, "NumberOfNotificationsDelivered", 1.0)

    def failed(self, topic: Topic, *, redriven: bool) -> None:
        """A delivery was given up; `redriven` where a dead-letter queue took it."""
        self._record(topic, "NumberOfNotificationsFailed", 1.0)
        if redriven:
            self._record(topic, "NumberOfNotificationsRedrivenToDlq", 1.0)

    def _record(self, topic: Topic, name: str, value: float, unit: str = "Count") -> None:
        dimensions = ((("TopicName", topic.name),),)
        now = self._clock.now()
        self._metrics.record((topic.account, topic.region), _NAMESPACE, name, dimensions, value, unit, now)
