"""What the two REST protocols share: members in the path, the query, the headers and the status."""

import re
from abc import abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson
from botocore.model import OperationModel, Shape

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.model import item_of, members_of, wire_name
from cloudlet.gateway.protocols.event_stream import EVENT_STREAM, EventStreamWriter
from cloudlet.gateway.protocols.protocol import Params, Protocol
from cloudlet.gateway.protocols.xml_values import text_reader, text_writer

ReadBody = Callable[[Params, "bytes | Body"], None]
WriteBody = Callable[[Params], bytes]


@dataclass(frozen=True, slots=True)
class Located:
    """A member outside the body: its name there, and how its text is read or written."""

    member: str
    wire: str
    convert: Callable[[Any], Any]
    plural: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """`headers` by their names on the wire: a request has few of the many that its operation knows."""

    labels: tuple[Located, ...]
    query: tuple[Located, ...]
    headers: dict[str, Located]
    prefixed: tuple[tuple[str, str], ...]
    read_body: ReadBody


@dataclass(frozen=True, slots=True)
class Output:
    """`headers` by their members: an answer has few of the many that its operation knows.

    `stream` is the member that is the body as it is, or, where `events` is set, an event stream.
    """

    status: int
    status_member: str | None
    headers: dict[str, Located]
    prefixed: tuple[tuple[str, str], ...]
    stream: str | None
    events: EventStreamWriter | None
    write_body: WriteBody | None
    content_type: str | None


class RestProtocol(Protocol):
    def __init__(self, api: str) -> None:
        super().__init__(api)
        self._inputs: dict[str, Input] = {}
        self._outputs: dict[str, Output] = {}

    def parse(
        self, operation: OperationModel, request: HttpRequest, body: bytes | Body, labels: dict[str, str]
    ) -> Params:
        found = self._inputs.get(operation.name)
        if found is None:
            found = self._inputs[operation.name] = self._input(operation)
        params: Params = {}
        found.read_body(params, body)
        for row in found.labels:
            if row.wire in labels:
                self._put(params, row, labels[row.wire])
        if found.query and request.query:
            self._put_query(params, found.query, request.query)
        headers = request.headers
        for wire in found.headers.keys() & headers.keys():
            self._put(params, found.headers[wire], headers[wire])
        for member, prefix in found.prefixed:
            values = {name[len(prefix) :]: headers[name] for name in headers if name.startswith(prefix)}
            if values:
                params[member] = values
        return params

    def render(self, operation: OperationModel, output: Params | None, request_id: str) -> HttpResponse:
        found = self._outputs.get(operation.name)
        if found is None:
            found = self._outputs[operation.name] = self._output(operation)
        value = output or {}
        status = found.status if found.status_member is None else value.get(found.status_member, found.status)
        response = HttpResponse(status, self.request_id_headers(request_id))
        for member, item in value.items():
            row = found.headers.get(member)
            if row is None or item is None or (row.plural and not item):
                continue
            if row.wire == "Content-Length":
                response.content_length = int(item)
            else:
                response.headers.append((row.wire, row.convert(item)))
        for member, prefix in found.prefixed:
            response.headers += [
                (prefix + name, text) for name, text in cast("dict[str, str]", value.get(member) or {}).items()
            ]
        self._put_body(response, found, value)
        return response

    @abstractmethod
    def request_id_headers(self, request_id: str) -> list[tuple[str, str]]: ...

    @abstractmethod
    def read_structure(self, operation: OperationModel, members: Mapping[str, Shape]) -> ReadBody:
        """Reads a body that holds the members that are nowhere else."""

    @abstractmethod
    def read_payload(self, member: str, shape: Shape) -> ReadBody:
        """Reads a body that is one member, a structure."""

    @abstractmethod
    def write_structure(self, operation: OperationModel, members: Mapping[str, Shape]) -> tuple[WriteBody, str]:
        """Writes such a body; also says its content type."""

    @abstractmethod
    def write_payload(self, operation: OperationModel, member: str, shape: Shape) -> tuple[WriteBody, str]: ...

    def write_events(self, shape: Shape) -> EventStreamWriter | None:
        """Writes an event stream; None where the protocol has none yet."""
        return None

    def malformed_member(self, name: str, text: str) -> AwsError | None:
        """The error for a text in path, query or header that is no value of its type; None to do as if not given."""
        return AwsError("SerializationException", f"The value of {name} could not be read")

    def _put(self, params: Params, row: Located, text: str) -> None:
        try:
            params[row.member] = row.convert(text)
        except ValueError:
            self._refuse(row.wire, text)

    def _refuse(self, name: str, text: str) -> None:
        error = self.malformed_member(name, text)
        if error is not None:
            raise error from None

    def _put_query(self, params: Params, rows: tuple[Located, ...], query: str) -> None:
        given: dict[str, list[str]] = {}
        try:
            for name, text in parse_qsl(query, keep_blank_values=True, errors="strict"):
                given.setdefault(name, []).append(text)
        except UnicodeDecodeError:
            self._refuse("query", query)
        for row in rows:
            texts = given.get(row.wire)
            if texts is None:
                continue
            if row.plural:
                try:
                    params[row.member] = [row.convert(text) for text in texts]
                except ValueError:
                    self._refuse(row.wire, ",".join(texts))
            else:
                self._put(params, row, texts[0])

    def _input(self, operation: OperationModel) -> Input:
        shape = operation.input_shape
        members: Mapping[str, Shape] = members_of(shape) if shape is not None else {}
        by_location = _by_location(members)
        return Input(
            labels=tuple(Located(name, wire, text_reader(s)) for name, wire, s in by_location.get("uri", ())),
            query=tuple(_query_row(name, wire, s) for name, wire, s in by_location.get("querystring", ())),
            headers={
                wire.lower(): Located(name, wire.lower(), _header_reader(s))
                for name, wire, s in by_location.get("header", ())
            },
            prefixed=tuple((name, wire.lower()) for name, wire, _ in by_location.get("headers", ())),
            read_body=self._body_reader(operation, shape, members),
        )

    def _body_reader(self, operation: OperationModel, shape: Shape | None, members: Mapping[str, Shape]) -> ReadBody:
        if shape is None:
            return lambda params, body: None
        payload = shape.serialization.get("payload")
        if payload is None:
            inside = {name: member for name, member in members.items() if not member.serialization.get("location")}
            return self.read_structure(operation, inside) if inside else (lambda params, body: None)
        member = members[payload]
        if member.type_name == "blob":
            return _read_blob(payload)
        if member.type_name == "string":
            return _read_text(payload)
        return self.read_payload(payload, member)

    def _output(self, operation: OperationModel) -> Output:
        shape = operation.output_shape
        members: Mapping[str, Shape] = members_of(shape) if shape is not None else {}
        by_location = _by_location(members)
        status_members = by_location.get("statusCode", [])
        stream, write_body, content_type = self._body_writer(operation, shape, members)
        return Output(
            status=int(operation.http.get("responseCode", 200)),
            status_member=status_members[0][0] if status_members else None,
            headers={
                name: Located(name, wire, _header_writer(s), s.type_name == "list")
                for name, wire, s in by_location.get("header", ())
            },
            prefixed=tuple((name, wire) for name, wire, _ in by_location.get("headers", ())),
            stream=stream,
            events=self._event_writer(operation),
            write_body=write_body,
            content_type=content_type,
        )

    def _body_writer(
        self, operation: OperationModel, shape: Shape | None, members: Mapping[str, Shape]
    ) -> tuple[str | None, WriteBody | None, str | None]:
        """The member that is the body as it is, or what writes the body; and its content type."""
        if shape is None:
            return None, None, None
        payload = shape.serialization.get("payload")
        if payload is None:
            inside = {name: member for name, member in members.items() if not member.serialization.get("location")}
            return (None, *self.write_structure(operation, inside)) if inside else (None, None, None)
        if members[payload].type_name in ("blob", "string") or members[payload].serialization.get("eventstream"):
            return payload, None, None
        return (None, *self.write_payload(operation, payload, members[payload]))

    def _event_writer(self, operation: OperationModel) -> EventStreamWriter | None:
        shape = operation.get_event_stream_output()
        return self.write_events(shape) if shape is not None else None

    def _put_body(self, response: HttpResponse, found: Output, value: Params) -> None:
        if found.stream is not None:
            body = value.get(found.stream)
            if found.events is not None and body is not None:
                body = found.events.frames(body)
                if not any(name.lower() == "content-type" for name, _ in response.headers):
                    response.headers.append(("Content-Type", EVENT_STREAM))
            if body is not None:
                response.body = body.encode() if isinstance(body, str) else body
            return
        if found.write_body is not None:
            response.body = found.write_body(value)
            if response.body and found.content_type is not None:
                response.headers.append(("Content-Type", found.content_type))


def _by_location(members: Mapping[str, Shape]) -> dict[str, list[tuple[str, str, Shape]]]:
    """(member, name on the wire, shape) of the members outside the body."""
    found: dict[str, list[tuple[str, str, Shape]]] = {}
    for name, member in members.items():
        location = member.serialization.get("location")
        if location is not None:
            found.setdefault(location, []).append((name, wire_name(member, name), member))
    return found


def _query_row(name: str, wire: str, shape: Shape) -> Located:
    if shape.type_name == "list":
        return Located(name, wire, text_reader(item_of(shape)), plural=True)
    return Located(name, wire, text_reader(shape))


def _header_reader(shape: Shape) -> Callable[[str], Any]:
    if shape.type_name == "list":
        read = text_reader(item_of(shape))
        return lambda text: [read(item) for item in split_header(text)]
    if shape.serialization.get("jsonvalue"):
        return lambda text: orjson.loads(b64decode(text))
    return text_reader(shape)


def _header_writer(shape: Shape) -> Callable[[Any], str]:
    if shape.type_name == "list":
        write = text_writer(item_of(shape), "rfc822")
        return lambda value: ",".join(write(item) for item in value)
    if shape.serialization.get("jsonvalue"):
        return lambda value: b64encode(orjson.dumps(value)).decode()
    return text_writer(shape, "rfc822")


_HEADER_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|$)')


def split_header(text: str) -> list[str]:
    """The items of a header that is a list; one with a comma or a quote in it is quoted."""
    items: list[str] = []
    position = 0
    while position < len(text):
        found = _HEADER_ITEM.match(text, position)
        if found is None or found.end() == position:
            break
        quoted, plain = found.groups()
        items.append(quoted.replace('\\"', '"') if quoted is not None else plain.strip())
        position = found.end()
    return items


def _read_blob(member: str) -> ReadBody:
    def read(params: Params, body: bytes | Body) -> None:
        params[member] = body

    return read


def _read_text(member: str) -> ReadBody:
    def read(params: Params, body: bytes | Body) -> None:
        assert isinstance(body, bytes)
        try:
            params[member] = body.decode()
        except UnicodeDecodeError:
            raise AwsError("SerializationException", "The body is not valid UTF-8") from None

    return read
