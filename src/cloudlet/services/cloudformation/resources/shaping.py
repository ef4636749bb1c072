"""Values as templates write them (numbers as texts, documents as objects), shaped for an operation's input."""

import json
from typing import Any, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

from cloudlet.core.errors import AwsError
from cloudlet.core.model import operation_model

_INTEGERS = ("integer", "long")
_NUMBERS = ("float", "double")


def shaped_input(api: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Raises ValidationError, as CloudFormation words it, for what the operation does not take."""
    shape = operation_model(api, operation).input_shape
    return _structure(shape, params) if isinstance(shape, StructureShape) else params


def _shaped(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            raise _wrong(value, "an object")
        return _structure(shape, cast("dict[str, Any]", value))
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise _wrong(value, "a list")
        return [_shaped(shape.member, each) for each in cast("list[Any]", value)]
    if isinstance(shape, MapShape):
        if not isinstance(value, dict):
            raise _wrong(value, "an object")
        return {str(key): _shaped(shape.value, each) for key, each in cast("dict[str, Any]", value).items()}
    return _scalar(shape.type_name, value)


def _structure(shape: StructureShape, value: dict[str, Any]) -> dict[str, Any]:
    members = shape.members
    unknown = [name for name in value if name not in members]
    if unknown:
        raise AwsError("ValidationError", f"Encountered unsupported property {unknown[0]}")
    return {name: _shaped(members[name], each) for name, each in value.items() if each is not None}


def _scalar(kind: str, value: Any) -> Any:
    if kind == "string":
        if isinstance(value, bool):
            return "true" if value else "false"
        return json.dumps(value) if isinstance(value, dict | list) else str(value)
    if isinstance(value, dict | list):
        raise _wrong(cast("Any", value), f"a {kind}")
    if kind == "boolean":
        return _boolean(value)
    try:
        if kind in _INTEGERS and not isinstance(value, bool):
            return int(value)
        if kind in _NUMBERS and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError):
        raise _wrong(value, "a number") from None
    if kind == "blob" and isinstance(value, str):
        return value.encode()
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise _wrong(value, "a boolean")


def _wrong(value: Any, wanted: str) -> AwsError:
    return AwsError("ValidationError", f"Value {json.dumps(value, default=str)} must be {wanted}.")
