"""OpenAPI 3 documents with API Gateway's extensions, read into the parts of an HTTP API."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import yaml

from cloudlet.services.apigatewayv2.base import bad_request

METHODS = ("delete", "get", "head", "options", "patch", "post", "put")
ANY = "x-amazon-apigateway-any-method"
INTEGRATION = "x-amazon-apigateway-integration"
AUTHORIZER = "x-amazon-apigateway-authorizer"
AUTHTYPE = "x-amazon-apigateway-authtype"
IAM = "awsSigv4"
# The extensions' names of what the operations know by other names.
CORS_MEMBERS = {
    "allowCredentials": "AllowCredentials",
    "allowHeaders": "AllowHeaders",
    "allowMethods": "AllowMethods",
    "allowOrigins": "AllowOrigins",
    "exposeHeaders": "ExposeHeaders",
    "maxAge": "MaxAge",
}
INTEGRATION_MEMBERS = {
    "connectionId": "ConnectionId",
    "connectionType": "ConnectionType",
    "credentials": "CredentialsArn",
    "description": "Description",
    "httpMethod": "IntegrationMethod",
    "integrationSubtype": "IntegrationSubtype",
    "payloadFormatVersion": "PayloadFormatVersion",
    "requestParameters": "RequestParameters",
    "responseParameters": "ResponseParameters",
    "timeoutInMillis": "TimeoutInMillis",
    "uri": "IntegrationUri",
}
AUTHORIZER_MEMBERS = {
    "authorizerCredentials": "AuthorizerCredentialsArn",
    "authorizerPayloadFormatVersion": "AuthorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds": "AuthorizerResultTtlInSeconds",
    "authorizerUri": "AuthorizerUri",
    "enableSimpleResponses": "EnableSimpleResponses",
}
# What SAM calls a route that asks for nobody.
_NOBODY = "NONE"
_VARIABLE = re.compile(r"\{(\w+)\}")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImportedRoute:
    """A route key, the integration behind it (None where the document names none), and who may pass.

    `authorization` is a route's AuthorizationType, `authorizer` the name of the security scheme.
    """

    key: str
    operation_name: str | None
    integration: dict[str, Any] | None
    authorization: str = "NONE"
    authorizer: str | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """What a document says of an API: its settings as CreateApi takes them, its routes, authorizers and tags."""

    settings: dict[str, Any]
    routes: list[ImportedRoute]
    authorizers: list[dict[str, Any]]
    tags: dict[str, str] = field(default_factory=dict[str, str])
    warnings: list[str] = field(default_factory=list[str])


def read(text: str, base_path: str = "ignore") -> Imported:
    """`base_path` says what becomes of the path of the first server: `ignore`, `prepend` or `split`.

    Raises BadRequestException for what is no OpenAPI 3 document.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict) or not str(cast("Document", document).get("openapi", "")).startswith("3."):
        raise bad_request("Unable to parse the OpenAPI definition: it is no OpenAPI 3 document")
    found = cast("Document", document)
    info: Document = found.get("info") or {}
    if not info.get("title"):
        raise bad_request("Unable to import: the definition has no info.title")
    warnings: list[str] = []
    routes = list(_routes(found, _prefix(found, base_path), warnings))
    warnings += [f"No integration is defined for {route.key}" for route in routes if route.integration is None]
    return Imported(_settings(found, info), routes, list(_authorizers(found)), _tags(found), warnings)


def _settings(document: Document, info: Document) -> dict[str, Any]:
    settings: dict[str, Any] = {"Name": str(info["title"])}
    if "version" in info:
        settings["Version"] = str(info["version"])
    if info.get("description"):
        settings["Description"] = str(info["description"])
    cors: Document | None = document.get("x-amazon-apigateway-cors")
    if cors:
        settings["CorsConfiguration"] = _cors(cors)
    return settings


def _cors(declared: Document) -> dict[str, Any]:
    found = {CORS_MEMBERS[name]: value for name, value in declared.items() if name in CORS_MEMBERS}
    return {
        name: [value] if isinstance(value, str) and name not in ("AllowCredentials", "MaxAge") else value
        for name, value in found.items()
    }


def _tags(document: Document) -> dict[str, str]:
    tags: list[Document] = document.get("tags") or []
    return {
        str(tag["name"]): str(tag["x-amazon-apigateway-tag-value"])
        for tag in tags
        if "x-amazon-apigateway-tag-value" in tag
    }


def _prefix(document: Document, base_path: str) -> str:
    """What stands before all paths."""
    servers: list[Document] = document.get("servers") or []
    if base_path == "ignore" or not servers:
        return ""
    if base_path not in ("prepend", "split"):
        raise bad_request(f"Invalid base path setting: {base_path}")
    variables: Document = servers[0].get("variables") or {}
    url = _VARIABLE.sub(
        lambda match: str((variables.get(match[1]) or {}).get("default", "")), servers[0].get("url", "")
    )
    path = urlsplit(url).path.strip("/")
    if base_path == "split":
        path = path.partition("/")[2]
    return f"/{path}" if path else ""


def _routes(document: Document, prefix: str, warnings: list[str]) -> Iterator[ImportedRoute]:
    paths: dict[str, Document | None] = document.get("paths") or {}
    for path, item in paths.items():
        for method, declared in (item or {}).items():
            if method.lower() not in METHODS and method != ANY:
                continue
            operation: Document = declared or {}
            if path.lstrip("/") == "$default":
                key = "$default"
            else:
                key = f"{'ANY' if method == ANY else method.upper()} {prefix}{path}"
            security = operation["security"] if "security" in operation else document.get("security")
            authorization, authorizer, scopes = _security(document, security or [], key, warnings)
            integration = _integration(document, operation)
            yield ImportedRoute(key, operation.get("operationId"), integration, authorization, authorizer, scopes)


def _security(
    document: Document, security: list[Document], key: str, warnings: list[str]
) -> tuple[str, str | None, tuple[str, ...]]:
    """The authorization type, the scheme with an authorizer, and the scopes that a route's security asks for."""
    names = [(name, scopes) for requirement in security for name, scopes in requirement.items() if name != _NOBODY]
    if not names:
        return "NONE", None, ()
    if len(names) > 1:
        raise bad_request(f"Unable to import: {key} has more than one security requirement")
    name, scopes = names[0]
    scheme = _schemes(document).get(name)
    if scheme is None:
        raise bad_request(f"Unable to import: the security scheme {name} of {key} is not defined")
    if scheme.get(AUTHTYPE) == IAM:
        return "AWS_IAM", None, ()
    declared: Document | None = scheme.get(AUTHORIZER)
    if declared is None:
        warnings.append(f"The security scheme {name} of {key} has no authorizer and is ignored")
        return "NONE", None, ()
    if str(declared.get("type", "")).lower() == "jwt":
        return "JWT", name, tuple(str(scope) for scope in scopes or ())
    return "CUSTOM", name, ()


def _schemes(document: Document) -> dict[str, Document]:
    components: Document = document.get("components") or {}
    return components.get("securitySchemes") or {}


def _authorizers(document: Document) -> Iterator[dict[str, Any]]:
    """The authorizers of the security schemes, as CreateAuthorizer takes them."""
    for name, scheme in _schemes(document).items():
        declared: Document | None = scheme.get(AUTHORIZER)
        if declared is None or scheme.get(AUTHTYPE) == IAM:
            continue
        found = {member: declared[key] for key, member in AUTHORIZER_MEMBERS.items() if key in declared}
        if "AuthorizerPayloadFormatVersion" in found:
            found["AuthorizerPayloadFormatVersion"] = str(found["AuthorizerPayloadFormatVersion"])
        found |= {"Name": name, "AuthorizerType": str(declared.get("type", "")).upper()}
        if found["AuthorizerType"] not in ("JWT", "REQUEST"):
            raise bad_request(f"Unable to import: the authorizer {name} is neither of type jwt nor of type request")
        sources = declared.get("identitySource") or []
        found["IdentitySource"] = (
            [part.strip() for part in sources.split(",")]
            if isinstance(sources, str)
            else [str(each) for each in sources]
        )
        configuration: Document | None = declared.get("jwtConfiguration")
        if configuration:
            audience = configuration.get("audience") or []
            found["JwtConfiguration"] = {
                "Issuer": str(configuration.get("issuer", "")),
                "Audience": [audience] if isinstance(audience, str) else [str(each) for each in audience],
            }
        yield found


def _integration(document: Document, operation: Document) -> dict[str, Any] | None:
    declared: Document | None = operation.get(INTEGRATION)
    if declared is None:
        return None
    if "$ref" in declared:
        declared = _referred(document, str(declared["$ref"]))
    found = {name: declared[key] for key, name in INTEGRATION_MEMBERS.items() if key in declared}
    found["IntegrationType"] = str(declared.get("type", "")).upper()
    if "PayloadFormatVersion" in found:
        found["PayloadFormatVersion"] = str(found["PayloadFormatVersion"])
    if "ResponseParameters" in found:
        found["ResponseParameters"] = {str(status): changes for status, changes in found["ResponseParameters"].items()}
    server_name = (declared.get("tlsConfig") or {}).get("serverNameToVerify")
    if server_name:
        found["TlsConfig"] = {"ServerNameToVerify": server_name}
    return found


def _referred(document: Document, reference: str) -> Document:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = cast("Document", node).get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise bad_request(f"Unable to import: nothing is defined at {reference}")
    return cast("Document", node)
