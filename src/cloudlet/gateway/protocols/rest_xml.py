"""REST with XML bodies: S3."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, Shape

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.model import wire_name
from cloudlet.gateway.errors import spelled
from cloudlet.gateway.protocols.protocol import Params
from cloudlet.gateway.protocols.rest import ReadBody, RestProtocol, WriteBody
from cloudlet.gateway.protocols.xml_values import MalformedXml, Read, XmlReader, XmlWriter, escaped, parse_xml

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_CONTENT_TYPE = "application/xml"
_NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

# The root elements of answers, which the model does not name.
_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}
_DATES_OF_CONDITIONS = frozenset(
    {
        "if-modified-since",
        "if-unmodified-since",
        "x-amz-copy-source-if-modified-since",
        "x-amz-copy-source-if-unmodified-since",
    }
)
_MALFORMED_XML = "The XML you provided was not well-formed or did not validate against our published schema"


class RestXmlProtocol(RestProtocol):
    name = "rest-xml"

    def __init__(self, api: str) -> None:
        super().__init__(api)
        self._reader = XmlReader()
        self._writer = XmlWriter(always_milliseconds=True)

    def request_id_headers(self, request_id: str) -> list[tuple[str, str]]:
        return [("x-amz-request-id", request_id), ("x-amz-id-2", _host_id(request_id))]

    def read_structure(self, operation: OperationModel, members: Mapping[str, Shape]) -> ReadBody:
        shape = operation.input_shape
        assert shape is not None
        convert = self._reader.members(members)
        root_name = wire_name(shape, f"{operation.name}Request")

        def read(params: Params, body: bytes | Body) -> None:
            value = _read_root(body, root_name, convert)
            if value is not None:
                params |= value

        return read

    def read_payload(self, member: str, shape: Shape) -> ReadBody:
        convert = self._reader.read(shape)
        root_name = wire_name(shape, member)

        def read(params: Params, body: bytes | Body) -> None:
            value = _read_root(body, root_name, convert)
            if value is not None:
                params[member] = value

        return read

    def write_structure(self, operation: OperationModel, members: Mapping[str, Shape]) -> tuple[WriteBody, str]:
        if operation.name == "GetBucketLocation":
            return _write_location, _CONTENT_TYPE
        content = self._writer.content(members)
        root = _ROOTS.get(operation.name, f"{operation.name}Result")

        def write(value: Params) -> bytes:
            parts = [_DECLARATION, f"<{root}{_NAMESPACE}>"]
            content(parts, value)
            parts.append(f"</{root}>")
            return "".join(parts).encode("utf-8", "surrogatepass")

        return write, _CONTENT_TYPE

    def write_payload(self, operation: OperationModel, member: str, shape: Shape) -> tuple[WriteBody, str]:
        element = self._writer.element(shape, wire_name(shape, member), _NAMESPACE)

        def write(value: Params) -> bytes:
            if value.get(member) is None:
                return b""
            parts = [_DECLARATION]
            element(parts, value[member])
            return "".join(parts).encode("utf-8", "surrogatepass")

        return write, _CONTENT_TYPE

    def malformed_member(self, name: str, text: str) -> AwsError | None:
        if name in _DATES_OF_CONDITIONS:
            return None  # as HTTP has it
        return AwsError(
            "InvalidArgument",
            f"Provided {name} is not valid",
            fields={"ArgumentName": name, "ArgumentValue": text},
        )

    def render(self, operation: OperationModel, output: Params | None, request_id: str) -> HttpResponse:
        response = super().render(operation, output, request_id)
        if output is not None and "ContentRange" in output:
            response.status = 206
        return response

    def render_error(
        self, error: AwsError, operation: OperationModel | None, request_id: str, request: HttpRequest
    ) -> HttpResponse:
        found = spelled(self.api, self.name, error)
        headers = [*self.request_id_headers(request_id), *found.headers.items()]
        if request.method == "HEAD" or found.status == 304:
            return HttpResponse(found.status, headers)
        parts = [_DECLARATION, f"<Error><Code>{escaped(found.code)}</Code><Message>{escaped(found.message)}</Message>"]
        for name, value in found.fields.items():
            parts.append(f"<{name}>{escaped(str(value))}</{name}>")
        parts.append(f"<RequestId>{request_id}</RequestId><HostId>{_host_id(request_id)}</HostId></Error>")
        headers.append(("Content-Type", _CONTENT_TYPE))
        return HttpResponse(found.status, headers, "".join(parts).encode("utf-8", "surrogatepass"))


def _read_root(body: bytes | Body, name: str, convert: Read) -> Any:
    """The value of the root element; None for an empty body: if it was needed, validation will miss it."""
    assert isinstance(body, bytes)
    if not body:
        return None
    try:
        root = parse_xml(body)
        if root.name != name:
            raise MalformedXml(f"the root is {root.name}")
        return convert(root)
    except ValueError:
        raise AwsError("MalformedXML", _MALFORMED_XML) from None


def _host_id(request_id: str) -> str:
    """The extended request id (`x-amz-id-2`), which support at AWS would ask for."""
    return b64encode(request_id.encode() * 2).decode()


def _write_location(value: Params) -> bytes:
    """The one answer whose root is its only member; empty for us-east-1."""
    location = escaped(value.get("LocationConstraint") or "")
    return f"{_DECLARATION}<LocationConstraint{_NAMESPACE}>{location}</LocationConstraint>".encode()
