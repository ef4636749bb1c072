"""Whatever comes in, what goes out is an answer: parsing and validation raise nothing but AwsError."""

from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import cbor2
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest
from cloudlet.core.model import api_model, members_of, operation_model, wire_name
from cloudlet.core.validation import validate_input
from cloudlet.gateway.protocols import protocol_for

OFTEN = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def feed(api: str, protocol: str, name: str, body: bytes, query: str = "", **headers: str) -> None:
    operation = operation_model(api, name)
    request = HttpRequest("POST", "/", query, headers, Body.of(body))
    given_body = Body.of(body) if operation.has_streaming_input else body
    try:
        params = protocol_for(api, protocol).parse(operation, request, given_body, {"Bucket": "b", "Key": "k"})
        validate_input(api, name, params)
    except AwsError as error:
        response = protocol_for(api, protocol).render_error(error, operation, "request-id", request)
        assert 400 <= response.status < 500


def names_on_the_wire(api: str, name: str) -> list[str]:
    shape = operation_model(api, name).input_shape
    return [wire_name(member, member_name) for member_name, member in members_of(shape).items()] if shape else []


def structures(api: str, name: str) -> st.SearchStrategy[dict[str, Any]]:
    """The right members with any values."""
    members = names_on_the_wire(api, name)
    return st.dictionaries(st.sampled_from(members) if members else st.text(max_size=3), VALUES, max_size=4)


@pytest.mark.parametrize(
    ("api", "protocol"),
    [("dynamodb", "json"), ("sqs", "json"), ("logs", "json"), ("lambda", "rest-json"), ("apigatewayv2", "rest-json")],
)
@OFTEN
@given(data=st.data())
def test_json(api: str, protocol: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(api_model(api).operation_names)))
    value = data.draw(structures(api, name) | VALUES)
    feed(api, protocol, name, orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))


@pytest.mark.parametrize(("api", "protocol"), [("dynamodb", "json"), ("lambda", "rest-json"), ("iam", "query")])
@OFTEN
@given(data=st.data())
def test_bytes(api: str, protocol: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(api_model(api).operation_names)))
    feed(api, protocol, name, data.draw(st.binary(max_size=30)), data.draw(st.text("a=&%.1", max_size=10)))


@pytest.mark.parametrize("api", ["sqs", "sns", "iam", "sts", "cloudformation"])
@OFTEN
@given(data=st.data())
def test_forms(api: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(api_model(api).operation_names)))
    steps = [*names_on_the_wire(api, name), "member", "entry", "1", "2", "-1", "²", "key", "value", ""]
    keys = st.lists(st.sampled_from(steps), min_size=1, max_size=4).map(".".join)
    fields = data.draw(st.dictionaries(keys, st.text(max_size=8) | st.integers(), max_size=5))
    feed(api, "query", name, urlencode(fields).encode("utf-8", "replace"))


@OFTEN
@given(data=st.data())
def test_xml(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(api_model("s3").operation_names)))
    tags = ["Delete", "Object", "Key", "Rule", "ID", "Days", "Date", "Tagging", "TagSet", "Tag", "Value", "Status"]
    root = st.sampled_from([*names_on_the_wire("s3", name), *tags])
    texts = st.text(max_size=6).map(escape)
    trees = st.recursive(texts, lambda inner: st.builds(element, st.sampled_from(tags), st.lists(inner)), max_leaves=8)
    body = data.draw(st.builds(element, root, st.lists(trees, max_size=3)))
    header = data.draw(st.text("0123456789abc ,;=/\"'", max_size=8))
    feed("s3", "rest-xml", name, body.encode("utf-8", "replace"), "max-keys=x&partNumber=1", **{"range": header})


def element(tag: str, inside: list[str]) -> str:
    return f"<{tag}>{''.join(inside)}</{tag}>"


@OFTEN
@given(data=st.data())
def test_cbor(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(api_model("cloudwatch").operation_names)))
    value = data.draw(structures("cloudwatch", name) | VALUES)
    feed("cloudwatch", "smithy-rpc-v2-cbor", name, cbor2.dumps(value))
    feed("cloudwatch", "smithy-rpc-v2-cbor", name, data.draw(st.binary(max_size=20)))
