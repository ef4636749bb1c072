"""Functions as an API names them, and their invocation."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.context import Principal
from cloudlet.core.service import Cloud

_PATH = re.compile(r"arn:aws[\w-]*:apigateway:[^:]+:lambda:path/2015-03-31/functions/(.+)/invocations")


@dataclass(frozen=True, slots=True)
class Function:
    """A function's ARN, and where it is; a bare name means the API's own account and region."""

    name: str
    account: str
    region: str


def is_path(uri: str) -> bool:
    """Whether the URI names an invocation: `arn:aws:apigateway:REGION:lambda:path/…/functions/ARN/invocations`."""
    return _PATH.fullmatch(uri) is not None


def function_of(uri: str, account: str, region: str) -> Function:
    """The function in such a URI, or the one whose ARN or name this is."""
    match = _PATH.fullmatch(uri)
    name = uri if match is None else match[1]
    try:
        arn = Arn.parse(name)
    except ValueError:
        return Function(name, account, region)
    return Function(name, arn.account or account, arn.region or region)


async def invoke(
    cloud: Cloud, function: Function, event: dict[str, Any], *, as_: Principal, source_arn: str | None
) -> tuple[bytes, bool]:
    """The function's result, and whether that is an error of its own. Raises AwsError."""
    result = await cloud.call(
        "lambda",
        "Invoke",
        {"FunctionName": function.name, "Payload": orjson.dumps(event)},
        as_=as_,
        region=function.region,
        account=function.account,
        source_arn=source_arn,
    )
    payload = result.get("Payload") or b""
    if not isinstance(payload, bytes):
        payload = b"".join([chunk async for chunk in payload])
    return payload, bool(result.get("FunctionError"))
