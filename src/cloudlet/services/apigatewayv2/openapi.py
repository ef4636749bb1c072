"""OpenAPI 3 documents with API Gateway's extensions, read into the parts of an HTTP API."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from cloudlet.core.errors import AwsError, NotImplementedByCloudlet

_METHODS = ("delete", "get", "head", "options", "patch", "post", "put")
_ANY = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_CORS = {
    "allowCredentials": "AllowCredentials",
    "allowHeaders": "AllowHeaders",
    "allowMethods": "AllowMethods",
    "allowOrigins": "AllowOrigins",
    "exposeHeaders": "ExposeHeaders",
    "maxAge": "MaxAge",
}
_MEMBERS = {
    "connectionType": "ConnectionType",
    "credentials": "CredentialsArn",
    "description": "Description",
    "httpMethod": "IntegrationMethod",
    "payloadFormatVersion": "PayloadFormatVersion",
    "requestParameters": "RequestParameters",
    "timeoutInMillis": "TimeoutInMillis",
    "uri": "IntegrationUri",
}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImportedRoute:
    """A route key and the integration behind it, None where the document names none."""

    key: str
    operation_name: str | None
    integration: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Imported:
    """What a document says of an API: its settings as CreateApi takes them, its routes, its tags."""

    settings: dict[str, Any]
    routes: list[ImportedRoute]
    tags: dict[str, str] = field(default_factory=dict[str, str])
    warnings: list[str] = field(default_factory=list[str])


def read(text: str) -> Imported:
    """Raises BadRequestException for what is no OpenAPI 3 document."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict) or not str(cast("Document", document).get("openapi", "")).startswith("3."):
        raise AwsError("BadRequestException", "Unable to parse the OpenAPI definition: it is no OpenAPI 3 document")
    found = cast("Document", document)
    info: Document = found.get("info") or {}
    if not info.get("title"):
        raise AwsError("BadRequestException", "Unable to import: the definition has no info.title")
    routes = list(_routes(found))
    missing = [f"No integration is defined for {route.key}" for route in routes if route.integration is None]
    return Imported(_settings(found, info), routes, _tags(found), missing)


def _settings(document: Document, info: Document) -> dict[str, Any]:
    settings: dict[str, Any] = {"Name": str(info["title"])}
    if "version" in info:
        settings["Version"] = str(info["version"])
    if info.get("description"):
        settings["Description"] = str(info["description"])
    cors: Document | None = document.get("x-amazon-apigateway-cors")
    if cors:
        settings["CorsConfiguration"] = {_CORS[name]: value for name, value in cors.items() if name in _CORS}
    return settings


def _tags(document: Document) -> dict[str, str]:
    tags: list[Document] = document.get("tags") or []
    return {
        str(tag["name"]): str(tag["x-amazon-apigateway-tag-value"])
        for tag in tags
        if "x-amazon-apigateway-tag-value" in tag
    }


def _routes(document: Document) -> Iterator[ImportedRoute]:
    paths: dict[str, Document | None] = document.get("paths") or {}
    for path, item in paths.items():
        for method, declared in (item or {}).items():
            if method.lower() not in _METHODS and method != _ANY:
                continue
            operation: Document = declared or {}
            if operation.get("security") or document.get("security"):
                raise NotImplementedByCloudlet("authorizers of HTTP APIs")
            if path.lstrip("/") == "$default":
                key = "$default"
            else:
                key = f"{'ANY' if method == _ANY else method.upper()} {path}"
            yield ImportedRoute(key, operation.get("operationId"), _integration(document, operation))


def _integration(document: Document, operation: Document) -> dict[str, Any] | None:
    declared: Document | None = operation.get(_INTEGRATION)
    if declared is None:
        return None
    if "$ref" in declared:
        declared = _referred(document, str(declared["$ref"]))
    found = {name: declared[key] for key, name in _MEMBERS.items() if key in declared}
    found["IntegrationType"] = str(declared.get("type", "")).upper()
    if "PayloadFormatVersion" in found:
        found["PayloadFormatVersion"] = str(found["PayloadFormatVersion"])
    return found


def _referred(document: Document, reference: str) -> Document:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = cast("Document", node).get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise AwsError("BadRequestException", f"Unable to import: nothing is defined at {reference}")
    return cast("Document", node)
