"""What SQS measures of its queues, under AWS/SQS."""

from collections.abc import Iterable

from cloudlet.core.clock import Clock
from cloudlet.core.metrics import Metrics
from cloudlet.services.sqs.queues import Queue, Queues
from cloudlet.services.sqs.receiving import counts
from cloudlet.store import Reader

_NAMESPACE = "AWS/SQS"
# A queue without messages that nobody used for so long is not measured any more.
_ACTIVE_SECONDS = 6 * 3600


class Measures:
    def __init__(self, metrics: Metrics, clock: Clock, queues: Queues, reader: Reader) -> None:
        self._metrics = metrics
        self._clock = clock
        self._queues = queues
        self._reader = reader
        self._used: dict[int, float] = {}
        metrics.add_gauge(self._sample)

    def sent(self, queue: Queue, sizes: Iterable[int]) -> None:
        now = self._clock.now()
        for size in sizes:
            self._record(queue, "NumberOfMessagesSent", 1.0, "Count", now)
            self._record(queue, "SentMessageSize", float(size), "Bytes", now)

    def received(self, queue: Queue, messages: int) -> None:
        name = "NumberOfMessagesReceived" if messages else "NumberOfEmptyReceives"
        self._record(queue, name, float(messages or 1), "Count", self._clock.now())

    def deleted(self, queue: Queue, messages: int) -> None:
        if messages:
            self._record(queue, "NumberOfMessagesDeleted", float(messages), "Count", self._clock.now())

    def _record(self, queue: Queue, name: str, value: float, unit: str, now: float) -> None:
        address = queue.address
        self._used[queue.id] = now
        dimensions = ((("QueueName", address.name),),)
        self._metrics.record((address.account, address.region), _NAMESPACE, name, dimensions, value, unit, now)

    def _sample(self, now: float) -> None:
        """The lengths of the queues in use."""
        queues = self._queues.all()
        there = {queue.id for queue in queues}
        self._used = {id_: used for id_, used in self._used.items() if id_ in there and used > now - _ACTIVE_SECONDS}
        milliseconds = int(now * 1000)
        for queue in queues:
            visible, in_flight, delayed = counts(self._reader, queue, milliseconds)
            if visible or in_flight or delayed or queue.id in self._used:
                self._sample_queue(queue, (visible, in_flight, delayed), now)

    def _sample_queue(self, queue: Queue, lengths: tuple[int, int, int], now: float) -> None:
        row = self._reader.one("SELECT min(sent) FROM message WHERE queue = ?", (queue.id,))
        age = now - row[0] / 1000 if row is not None and row[0] is not None else 0.0
        address = queue.address
        place, dimensions = (address.account, address.region), ((("QueueName", address.name),),)
        for name, value in zip(("Visible", "NotVisible", "Delayed"), lengths, strict=True):
            metric = f"ApproximateNumberOfMessages{name}"
            self._metrics.record(place, _NAMESPACE, metric, dimensions, float(value), "Count", now)
        metric = "ApproximateAgeOfOldestMessage"
        self._metrics.record(place, _NAMESPACE, metric, dimensions, float(max(int(age), 0)), "Seconds", now)
