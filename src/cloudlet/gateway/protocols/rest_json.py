"""REST with JSON bodies (Lambda, API Gateway)."""

from collections.abc import Mapping

from botocore.model import OperationModel, Shape

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.model import members_of
from cloudlet.gateway.errors import spelled
from cloudlet.gateway.protocols.event_stream import EventStreamWriter
from cloudlet.gateway.protocols.json_values import (
    json_decoding,
    json_encoding,
    message_member,
    read_object,
    write_json,
)
from cloudlet.gateway.protocols.protocol import Params
from cloudlet.gateway.protocols.rest import ReadBody, RestProtocol, WriteBody

_CONTENT_TYPE = "application/json"


class RestJsonProtocol(RestProtocol):
    name = "rest-json"

    def __init__(self, api: str) -> None:
        super().__init__(api)
        self._decoding = json_decoding(api)
        self._encoding = json_encoding(api)

    def request_id_headers(self, request_id: str) -> list[tuple[str, str]]:
        return [("x-amzn-RequestId", request_id)]

    def read_structure(self, operation: OperationModel, members: Mapping[str, Shape]) -> ReadBody:
        convert = self._decoding.members(members)

        def read(params: Params, body: bytes | Body) -> None:
            assert isinstance(body, bytes)
            params |= convert(read_object(body))

        return read

    def read_payload(self, member: str, shape: Shape) -> ReadBody:
        convert = self._decoding.structure(shape)

        def read(params: Params, body: bytes | Body) -> None:
            assert isinstance(body, bytes)
            if body:
                params[member] = convert(read_object(body))

        return read

    def write_structure(self, operation: OperationModel, members: Mapping[str, Shape]) -> tuple[WriteBody, str]:
        convert = self._encoding.members(members)
        return (lambda value: write_json(convert(value))), _CONTENT_TYPE

    def write_payload(self, operation: OperationModel, member: str, shape: Shape) -> tuple[WriteBody, str]:
        convert = self._encoding.structure(shape)
        return (lambda value: write_json(convert(value.get(member) or {}))), _CONTENT_TYPE

    def write_events(self, shape: Shape) -> EventStreamWriter:
        return EventStreamWriter(self.api, self.name, shape, _CONTENT_TYPE)

    def render_error(
        self, error: AwsError, operation: OperationModel | None, request_id: str, request: HttpRequest
    ) -> HttpResponse:
        found = spelled(self.api, self.name, error)
        fields: Params = dict(found.fields)
        if found.shape is not None:
            if "Type" in members_of(found.shape):
                fields.setdefault("Type", "User" if found.status < 500 else "Service")
            fields = self._encoding.structure(found.shape)(fields)
        member = _message_name(found.shape)
        headers = [
            *self.request_id_headers(request_id),
            ("x-amzn-ErrorType", found.name),
            ("Content-Type", _CONTENT_TYPE),
            *found.headers.items(),
        ]
        return HttpResponse(found.status, headers, write_json({**fields, member: found.message}))


def _message_name(shape: Shape | None) -> str:
    name = message_member(shape)
    if shape is None or name not in members_of(shape):
        return name
    wire: str = members_of(shape)[name].serialization.get("name", name)
    return wire
