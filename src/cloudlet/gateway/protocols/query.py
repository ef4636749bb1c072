"""The query protocol: a form in, XML out."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import OperationModel, Shape

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.model import api_model, item_of, key_of, members_of, value_of, wire_name
from cloudlet.gateway.errors import spelled
from cloudlet.gateway.protocols.protocol import Params, Protocol
from cloudlet.gateway.protocols.sqs_query import (
    QUERY_CODES,
    SHAPE_OF_QUERY_CODE,
    queue_url_of_path,
    sqs_query_model,
    takes_queue_url,
)
from cloudlet.gateway.protocols.xml_values import (
    Write,
    XmlWriter,
    escaped,
    flattened_name,
    text_reader,
)

# A form as a tree: `Tags.member.1.Key=a` is {"Tags": {"member": {"1": {"Key": {"": "a"}}}}}.
Tree = dict[str, Any]
Read = Callable[[Tree], Any]
_MOST_FIELDS = 20_000


class QueryProtocol(Protocol):
    name = "query"

    def __init__(self, api: str) -> None:
        super().__init__(api)
        self._model = sqs_query_model() if api == "sqs" else api_model(api)
        self._namespace = f' xmlns="{self._model.metadata.get("xmlNamespace", "")}"'
        self._reader = _FormReader()
        self._writer = XmlWriter()
        self._inputs: dict[str, Read] = {}
        self._outputs: dict[str, Write | None] = {}

    def parse(
        self, operation: OperationModel, request: HttpRequest, body: bytes | Body, labels: dict[str, str]
    ) -> Params:
        assert isinstance(body, bytes)
        tree = _tree(request.query, body)
        name = operation.name
        read = self._inputs.get(name)
        if read is None:
            shape = self._model.operation_model(name).input_shape
            read = self._inputs[name] = self._reader.read(shape) if shape is not None else _nothing
        try:
            params = read(tree)
        except ValueError as error:
            raise AwsError("MalformedInput", str(error)) from None
        if self.api == "sqs" and "QueueUrl" not in params and takes_queue_url(operation):
            params |= queue_url_of_path(request)
        return params

    def render(self, operation: OperationModel, output: Params | None, request_id: str) -> HttpResponse:
        name = operation.name
        if name not in self._outputs:
            self._outputs[name] = self._result(self._model.operation_model(name))
        parts = [f"<{name}Response{self._namespace}>"]
        write = self._outputs[name]
        if write is not None:
            write(parts, output or {})
        parts.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>")
        return _response(200, "".join(parts), request_id)

    def render_error(
        self, error: AwsError, operation: OperationModel | None, request_id: str, request: HttpRequest
    ) -> HttpResponse:
        code = SHAPE_OF_QUERY_CODE.get(error.code) if self.api == "sqs" else None
        if code is not None:
            error = AwsError(code, error.message, status=error.status, fields=error.fields, headers=error.headers)
        found = spelled(self.api, self.name, error)
        code = QUERY_CODES.get(found.name, found.code) if self.api == "sqs" else found.code
        fault = "Sender" if found.status < 500 else "Receiver"
        parts = [
            f"<ErrorResponse{self._namespace}><Error><Type>{fault}</Type><Code>{escaped(code)}</Code>",
            f"<Message>{escaped(found.message)}</Message>",
        ]
        if found.shape is not None and found.fields:
            self._writer.body(found.shape)(parts, found.fields)
        parts.append(f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>")
        response = _response(found.status, "".join(parts), request_id)
        response.headers += found.headers.items()
        return response

    def _result(self, operation: OperationModel) -> Write | None:
        shape = operation.output_shape
        if shape is None:
            return None
        wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
        return self._writer.element(shape, str(wrapper))


def _response(status: int, text: str, request_id: str) -> HttpResponse:
    headers = [("x-amzn-RequestId", request_id), ("Content-Type", "text/xml")]
    return HttpResponse(status, headers, text.encode("utf-8", "surrogatepass"))


def _nothing(tree: Tree) -> Params:
    return {}


def _tree(query: str, body: bytes) -> Tree:
    """Fields of the query and of the body. Raises MalformedInput."""
    root: Tree = {}
    try:
        for text in (query, body.decode()):
            for name, value in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS):
                steps = name.split(".")
                if "" not in steps:
                    node = root
                    for step in steps:
                        node = node.setdefault(step, {})
                    node[""] = value
    except ValueError:  # UnicodeDecodeError is one
        raise AwsError("MalformedInput", "The request could not be parsed as a UTF-8 encoded form") from None
    return root


class _FormReader:
    """Compiles readers of trees. They raise ValueError for text that is no value of its type."""

    def __init__(self) -> None:
        self._structures: dict[str, Read] = {}

    def read(self, shape: Shape) -> Read:
        if shape.type_name == "structure":
            return self._structure_once(shape)
        if shape.type_name == "list":
            name = wire_name(item_of(shape), "member")
            items = self._items(shape)
            return lambda tree: items(tree.get(name, {}))
        if shape.type_name == "map":
            entries = self._entries(shape)
            return lambda tree: entries(tree.get("entry", {}))
        convert = text_reader(shape)
        return lambda tree: convert(tree.get("", ""))

    def _structure_once(self, shape: Shape) -> Read:
        """A structure may hold itself: its reader is looked up when it runs."""
        name = shape.name
        if name not in self._structures:
            self._structures[name] = lambda tree: self._structures[name](tree)
            self._structures[name] = self._structure(shape)
        return self._structures[name]

    def _structure(self, shape: Shape) -> Read:
        rows: list[tuple[str, str, str | None, Read]] = []
        for name, member in members_of(shape).items():
            wire, read = wire_name(member, name), self.read(member)
            empty = None
            if member.serialization.get("flattened") and member.type_name == "list":
                empty, wire, read = wire, flattened_name(member, name), self._items(member)
            elif member.serialization.get("flattened") and member.type_name == "map":
                read = self._entries(member)
            rows.append((name, wire, empty, read))

        def read_structure(tree: Tree) -> dict[str, Any]:
            value: dict[str, Any] = {}
            for name, wire, empty, read in rows:
                found = tree.get(wire)
                if found is not None:
                    value[name] = read(found)
                elif empty is not None and empty in tree:
                    value[name] = []
            return value

        return read_structure

    def _items(self, shape: Shape) -> Read:
        read = self.read(item_of(shape))
        return lambda tree: [read(tree[number]) for number in _numbers(tree)]

    def _entries(self, shape: Shape) -> Read:
        key_name, value_name = wire_name(key_of(shape), "key"), wire_name(value_of(shape), "value")
        read_key, read_value = self.read(key_of(shape)), self.read(value_of(shape))

        def read_entries(tree: Tree) -> dict[Any, Any]:
            entries: dict[Any, Any] = {}
            for number in _numbers(tree):
                entry = tree[number]
                if key_name not in entry:
                    raise ValueError(f"an entry without {key_name}")
                entries[read_key(entry[key_name])] = read_value(entry.get(value_name, {}))
            return entries

        return read_entries


def _numbers(tree: Tree) -> list[str]:
    """The positions in a list or map, in their order."""
    return sorted((step for step in tree if step.isascii() and step.isdigit()), key=int)
