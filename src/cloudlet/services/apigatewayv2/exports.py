"""HTTP APIs written down as OpenAPI 3 documents, with API Gateway's extensions or without."""

import re
from typing import Any

import orjson
import yaml

from cloudlet.services.apigatewayv2 import openapi
from cloudlet.services.apigatewayv2.matching import DEFAULT

_PATH_VARIABLE = re.compile(r"\{([^}+]+)\+?\}")

Members = dict[str, Any]


def document(
    api: Members, routes: list[Members], integrations: dict[str, Members], authorizers: dict[str, Members]
) -> Members:
    """The document of an API as GetApi gives it, with its routes, and the others by their ids."""
    info = {"title": api["Name"], "version": api.get("Version") or "1.0"}
    if api.get("Description"):
        info["description"] = api["Description"]
    paths: dict[str, Members] = {}
    for route in routes:
        path, method = _place(route["RouteKey"])
        paths.setdefault(path, {})[method] = _operation(route, integrations, authorizers)
    found: Members = {"openapi": "3.0.1", "info": info, "servers": [{"url": api["ApiEndpoint"]}], "paths": paths}
    tags = [{"name": name, "x-amazon-apigateway-tag-value": value} for name, value in sorted(api["Tags"].items())]
    if tags:
        found["tags"] = tags
    schemes = _schemes(routes, authorizers)
    if schemes:
        found["components"] = {"securitySchemes": schemes}
    if api.get("CorsConfiguration"):
        found["x-amazon-apigateway-cors"] = _renamed(openapi.CORS_MEMBERS, api["CorsConfiguration"])
    found["x-amazon-apigateway-importexport-version"] = "1.0"
    return found


def without_extensions(node: Any) -> Any:
    """A document without what is API Gateway's own; methods that stand for any are left out with it."""
    if isinstance(node, dict):
        members: dict[str, Any] = node
        return {
            name: without_extensions(value)
            for name, value in members.items()
            if not name.startswith("x-amazon-apigateway-")
        }
    if isinstance(node, list):
        many: list[Any] = node
        return [without_extensions(each) for each in many]
    return node


def rendered(found: Members, output_type: str) -> bytes:
    """`output_type` is JSON or YAML."""
    if output_type == "JSON":
        return orjson.dumps(found, option=orjson.OPT_INDENT_2)
    return yaml.safe_dump(found, sort_keys=False).encode()


def _place(key: str) -> tuple[str, str]:
    """The path and the method under which a route stands in a document."""
    if key == DEFAULT:
        return f"/{DEFAULT}", openapi.ANY
    method, path = key.split(" ", 1)
    return path, openapi.ANY if method == "ANY" else method.lower()


def _operation(route: Members, integrations: dict[str, Members], authorizers: dict[str, Members]) -> Members:
    key = route["RouteKey"]
    found: Members = {"responses": {"default": {"description": f"Default response for {key}"}}}
    if route.get("OperationName"):
        found["operationId"] = route["OperationName"]
    if key == DEFAULT:
        found["isDefaultRoute"] = True
    names = _PATH_VARIABLE.findall(key)
    if names:
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    scheme = _scheme_name(route, authorizers)
    if scheme is not None:
        found["security"] = [{scheme: route.get("AuthorizationScopes", [])}]
    integration = integrations.get(route.get("Target", "").removeprefix("integrations/"))
    if integration is not None:
        found[openapi.INTEGRATION] = _integration(integration)
    return found


def _scheme_name(route: Members, authorizers: dict[str, Members]) -> str | None:
    if route["AuthorizationType"] == "AWS_IAM":
        return "AWS_IAM"
    authorizer = authorizers.get(route.get("AuthorizerId", ""))
    return None if authorizer is None else str(authorizer["Name"])


def _integration(integration: Members) -> Members:
    found = _renamed(openapi.INTEGRATION_MEMBERS, integration)
    found["type"] = integration["IntegrationType"].lower()
    if "TlsConfig" in integration:
        found["tlsConfig"] = {"serverNameToVerify": integration["TlsConfig"]["ServerNameToVerify"]}
    return found


def _schemes(routes: list[Members], authorizers: dict[str, Members]) -> Members:
    found: Members = {}
    if any(route["AuthorizationType"] == "AWS_IAM" for route in routes):
        iam = {"type": "apiKey", "name": "Authorization", "in": "header", openapi.AUTHTYPE: openapi.IAM}
        found["AWS_IAM"] = iam
    for authorizer in authorizers.values():
        found[authorizer["Name"]] = _scheme(authorizer)
    return found


def _scheme(authorizer: Members) -> Members:
    declared = _renamed(openapi.AUTHORIZER_MEMBERS, authorizer)
    declared["type"] = authorizer["AuthorizerType"].lower()
    declared["identitySource"] = ",".join(authorizer.get("IdentitySource") or [])
    if authorizer["AuthorizerType"] != "JWT":
        return {"type": "apiKey", "name": "Unused", "in": "header", openapi.AUTHORIZER: declared}
    configuration = authorizer["JwtConfiguration"]
    declared["jwtConfiguration"] = {"issuer": configuration["Issuer"], "audience": configuration["Audience"]}
    return {"type": "oauth2", "flows": {}, openapi.AUTHORIZER: declared}


def _renamed(names: dict[str, str], members: Members) -> Members:
    return {name: members[member] for name, member in names.items() if member in members}
