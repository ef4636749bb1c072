"""What services record is counted once under each of its dimensions, in the minute in which it happened."""

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
