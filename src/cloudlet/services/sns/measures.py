"""What SNS measures of its topics, under AWS/SNS."""

from functools import lru_cache

from cloudlet.core.clock import Clock
from cloudlet.core.metrics import Metrics, Recorder
from cloudlet.services.sns.topics import Topic

_NAMESPACE = "AWS/SNS"


class Measures:
    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._recorder = lru_cache(4096)(self._recorder_of)

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
        self._recorder(topic.account, topic.region, topic.name, name, unit).add(value, self._clock.now())

    def _recorder_of(self, account: str, region: str, topic: str, name: str, unit: str) -> Recorder:
        return self._metrics.recorder((account, region), _NAMESPACE, name, ((("TopicName", topic),),), unit)
