"""What services record is counted once under each of its dimensions, in the minute in which it happened."""

import random
import tracemalloc

from cloudlet.core.metrics import MetricKey, Metrics, Samples

PLACE = ("000000000000", "us-east-1")
QUEUE = ((("QueueName", "jobs"),),)


def test_measurements_of_one_minute_come_together() -> None:
    metrics = Metrics()
    for value, time in ((3.0, 61.0), (5.0, 119.9), (7.0, 120.0)):
        metrics.record(PLACE, "AWS/SQS", "SentMessageSize", QUEUE, value, "Bytes", time)
    found = {key.minute: samples for key, samples in metrics.take()}
    assert found[60].values == {3.0: 1, 5.0: 1}
    assert (found[60].count, found[60].sum, found[60].minimum, found[60].maximum) == (2, 8.0, 3.0, 5.0)
    assert found[120].values == {7.0: 1}


def test_a_measurement_counts_under_each_of_its_dimensions() -> None:
    metrics = Metrics()
    metrics.record(PLACE, "AWS/Lambda", "Errors", ((("FunctionName", "a"),), ()), 1.0, "Count", 0.0)
    metrics.record(PLACE, "AWS/Lambda", "Errors", ((("FunctionName", "b"),), ()), 1.0, "Count", 0.0)
    counts = {key.dimensions: samples.count for key, samples in metrics.take()}
    assert counts == {(("FunctionName", "a"),): 1, (("FunctionName", "b"),): 1, (): 2}


def test_dimensions_are_sorted_by_name() -> None:
    metrics = Metrics()
    metrics.record(PLACE, "AWS/X", "N", ((("Stage", "s"), ("ApiId", "a")),), 1.0, "Count", 0.0)
    [(key, _)] = metrics.take()
    assert key == MetricKey(*PLACE, "AWS/X", "N", (("ApiId", "a"), ("Stage", "s")), "Count", 0)


def test_what_was_taken_is_not_given_again() -> None:
    metrics = Metrics()
    heard: list[str] = []
    metrics.on_first = lambda: heard.append("first")
    metrics.record(PLACE, "AWS/SQS", "N", QUEUE, 1.0, "Count", 0.0)
    metrics.record(PLACE, "AWS/SQS", "N", QUEUE, 1.0, "Count", 0.0)
    assert len(list(metrics.take())) == 1
    assert list(metrics.take()) == []
    metrics.record(PLACE, "AWS/SQS", "N", QUEUE, 1.0, "Count", 0.0)
    assert heard == ["first", "first"]


def test_any_number_of_values_is_kept_in_little_room() -> None:
    samples = Samples()
    for number in range(10_000):
        samples.add(float(number))
    assert len(samples.values) <= 1000
    assert sum(samples.values.values()) == samples.count == 10_000
    below = sum(times for value, times in samples.values.items() if value < 5000)
    assert abs(below - 5000) < 50


def test_however_often_something_is_recorded_little_room_is_needed() -> None:
    metrics = Metrics()
    recorder = metrics.recorder(PLACE, "AWS/Lambda", "Duration", QUEUE, "Milliseconds")
    drawn = random.Random(1)
    tracemalloc.start()
    for _ in range(50_000):
        recorder.add(drawn.random(), 60.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    [(_, samples)] = metrics.take()
    assert samples.count == 50_000
    assert len(samples.values) <= 1000


def test_a_metric_takes_little_room_until_it_is_taken() -> None:
    """With fifty thousand it is 150 MB at most."""
    metrics, metric_count = Metrics(), 5000
    tracemalloc.start()
    for number in range(metric_count):
        metrics.record(PLACE, "AWS/SQS", "N", ((("QueueName", f"q{number}"),),), 1.0, "Count", 60.0)
    recorded, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert recorded < metric_count * 3000
    assert len(metrics.take()) == metric_count


def test_when_nobody_takes_them_no_more_metrics_are_measured() -> None:
    metrics = Metrics()
    for number in range(100_010):
        metrics.record(PLACE, "AWS/SQS", "N", ((("QueueName", f"q{number}"),),), 1.0, "Count", 60.0)
    assert len(metrics.take()) == 100_000
    metrics.record(PLACE, "AWS/SQS", "N", QUEUE, 1.0, "Count", 60.0)
    assert len(metrics.take()) == 1


def test_a_recorder_that_is_kept_goes_on_after_a_taking() -> None:
    metrics = Metrics()
    recorder = metrics.recorder(PLACE, "AWS/SQS", "N", QUEUE, "Count")
    for time in (10.0, 70.0, 20.0):
        recorder.add(2.0, time)
    assert {key.minute: samples.sum for key, samples in metrics.take()} == {0: 4.0, 60: 2.0}
    recorder.add(5.0, 30.0)
    assert {key.minute: samples.sum for key, samples in metrics.take()} == {0: 5.0}
