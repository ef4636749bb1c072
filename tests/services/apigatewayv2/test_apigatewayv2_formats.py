"""Access log formats, expressions and token buckets, whatever they are given."""

import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.apigatewayv2 import expressions
from cloudlet.services.apigatewayv2.log_format import LogFormat
from cloudlet.services.apigatewayv2.parameter_mapping import request_changes
from cloudlet.services.apigatewayv2.throttling import Bucket, bucket_of


@given(st.text())
def test_no_value_breaks_a_line_or_its_json(value: str) -> None:
    line = LogFormat('{"agent":"$context.identity.userAgent"}').line(lambda _: value)
    assert json.loads(line) == {"agent": value or "-"}
    plain = LogFormat("$context.requestId $context.identity.userAgent").line(lambda _: value)
    assert "\n" not in plain
    assert "\r" not in plain


def test_variables_end_where_their_names_end() -> None:
    names: list[str] = []

    def told(name: str) -> str:
        names.append(name)
        return "x"

    line = LogFormat("[$context.requestTime] $context.status. $context.authorizer.claims.sub:$$context.path").line(told)
    assert names == ["requestTime", "status", "authorizer.claims.sub", "path"]
    assert line == "[x] x. x:$x"


def test_a_line_must_tell_of_which_request_it_is() -> None:
    assert LogFormat("$context.extendedRequestId").names_request
    assert not LogFormat("$context.status requestId").names_request


@given(st.text(alphabet="$request.hadyquinbot{}[]0'\"stageVarblxc"))
def test_expressions_are_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        parts = expressions.parse(text, expressions.REQUEST | expressions.SURROUNDINGS).parts
        if all(isinstance(part, str) for part in parts):
            assert "".join(str(part) for part in parts) == text


@given(st.dictionaries(st.text(), st.text()))
def test_parameters_are_read_or_refused(parameters: dict[str, str]) -> None:
    with suppress(ValueError):
        assert len(request_changes(parameters)) == len(parameters)


def test_a_bucket_fills_with_time() -> None:
    bucket = Bucket(rate=2, burst=3)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(100.4)
    assert bucket.take(100.5)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(5.0)  # a clock that was set back gives nothing, but goes on
    assert bucket.take(5.5)


@given(st.lists(st.floats(0, 100), max_size=50))
def test_a_bucket_never_gives_more_than_it_gets(times: list[float]) -> None:
    bucket = Bucket(rate=1, burst=5)
    bucket.take(0.0)
    taken = sum(bucket.take(time) for time in sorted(times))
    assert taken <= 5 + max(times, default=0.0)


def test_what_settings_mean() -> None:
    assert bucket_of({"DetailedMetricsEnabled": True}) is None
    for closed in (
        {"ThrottlingRateLimit": 0},
        {"ThrottlingBurstLimit": 0},
        {"ThrottlingRateLimit": 0, "ThrottlingBurstLimit": 9},
    ):
        bucket = bucket_of(closed)
        assert bucket is not None
        assert not bucket.take(1.0)
