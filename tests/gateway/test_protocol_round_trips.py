"""botocore as the mirror: what it sends is what we read, what we write is what it reads."""

from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import SERIALIZERS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shape_values import TEXT, structures

from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.model import api_model, members_of, operation_model
from cloudlet.gateway.protocols import protocol_for
from cloudlet.gateway.protocols.sqs_query import sqs_query_model
from cloudlet.gateway.rest_routes import rest_routes

MANY = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.large_base_example],
)
APIS = [
    ("s3", "rest-xml"),
    ("dynamodb", "json"),
    ("dynamodbstreams", "json"),
    ("sqs", "json"),
    ("sqs", "query"),
    ("sns", "query"),
    ("lambda", "rest-json"),
    ("iam", "query"),
    ("sts", "query"),
    ("logs", "json"),
    ("cloudformation", "query"),
    ("apigatewayv2", "rest-json"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
]

# Told from others by their host names alone; read by special code of botocore's.
_EXCEPTIONS = {"ListDirectoryBuckets", "WriteGetObjectResponse", "GetBucketLocation"}


def model_for(api: str, protocol: str) -> ServiceModel:
    return sqs_query_model() if (api, protocol) == ("sqs", "query") else api_model(api)


@cache
def operations(api: str) -> list[str]:
    """Those without event streams, which are not bodies that can be mirrored."""
    model = api_model(api)
    found = [operation_model(api, name) for name in model.operation_names if name not in _EXCEPTIONS]
    return [
        operation.name
        for operation in found
        if not (operation.has_event_stream_input or operation.has_event_stream_output or operation.deprecated)
    ]


@cache
def inputs(api: str, name: str) -> st.SearchStrategy[dict[str, Any]]:
    shape = operation_model(api, name).input_shape
    return structures(shape) if shape is not None else st.just({})


@cache
def outputs(api: str, name: str) -> st.SearchStrategy[dict[str, Any]]:
    """The payload is always there; one that is a stream is text, as botocore's parser reads it in tests."""
    shape = operation_model(api, name).output_shape
    if shape is None:
        return st.just({})
    payload = shape.serialization.get("payload")
    if payload is None:
        return structures(shape)
    member = members_of(shape)[payload]
    value = TEXT if member.type_name in ("blob", "string") else structures(member)
    return st.builds(lambda output, given: output | {payload: given}, structures(shape), value)


def sent_by_botocore(model: OperationModel, protocol: str, params: dict[str, Any]) -> tuple[HttpRequest, Any]:
    serializer: Any = SERIALIZERS[protocol]
    serialized = serializer().serialize_to_request(params, model)
    body = serialized["body"]
    if isinstance(body, dict):
        body = urlencode(body).encode()
    pairs: list[tuple[str, str]] = []
    for name, value in (serialized["query_string"] or {}).items():
        pairs += [(name, text) for text in (value if isinstance(value, list) else [value])]
    path, _, query = serialized["url_path"].partition("?")
    query = "&".join(filter(None, (query, urlencode(pairs))))
    headers = {name.lower(): value for name, value in serialized["headers"].items()}
    return HttpRequest(serialized["method"], path, query, headers, Body.of(body or b"")), body or b""


def read_by_botocore(response: HttpResponse, protocol: str, shape: Any) -> dict[str, Any]:
    assert isinstance(response.body, bytes)
    answer = {"headers": HeadersDict(response.headers), "status_code": response.status, "body": response.body}
    if response.content_length is not None:
        answer["headers"]["Content-Length"] = str(response.content_length)
    parsed: dict[str, Any] = create_parser(protocol).parse(answer, shape)
    parsed.pop("ResponseMetadata")
    return parsed


@pytest.mark.parametrize(("api", "protocol"), APIS)
@MANY
@given(data=st.data())
def test_requests(api: str, protocol: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(operations(api)))
    operation = operation_model(api, name)
    params = data.draw(inputs(api, name))
    request, body = sent_by_botocore(model_for(api, protocol).operation_model(name), protocol, params)
    labels: dict[str, str] = {}
    if protocol.startswith("rest"):
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        found = rest_routes(api).find(request.method, request.path, query, request.headers)
        assert found is not None
        assert found.operation == name
        labels = found.labels
    given_body = Body.of(body) if operation.has_streaming_input else body
    parsed = protocol_for(api, protocol).parse(operation, request, given_body, labels)
    assert comparable(parsed) == comparable(params)


@pytest.mark.parametrize(("api", "protocol"), APIS)
@MANY
@given(data=st.data())
def test_responses(api: str, protocol: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(operations(api)))
    output = data.draw(outputs(api, name))
    response = protocol_for(api, protocol).render(operation_model(api, name), output, "request-id")
    shape = model_for(api, protocol).operation_model(name).output_shape
    if shape is not None and "StatusCode" in members_of(shape):
        output = {"StatusCode": 200} | output
    assert comparable(read_by_botocore(response, protocol, shape)) == comparable(output)


def comparable(value: dict[str, Any]) -> dict[str, Any]:
    """What the wire cannot tell apart: a Body and its bytes; an empty payload, or no metadata, and none at all."""
    plain = {name: item.content if isinstance(item, Body) else item for name, item in value.items()}
    return {name: item for name, item in plain.items() if item not in (b"", "", {})}
