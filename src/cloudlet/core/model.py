"""The API models: botocore's description of every service, the one source of shapes, limits and errors."""

from collections.abc import Mapping
from functools import cache
from typing import cast

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

_loader = Loader()

# Shapes that pass as they are on the wire, binary members as base64 text: the service walks them anyway.
_OPAQUE = frozenset({("dynamodb", "AttributeValue"), ("dynamodbstreams", "AttributeValue")})


@cache
def known_apis() -> frozenset[str]:
    """All APIs of AWS that there are models of."""
    return frozenset(_loader.list_available_services("service-2"))


@cache
def api_model(api: str) -> ServiceModel:
    """The model of an API by botocore's name. Read at first use: the largest takes some 30 ms."""
    return ServiceModel(_loader.load_service_model(api, "service-2"), service_name=api)  # type: ignore[no-untyped-call]


@cache
def operation_model(api: str, name: str) -> OperationModel:
    """Raises botocore's OperationNotFoundError for a name that the model does not have."""
    return api_model(api).operation_model(name)


@cache
def error_shapes(api: str) -> Mapping[str, StructureShape]:
    """The API's errors by the name of their shape and by their code where that differs (`NoSuchEntity`)."""
    shapes: dict[str, StructureShape] = {}
    model = api_model(api)
    for name in model.shape_names:
        shape = model.shape_for(name)
        if shape.metadata.get("exception") and isinstance(shape, StructureShape):
            shapes[shape.name] = shape
            shapes.setdefault(error_code(shape), shape)
    return shapes


def error_code(shape: Shape) -> str:
    """The code of an error in the query protocols: not always the name of its shape."""
    error: Mapping[str, str] = shape.metadata.get("error") or {}
    return error.get("code", shape.name)


def is_opaque(api: str, shape: Shape) -> bool:
    """Whether values of the shape are neither converted nor validated by the model."""
    return (api, shape.name) in _OPAQUE


def members_of(shape: Shape) -> Mapping[str, Shape]:
    """A structure's members, in the model's order."""
    return cast("Mapping[str, Shape]", cast("StructureShape", shape).members)


def item_of(shape: Shape) -> Shape:
    """What a list holds."""
    return cast("ListShape", shape).member


def key_of(shape: Shape) -> Shape:
    return cast("MapShape", shape).key


def value_of(shape: Shape) -> Shape:
    return cast("MapShape", shape).value


def wire_name(shape: Shape, otherwise: str) -> str:
    """The name of a member on the wire (`locationName`)."""
    name: str = shape.serialization.get("name", otherwise)
    return name
