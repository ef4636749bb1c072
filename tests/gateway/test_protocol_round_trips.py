"""botocore as the mirror: what it sends is what we read, what we write is what it reads."""

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
from cloudlet.core.model import api_model, operation_model
from cloudlet.gateway.protocols import protocol_for
from cloudlet.gateway.protocols.sqs_query import sqs_query_model
from cloudlet.gateway.rest_routes import rest_routes

FEW = settings(
    max_examples=3,
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


def operations() -> list[Any]:
    found: list[Any] = []
    for api, protocol in APIS:
        for name in api_model(api).operation_names:
            operation = operation_model(api, name)
            if operation.has_event_stream_input or operation.has_event_stream_output or operation.deprecated:
                continue
            if name in _EXCEPTIONS:
                continue
            found.append(pytest.param(api, protocol, name, id=f"{api}-{protocol}-{name}"))
    return found


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


@pytest.mark.parametrize(("api", "protocol", "name"), operations())
@FEW
@given(data=st.data())
def test_requests(api: str, protocol: str, name: str, data: st.DataObject) -> None:
    operation = operation_model(api, name)
    shape = operation.input_shape
    params = data.draw(structures(shape)) if shape is not None else {}
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


def outputs(shape: Any) -> st.SearchStrategy[dict[str, Any]]:
    """The payload is always there; one that is a stream is text, as botocore's parser reads it in tests."""
    payload = shape.serialization.get("payload")
    if payload is None:
        return structures(shape)
    member = shape.members[payload]
    value = TEXT if member.type_name in ("blob", "string") else structures(member)
    return st.builds(lambda output, given: output | {payload: given}, structures(shape), value)


@pytest.mark.parametrize(("api", "protocol", "name"), operations())
@FEW
@given(data=st.data())
def test_responses(api: str, protocol: str, name: str, data: st.DataObject) -> None:
    operation = operation_model(api, name)
    shape = model_for(api, protocol).operation_model(name).output_shape
    output = data.draw(outputs(operation.output_shape)) if operation.output_shape is not None else None
    response = protocol_for(api, protocol).render(operation, output, "request-id")
    if shape is not None and "StatusCode" in shape.members:
        output = {"StatusCode": 200} | (output or {})
    assert comparable(read_by_botocore(response, protocol, shape)) == comparable(output or {})


def comparable(value: dict[str, Any]) -> dict[str, Any]:
    """What the wire cannot tell apart: a Body and its bytes; an empty payload, or no metadata, and none at all."""
    plain = {name: item.content if isinstance(item, Body) else item for name, item in value.items()}
    return {name: item for name, item in plain.items() if item not in (b"", "", {})}
