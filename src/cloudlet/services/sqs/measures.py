"""What SQS measures of its queues, under AWS/SQS."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cloudlet.core.clock import Clock
from cloudlet.core.metrics import Metrics, Recorder
from cloudlet.services.sqs.queues import Queue, Queues
from cloudlet.services.sqs.receiving import counts
from cloudlet.store import Reader

_NAMESPACE = "AWS/SQS"
# A queue without messages that nobody used for so long is not measured any more.
_ACTIVE_SECONDS = 6 * 3600


@dataclass(frozen=True, slots=True)
class _Recorders:
    """Those of one queue."""

    sent: Recorder
    size: Recorder
    received: Recorder
    empty: Recorder
    deleted: Recorder


class Measures:
    def __init__(self, metrics: Metrics, clock: Clock, queues: Queues, reader: Reader) -> None:
        self._metrics = metrics
        self._clock = clock
        self._queues = queues
        self._reader = reader
        self._recorders = lru_cache(4096)(self._recorders_of)
        self._used: dict[int, float] = {}
        metrics.add_gauge(self._sample)

    def sent(self, queue: Queue, sizes: Iterable[int]) -> None:
        now = self._clock.now()
        self._used[queue.id] = now
        recorders = self._recorders_for(queue)
        for size in sizes:
            recorders.sent.add(1.0, now)
            recorders.size.add(float(size), now)

    def received(self, queue: Queue, messages: int) -> None:
        now = self._clock.now()
        self._used[queue.id] = now
        recorders = self._recorders_for(queue)
        if messages:
            recorders.received.add(float(messages), now)
        else:
            recorders.empty.add(1.0, now)

    def deleted(self, queue: Queue, messages: int) -> None:
        if messages:
            now = self._clock.now()
            self._used[queue.id] = now
            self._recorders_for(queue).deleted.add(float(messages), now)

    def _recorders_for(self, queue: Queue) -> _Recorders:
        address = queue.address
        return self._recorders(address.account, address.region, address.name)

    def _recorders_of(self, account: str, region: str, name: str) -> _Recorders:
        place, dimensions = (account, region), ((("QueueName", name),),)

        def recorder(metric: str, unit: str = "Count") -> Recorder:
            return self._metrics.recorder(place, _NAMESPACE, metric, dimensions, unit)

        return _Recorders(
            recorder("NumberOfMessagesSent"),
            recorder("SentMessageSize", "Bytes"),
            recorder("NumberOfMessagesReceived"),
            recorder("NumberOfEmptyReceives"),
            recorder("NumberOfMessagesDeleted"),
        )

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
