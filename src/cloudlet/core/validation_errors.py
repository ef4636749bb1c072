"""Validation errors in the words and under the codes of each service."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.model import Shape

from cloudlet.core.errors import AwsError
from cloudlet.core.model import api_model, item_of, operation_model


@dataclass(frozen=True, slots=True)
class Failure:
    """A broken rule. `kind` is null, length, pattern or enum; `element` the one at fault in a collection.

    `path` is nested: (parent's path, step). `member` is the required member that is missing.
    """

    path: tuple[Any, ...]
    member: str
    shape: Shape
    value: Any
    kind: str
    rule: str
    element: Any = None

    def __str__(self) -> str:
        at = f"at '{_joined(self.path)}' failed to satisfy constraint: {self.rule}"
        if self.shape.metadata.get("sensitive"):
            return f"Value {at}"
        return f"Value null {at}" if self.value is None else f"Value '{_shown(self.value)}' {at}"


def validation_error(api: str, operation: str, failures: Sequence[Failure]) -> AwsError:
    quirk = _QUIRKS.get(api)
    if quirk is not None:
        error = quirk(operation, failures)
        if error is not None:
            return error
    return AwsError(_code(api), _message(failures))


# Where the framework's own code is not what clients see.
_CODES = {
    "logs": "InvalidParameterException",  # the only validation error in its model
    "apigatewayv2": "BadRequestException",  # likewise
}


def _code(api: str) -> str:
    if api in _CODES:
        return _CODES[api]
    return "ValidationError" if api_model(api).metadata["protocol"] == "query" else "ValidationException"


def _message(failures: Sequence[Failure]) -> str:
    count = f"{len(failures)} validation error{'s' if len(failures) > 1 else ''} detected: "
    return count + "; ".join(str(failure) for failure in failures)


def _sqs(operation: str, failures: Sequence[Failure]) -> AwsError | None:
    """SQS is older than the framework: it checks by itself and says so in its own words."""
    first = failures[0]
    if first.kind == "null":
        return AwsError("MissingParameter", f"The request must contain the parameter {first.member}.")
    if first.kind == "enum":
        return AwsError("InvalidAttributeName", f"Unknown Attribute {first.element or first.value}.")
    return None


def _lambda(operation: str, failures: Sequence[Failure]) -> AwsError | None:
    """Runtimes are checked by the service, which also takes ARNs of its own."""
    first = failures[0]
    if first.shape.name == "Runtime" and first.kind == "enum":
        at = f"at 'runtime' failed to satisfy constraint: {first.rule} or be a valid ARN"
        return AwsError("InvalidParameterValueException", f"Value {first.value} {at}")
    return None


def _iam(operation: str, failures: Sequence[Failure]) -> AwsError | None:
    """Names of users, roles and so on: IAM says what they may consist of."""
    first = failures[0]
    if first.kind != "pattern" or first.shape.metadata.get("pattern") not in (r"[\w+=,.@-]+", r"[\w+=,.@-]*"):
        return None
    words = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    return AwsError("ValidationError", f"The specified value for {_joined(first.path)} is invalid. {words}")


_MALFORMED_XML = "The XML you provided was not well-formed or did not validate against our published schema"
_S3_CODES = {
    "StorageClass": ("InvalidStorageClass", "The storage class you specified is not valid"),
    "BucketLocationConstraint": ("InvalidLocationConstraint", "The specified location-constraint is not valid"),
    "EncodingType": ("InvalidArgument", "Invalid Encoding Method specified in Request"),
    "Event": ("InvalidArgument", "The event is not supported for notifications"),
    "ChecksumAlgorithm": ("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid."),
    "ServerSideEncryption": ("InvalidEncryptionAlgorithmError", "The encryption request you specified is not valid."),
    "MetadataDirective": ("InvalidArgument", "Unknown metadata directive."),
    "TaggingDirective": ("InvalidArgument", "Unknown tagging directive."),
}


def _s3(operation: str, failures: Sequence[Failure]) -> AwsError | None:
    """S3 validates by its XML schema, and its headers one by one."""
    first = failures[0]
    if first.shape.name in _S3_CODES and first.kind == "enum":
        code, message = _S3_CODES[first.shape.name]
        return AwsError(code, message)
    top = _joined(first.path).split(".", 1)[0]
    members: Mapping[str, Shape] = operation_model("s3", operation).input_shape.members  # type: ignore[union-attr]
    member = next((shape for name, shape in members.items() if name[:1].lower() + name[1:] == top), None)
    location = member.serialization.get("location") if member is not None else None
    if location is None:
        if first.kind == "null" and "." not in _joined(first.path):
            return AwsError("MissingRequestBodyError", "Request Body is empty")
        return AwsError("MalformedXML", _MALFORMED_XML)
    name = member.serialization.get("name", top) if member is not None else top
    value = "" if first.value is None else str(first.value)
    return AwsError("InvalidArgument", "Invalid Argument", fields={"ArgumentName": name, "ArgumentValue": value})


_OLD_CLOUDWATCH = frozenset({"PutMetricData", "GetMetricStatistics"})


def _cloudwatch(operation: str, failures: Sequence[Failure]) -> AwsError | None:
    """Its oldest operations check by themselves, and name parameters as the query protocol does."""
    if operation not in _OLD_CLOUDWATCH:
        return None
    first = failures[0]
    path = _query_path(first.path)
    if first.kind == "null":
        return AwsError("MissingRequiredParameterException", f"The parameter {path} is required.")
    if first.kind == "enum":
        values = ", ".join(_enum_of(first.shape))
        words = f"The parameter {path} must be a value in the set [ {values} ]."
        return AwsError("InvalidParameterValueException", words)
    if first.kind == "length" and isinstance(first.value, list):
        most = first.shape.metadata.get("max")
        words = f"The collection {path} must not have a size greater than {most}."
        return AwsError("InvalidParameterValueException", words)
    return AwsError("InvalidParameterValueException", f"The value {first.value} for parameter {path} is invalid.")


def _enum_of(shape: Shape) -> Sequence[str]:
    """The values of an enum, or of a list of them."""
    scalar = item_of(shape) if shape.type_name == "list" else shape
    return scalar.metadata["enum"]


def _query_path(path: tuple[Any, ...]) -> str:
    """`MetricData.member.1.Unit`."""
    steps: list[str] = []
    while path:
        path, step = path
        number, dot, _ = str(step).partition(".")
        steps.append(f"member.{number}" if dot else number[:1].upper() + number[1:])
    return ".".join(reversed(steps))


_QUIRKS: Mapping[str, Callable[[str, Sequence[Failure]], AwsError | None]] = {
    "sqs": _sqs,
    "lambda": _lambda,
    "iam": _iam,
    "s3": _s3,
    "cloudwatch": _cloudwatch,
}


def _joined(path: tuple[Any, ...]) -> str:
    steps: list[str] = []
    while path:
        path, step = path
        steps.append(step)
    return ".".join(reversed(steps))


def _shown(value: Any) -> str:
    """A value as Java prints it: lists in brackets, maps and structures in braces."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_shown(item)}" for name, item in value.items()) + "}"  # pyright: ignore
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"  # pyright: ignore
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    return str(value)
