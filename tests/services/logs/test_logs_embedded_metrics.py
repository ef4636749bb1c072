"""The embedded metric format: log events that become metrics by themselves."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_groups import make_group, now, put
from test_logs_metric_filters import measured

from cloudlet.services.logs.embedded_metrics import add_embedded_metrics
from cloudlet.services.logs.metric_data import MetricData

AT = 1_700_000_012_345


def event(directives: Any, /, timestamp: Any = AT, **members: Any) -> str:
    return json.dumps({"_aws": {"Timestamp": timestamp, "CloudWatchMetrics": directives}, **members})


def directive(*metrics: Any, dimensions: Any = ((),), namespace: Any = "App") -> dict[str, Any]:
    named = [{"Name": metric} if isinstance(metric, str) else metric for metric in metrics]
    return {"Namespace": namespace, "Dimensions": dimensions, "Metrics": named}


def data_of(message: str) -> list[tuple[str, dict[str, Any]]]:
    data = MetricData()
    add_embedded_metrics(data, message)
    return [(namespace, datum) for namespace, found in data.batches() for datum in found]


def found(message: str) -> set[tuple[Any, ...]]:
    """(namespace, metric, dimensions, values) of what is in a message."""
    return {
        (
            namespace,
            datum["MetricName"],
            tuple((dimension["Name"], dimension["Value"]) for dimension in datum["Dimensions"]),
            tuple(datum["Values"]),
        )
        for namespace, datum in data_of(message)
    }


def test_a_metric() -> None:
    metric = {"Name": "time", "Unit": "Milliseconds"}
    message = event([directive(metric, dimensions=[["version"]])], version="$LATEST", time=100, requestId="989f")
    assert data_of(message) == [
        (
            "App",
            {
                "MetricName": "time",
                "Dimensions": [{"Name": "version", "Value": "$LATEST"}],
                "Timestamp": AT // 60_000 * 60,
                "Values": [100.0],
                "Counts": [1],
                "Unit": "Milliseconds",
                "StorageResolution": 60,
            },
        )
    ]


def test_high_resolution_keeps_the_second() -> None:
    ((_, datum),) = data_of(event([directive({"Name": "time", "StorageResolution": 1})], time=1))
    assert (datum["StorageResolution"], datum["Timestamp"]) == (1, AT // 1000)


def test_several_of_everything() -> None:
    message = event(
        [directive("a", "b", dimensions=[[], ["x"], ["x", "y"]]), directive("a", namespace="Other")],
        **{"a": [1, 2, 2], "b": 3, "x": "X", "y": "Y"},
    )
    everywhere = [(), (("x", "X"),), (("x", "X"), ("y", "Y"))]
    assert found(message) == {
        *(("App", "a", dimensions, (1.0, 2.0)) for dimensions in everywhere),
        *(("App", "b", dimensions, (3.0,)) for dimensions in everywhere),
        ("Other", "a", (), (1.0, 2.0)),
    }


def test_what_a_runtime_puts_before_the_document() -> None:
    message = "2026-01-01T00:00:00.000Z\tdeadbeef\tINFO\t" + event([directive("a")], a=1) + "\n"
    assert found(message) == {("App", "a", (), (1.0,))}


VALID = ("App", "a", (), (1.0,))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('{"_aws": "text"}', set()),
        ('{"_aws": ', set()),
        (event("text", a=1), set()),
        (event([directive("a")], timestamp="now", a=1), set()),
        (event([directive("a", namespace=None)], a=1), set()),
        (event([directive("a", namespace="AWS/Lambda")], a=1), set()),
        (event([directive("a", dimensions=[])], a=1), set()),
        (event([directive(*[f"m{number}" for number in range(101)])], m1=1), set()),
        (event([directive("a", "absent", {"Unit": "Count"}, {"Name": "b", "Unit": "Miles"})], a=1, b=1), {VALID}),
        (event([directive("a", "b", "c", "d")], a=1, b="1", c=True, d=[1] * 101), {VALID}),
        (event([directive("a", dimensions=[[], ["absent"], ["number"], ["empty"]])], a=1, number=1, empty=""), {VALID}),
        (
            event(
                [directive("a", dimensions=[[], [f"d{n}" for n in range(31)]])],
                a=1,
                **{f"d{n}": "x" for n in range(31)},
            ),
            {VALID},
        ),
        (event([directive("a"), "text", directive("a.b")], a=1, **{"a.b": {"c": 1}}), {VALID}),
    ],
)
def test_what_breaks_the_rules_is_left_out(message: str, expected: set[tuple[Any, ...]]) -> None:
    assert found(message) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Name", "a", "Unit"]), inner),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {
            "Timestamp": JSON,
            "CloudWatchMetrics": JSON
            | st.lists(st.fixed_dictionaries({"Namespace": JSON, "Dimensions": JSON, "Metrics": JSON})),
        }
    ),
    JSON,
)
def test_no_document_does_harm(metadata: dict[str, Any], value: Any) -> None:
    data_of(json.dumps({"_aws": metadata, "a": value}))


def test_from_the_log_event_to_the_metric(server: Any) -> None:
    group = make_group(server.client("logs"), "/embedded")
    message = event(
        [directive("orders", dimensions=[["service"]], namespace="Test/embedded")],
        timestamp=now(),
        service="shop",
        orders=[1, 2, 3],
    )
    put(server.client("logs"), group, "before", message)
    assert measured(server, group, 3, "orders", service="shop")["Sum"] == 6
