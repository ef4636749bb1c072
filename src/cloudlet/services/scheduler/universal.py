"""Universal targets: `arn:aws:scheduler:::aws-sdk:SERVICE:ACTION`, any operation that changes something."""

import json
import re
from datetime import datetime
from typing import Any, cast

import orjson
from botocore.model import ListShape, MapShape, Shape, StructureShape

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.http import Body
from cloudlet.core.model import api_model, known_apis, operation_model
from cloudlet.core.service import Cloud
from cloudlet.core.timestamps import from_number, from_text
from cloudlet.services.scheduler.errors import invalid

# The SDKs' names of services, where botocore has others.
_APIS = {
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "eventbridge": "events",
    "sfn": "stepfunctions",
}
# Operations that only read are no targets.
_READING = re.compile(
    "get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|batchGet|batchDescribe|"
    "batchRead|transactGet|adminGet|adminList|testMigration|retrieve|testConnection|translateDocument|isAuthorized|"
    "invokeModel"
)


def operation_of(cloud: Cloud, resource: str) -> tuple[str, str]:
    """The API and the operation that `aws-sdk:sqs:sendMessage` means.

    Raises ValidationException for what AWS does not call either, NotImplementedByCloudlet for what only Cloudlet lacks.
    """
    parts = resource.split(":")
    if len(parts) != 3 or parts[0] != "aws-sdk" or not all(parts):
        raise invalid("Provided Arn is not in correct format.")
    service, action = parts[1:]
    api = _APIS.get(service, service)
    if service in _APIS.values() or api == "scheduler" or api not in known_apis():
        raise invalid(f"{service} is not a supported service for a target.")
    name = action[0].upper() + action[1:]
    if _READING.match(action) or not action[0].islower():
        raise invalid(f"{action} is not a supported api action for {service}.")
    if api not in cloud.apis():
        raise NotImplementedByCloudlet(f"the service {service} as a target of schedules")
    if name not in cloud.implemented(api):
        if name in api_model(api).operation_names:
            raise NotImplementedByCloudlet(f"the operation {name} of {api}")
        raise invalid(f"{action} is not a supported api action for {service}.")
    return api, name


def parameters(api: str, name: str, text: str) -> dict[str, Any]:
    """The input as the operation takes it. The SDKs' spelling of members differs from the API's in capitals only.

    Raises ValidationException for what the operation does not take.
    """
    document: Any = orjson.loads(text)
    shape = operation_model(api, name).input_shape
    if not isinstance(document, dict):
        raise invalid("Invalid request provided. The input of a target is to be a JSON object.")
    if shape is None:
        return {}
    try:
        params = _structure(shape, cast("dict[str, Any]", document))
    except RecursionError:
        raise invalid("Invalid request provided. The input of a target is nested too deeply.") from None
    if operation_model(api, name).has_streaming_input:
        payload: str = shape.serialization["payload"]
        params[payload] = Body.of(params.get(payload, b""))
    return params


def _shaped(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return _structure(shape, cast("dict[str, Any]", value))
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_shaped(shape.member, each) for each in cast("list[Any]", value)]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _shaped(shape.value, each) for key, each in cast("dict[str, Any]", value).items()}
    if shape.type_name == "blob":
        return (value if isinstance(value, str) else json.dumps(value)).encode()
    if shape.type_name == "timestamp":
        return _timestamp(value)
    return value


def _structure(shape: StructureShape, value: dict[str, Any]) -> dict[str, Any]:
    members = {name.lower(): name for name in shape.members}
    unknown = [name for name in value if name.lower() not in members]
    if unknown:
        raise invalid(f"Invalid request provided. Unknown parameter: {unknown[0]}.")
    named = {members[name.lower()]: each for name, each in value.items() if each is not None}
    return {name: _shaped(shape.members[name], each) for name, each in named.items()}


def _timestamp(value: Any) -> datetime:
    try:
        return from_text(value) if isinstance(value, str) else from_number(value)
    except ValueError as error:
        raise invalid(f"Invalid request provided. {error}") from error
