"""What EventBridge measures of itself, under AWS/Events."""

from collections.abc import Sequence

from cloudlet.core.clock import Clock
from cloudlet.core.metrics import Metrics, Place
from cloudlet.services.events.directory import Directory
from cloudlet.services.events.rules import Rule

_NAMESPACE = "AWS/Events"
_NO_DIMENSIONS = ((),)


class Measures:
    """Of rules that are gone in the meantime nothing is recorded."""

    def __init__(self, metrics: Metrics, clock: Clock, directory: Directory) -> None:
        self._metrics = metrics
        self._clock = clock
        self._directory = directory

    def put_events(self, place: Place, entries: int, failed: int, size: int) -> None:
        now = self._clock.now()

        def record(name: str, value: float, unit: str = "Count") -> None:
            self._metrics.record(place, _NAMESPACE, name, _NO_DIMENSIONS, value, unit, now)

        record("PutEventsApproximateCallCount", 1)
        record("PutEventsApproximateSuccessCount", 1)
        record("PutEventsEntriesCount", entries)
        record("PutEventsFailedEntriesCount", failed)
        record("PutEventsRequestSize", size, "Bytes")

    def matched(self, rules: Sequence[Rule], now: float) -> None:
        """An event matched these rules."""
        for rule in rules:
            self._record(rule, "MatchedEvents", 1, now)
            self._record(rule, "TriggeredRules", 1, now)

    def scheduled(self, rules: Sequence[Rule], now: float) -> None:
        """The schedules of these rules fell due."""
        for rule in rules:
            self._record(rule, "TriggeredRules", 1, now)

    def attempt(self, rule: str, ingested: float, *, again: bool) -> None:
        if not again:
            self._latency(rule, "IngestionToInvocationStartLatency", ingested)
        self._count(rule, "InvocationAttempts")
        if again:
            self._count(rule, "RetryInvocationAttempts")

    def success(self, rule: str, ingested: float) -> None:
        self._count(rule, "Invocations")
        self._count(rule, "SuccessfulInvocationAttempts")
        self._latency(rule, "IngestionToInvocationSuccessLatency", ingested)

    def failure(self, rule: str) -> None:
        """Of a delivery, for good."""
        self._count(rule, "Invocations")
        self._count(rule, "FailedInvocations")

    def letter(self, rule: str, *, sent: bool) -> None:
        self._count(rule, "InvocationsSentToDlq" if sent else "InvocationsFailedToBeSentToDlq")

    def _latency(self, arn: str, name: str, since: float) -> None:
        now = self._clock.now()
        rule = self._directory.find_rule(arn)
        if rule is not None:
            milliseconds = max(now - since, 0.0) * 1000
            self._metrics.record(rule.place, _NAMESPACE, name, rule.dimensions, milliseconds, "Milliseconds", now)

    def _count(self, arn: str, name: str) -> None:
        rule = self._directory.find_rule(arn)
        if rule is not None:
            self._record(rule, name, 1, self._clock.now())

    def _record(self, rule: Rule, name: str, value: float, now: float) -> None:
        self._metrics.record(rule.place, _NAMESPACE, name, rule.dimensions, value, "Count", now)
