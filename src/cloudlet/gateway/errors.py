"""How an error is spelled in an API: its code, status and modelled members."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import StructureShape

from cloudlet.core.errors import AwsError
from cloudlet.core.model import error_code, error_shapes


@dataclass(frozen=True, slots=True)
class Spelled:
    """An error as its API says it. `code` is the query protocols' code, `name` that of the shape; alike without one."""

    name: str
    code: str
    message: str
    status: int
    fields: Mapping[str, Any]
    headers: Mapping[str, str]
    shape: StructureShape | None


# Errors that every API has and no model lists, where an API does not say them as the query protocols do. (Refused
# signatures come with the right code from `refusals`.)
_JSON_CODES = {
    "AccessDenied": "AccessDeniedException",
    "RequestEntityTooLarge": "RequestEntityTooLargeException",
    "InternalFailure": "InternalServerError",
    "ServiceUnavailable": "ServiceUnavailableException",
}
_S3_CODES = {
    "InternalFailure": "InternalError",
    "RequestEntityTooLarge": "EntityTooLarge",
    "SerializationException": "InvalidArgument",
}
_QUERY_CODES = {"SerializationException": "MalformedInput"}
_OWN_CODES = {
    ("sns", "AccessDenied"): "AuthorizationError",
    ("sqs", "AccessDenied"): "AccessDenied",  # it kept its codes when it went over to JSON
    ("sqs", "InternalFailure"): "InternalFailure",
    ("logs", "InternalFailure"): "InternalFailure",
    ("lambda", "InternalFailure"): "ServiceException",
}
_BY_PROTOCOL = {
    "json": _JSON_CODES,
    "rest-json": _JSON_CODES,
    "smithy-rpc-v2-cbor": _JSON_CODES,
    "rest-xml": _S3_CODES,
    "query": _QUERY_CODES,
}


def spelled(api: str, protocol: str, error: AwsError) -> Spelled:
    """Services may raise an error by the name of its shape or by its code; the status of the model counts."""
    shape = error_shapes(api).get(error.code)
    if shape is not None:
        details: Mapping[str, Any] = shape.metadata.get("error") or {}
        status = int(details.get("httpStatusCode", 500 if shape.metadata.get("fault") else error.status))
        return Spelled(shape.name, error_code(shape), error.message, status, error.fields, error.headers, shape)
    code = _OWN_CODES.get((api, error.code)) or _BY_PROTOCOL[protocol].get(error.code, error.code)
    # The JSON-RPC services answer 400 where others answer 403.
    status = 400 if protocol == "json" and code == "AccessDeniedException" else error.status
    named = error_shapes(api).get(code)
    return Spelled(code, code, error.message, status, error.fields, error.headers, named)
