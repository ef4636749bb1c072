"""AWS JSON 1.0 and 1.1: every operation is a POST with its name in X-Amz-Target."""

import zlib
from typing import Any

from botocore.model import OperationModel, StructureShape

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.model import api_model
from cloudlet.gateway.errors import Spelled, spelled
from cloudlet.gateway.protocols.event_stream import EVENT_STREAM, EventStreamWriter
from cloudlet.gateway.protocols.json_values import (
    json_decoding,
    json_encoding,
    message_member,
    read_object,
    write_json,
)
from cloudlet.gateway.protocols.protocol import Params, Protocol
from cloudlet.gateway.protocols.sqs_query import QUERY_CODES, SHAPE_OF_QUERY_CODE
from cloudlet.gateway.protocols.structured import Convert

# The namespaces that stand before an error's name where the service has the old form.
_MODEL_NAMESPACES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810#",
    "sqs": "com.amazonaws.sqs#",
}
_VALIDATION_NAMESPACE = "com.amazon.coral.validate#"
_FRAMEWORK_NAMESPACE = "com.amazon.coral.service#"
_CHECKSUMMED = frozenset({"dynamodb", "dynamodbstreams"})


class JsonProtocol(Protocol):
    name = "json"

    def __init__(self, api: str) -> None:
        super().__init__(api)
        version = api_model(api).metadata.get("jsonVersion", "1.1")
        self._content_type = f"application/x-amz-json-{version}"
        self._decoding = json_decoding(api)
        self._encoding = json_encoding(api)
        self._inputs: dict[str, Convert | None] = {}
        self._outputs: dict[str, Convert | None] = {}
        self._event_streams: dict[str, tuple[str, EventStreamWriter]] = {}

    def parse(
        self, operation: OperationModel, request: HttpRequest, body: bytes | Body, labels: dict[str, str]
    ) -> Params:
        assert isinstance(body, bytes)
        params = read_object(body)
        name = operation.name
        if name not in self._inputs:
            shape = operation.input_shape
            self._inputs[name] = self._decoding.conversion(shape) if shape is not None else None
        convert = self._inputs[name]
        return params if convert is None else convert(params)

    def render(self, operation: OperationModel, output: Params | None, request_id: str) -> HttpResponse:
        name = operation.name
        if name not in self._outputs:
            shape = operation.output_shape
            self._outputs[name] = self._encoding.conversion(shape) if shape is not None else None
            if operation.has_event_stream_output:
                self._event_streams[name] = self._event_stream(operation)
        if name in self._event_streams:
            return self._streamed(name, output or {}, request_id)
        if operation.output_shape is None:
            # Services whose operation has no output send no body, as AWS's do.
            return self._response(200, b"", request_id)
        convert = self._outputs[name]
        value = output or {}
        return self._response(200, write_json(value if convert is None else convert(value)), request_id)

    def _event_stream(self, operation: OperationModel) -> tuple[str, EventStreamWriter]:
        """The member that is an event stream, and how it is written."""
        shape = operation.get_event_stream_output()
        assert shape is not None
        assert isinstance(operation.output_shape, StructureShape)
        member = operation.output_shape.event_stream_name
        assert member is not None
        return member, EventStreamWriter(self.api, self.name, shape, self._content_type)

    def _streamed(self, name: str, output: Params, request_id: str) -> HttpResponse:
        """What is beside the stream goes before it, as its first event."""
        member, writer = self._event_streams[name]
        beside = {key: value for key, value in output.items() if key != member}
        convert = self._outputs[name]
        initial = write_json(beside if convert is None else convert(beside))
        headers = [("x-amzn-RequestId", request_id), ("Content-Type", EVENT_STREAM)]
        return HttpResponse(200, headers, writer.frames(output[member], initial))

    def render_error(
        self, error: AwsError, operation: OperationModel | None, request_id: str, request: HttpRequest
    ) -> HttpResponse:
        code = SHAPE_OF_QUERY_CODE.get(error.code) if self.api == "sqs" else None
        if code is not None:
            error = AwsError(code, error.message, status=error.status, fields=error.fields, headers=error.headers)
        found = spelled(self.api, self.name, error)
        body: dict[str, Any] = {"__type": self._type(found), **self._fields(found)}
        body[message_member(found.shape)] = found.message
        response = self._response(found.status, write_json(body), request_id)
        response.headers += found.headers.items()
        if request.headers.get("x-amzn-query-mode") == "true":
            response.headers.append(("x-amzn-query-error", _query_error(self.api, found)))
        return response

    def _fields(self, error: Spelled) -> Params:
        if error.shape is None:
            return dict(error.fields)
        encoded: Params = self._encoding.structure(error.shape)(dict(error.fields))
        return encoded

    def _type(self, error: Spelled) -> str:
        namespace = _MODEL_NAMESPACES.get(self.api)
        if namespace is None:
            return error.name
        if error.name == "ValidationException":
            return _VALIDATION_NAMESPACE + error.name
        return (namespace if error.shape is not None else _FRAMEWORK_NAMESPACE) + error.name

    def _response(self, status: int, body: bytes, request_id: str) -> HttpResponse:
        headers = [("x-amzn-RequestId", request_id), ("Content-Type", self._content_type)]
        if self.api in _CHECKSUMMED:
            headers.append(("x-amz-crc32", str(zlib.crc32(body))))
        return HttpResponse(status, headers, body)


def _query_error(api: str, error: Spelled) -> str:
    """The code that the service had when it spoke the query protocol, and whose fault it is."""
    code = QUERY_CODES.get(error.name, error.code) if api == "sqs" else error.code
    return f"{code};{'Sender' if error.status < 500 else 'Receiver'}"
