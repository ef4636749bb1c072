"""What a stage serves, ready to be used: worked out once, until the API changes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.core.metrics import DimensionSets
from cloudlet.services.apigatewayv2 import expressions
from cloudlet.services.apigatewayv2.expressions import Expression
from cloudlet.services.apigatewayv2.functions import Function, function_of
from cloudlet.services.apigatewayv2.log_format import LogFormat
from cloudlet.services.apigatewayv2.matching import DEFAULT, Matcher
from cloudlet.services.apigatewayv2.parameter_mapping import Change, request_changes, response_changes
from cloudlet.services.apigatewayv2.throttling import Bucket, bucket_of
from cloudlet.store import Reader

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.(\w+)\}")


@dataclass(frozen=True, slots=True)
class Integration:
    """What is behind a route. `timeout` is in seconds; `parameters` are those of an AWS service's operation."""

    id: str
    kind: str
    subtype: str
    uri: str
    method: str
    version: str
    timeout: float
    credentials: str | None
    function: Function | None
    request_changes: tuple[Change, ...]
    response_changes: Mapping[int, tuple[Change, ...]]
    parameters: Mapping[str, Expression]
    server_name: str | None


@dataclass(frozen=True, slots=True)
class JwtAuthorizer:
    id: str
    source: Expression
    issuer: str
    audience: frozenset[str]


@dataclass(frozen=True, slots=True)
class LambdaAuthorizer:
    """`ttl` is how many seconds a result is kept, `simple` whether it says no more than yes or no."""

    id: str
    function: Function
    credentials: str | None
    sources: tuple[Expression, ...]
    ttl: int
    version: str
    simple: bool


Authorizer = JwtAuthorizer | LambdaAuthorizer


@dataclass(frozen=True, slots=True)
class ServedRoute:
    """A route with all that it needs. `dimensions` are those under which its requests are measured."""

    key: str
    integration: Integration | None
    authorization: str
    authorizer: Authorizer | None
    scopes: tuple[str, ...]
    bucket: Bucket | None
    dimensions: DimensionSets


@dataclass(frozen=True, slots=True)
class AccessLog:
    """Where a stage's access log goes, and what a line of it looks like."""

    destination: str
    format: LogFormat


@dataclass(frozen=True, slots=True)
class Served:
    """One stage of an API. `dimensions` are those of requests that no route takes."""

    account: str
    region: str
    api_id: str
    stage: str
    variables: Mapping[str, str]
    cors: Mapping[str, Any] | None
    disabled: bool
    matcher: Matcher
    routes: Mapping[str, ServedRoute]
    access_log: AccessLog | None
    dimensions: DimensionSets

    @property
    def arn(self) -> str:
        return f"arn:aws:execute-api:{self.region}:{self.account}:{self.api_id}/{self.stage}"


def load(reader: Reader, api_id: str) -> dict[str, Served]:
    """All stages of an API by name; none if there is no such API."""
    row = reader.one("SELECT account, region, body FROM apis WHERE id = ?", (api_id,))
    if row is None:
        return {}
    account, region, settings = row[0], row[1], orjson.loads(row[2])
    found: dict[str, Served] = {}
    for name, text in reader.all("SELECT name, body FROM stages WHERE api = ?", (api_id,)):
        stage = orjson.loads(text)
        log = stage.get("AccessLogSettings") or {}
        routes = _Deployed(reader, api_id, name, account, region, stage).routes()
        found[name] = Served(
            account=account,
            region=region,
            api_id=api_id,
            stage=name,
            variables=stage.get("StageVariables", {}),
            cors=settings.get("CorsConfiguration"),
            disabled=bool(settings.get("DisableExecuteApiEndpoint")),
            matcher=Matcher(routes),
            routes=routes,
            access_log=AccessLog(log["DestinationArn"], LogFormat(log["Format"])) if log else None,
            dimensions=_dimensions(api_id, name),
        )
    return found


def stage_of(stages: Mapping[str, Served], path: str) -> tuple[Served, str] | None:
    """The stage that a path means, and the rest of the path: `$default` takes what no other stage is named by."""
    first, _, rest = path.removeprefix("/").partition("/")
    if first in stages:
        return stages[first], f"/{rest}"
    return (stages[DEFAULT], path or "/") if DEFAULT in stages else None


class _Deployed:
    """A stage's deployment, being made ready."""

    def __init__(
        self, reader: Reader, api_id: str, name: str, account: str, region: str, stage: Mapping[str, Any]
    ) -> None:
        self._api_id = api_id
        self._name = name
        self._account = account
        self._region = region
        self._stage = stage
        row = reader.one(
            "SELECT routes, integrations, authorizers FROM deployments WHERE api = ? AND id = ?",
            (api_id, stage.get("DeploymentId")),
        )
        self._routes, self._integrations, self._authorizers = (
            ({}, {}, {}) if row is None else [orjson.loads(text) for text in row]
        )

    def routes(self) -> dict[str, ServedRoute]:
        integrations = {id_: self._integration(body) for id_, body in self._integrations.items()}
        authorizers = {id_: self._authorizer(body) for id_, body in self._authorizers.items()}
        found: dict[str, ServedRoute] = {}
        for key, route in self._routes.items():
            settings = self._settings(key)
            found[key] = ServedRoute(
                key=key,
                integration=integrations.get(str(route.get("Target", "")).removeprefix("integrations/")),
                authorization=route.get("AuthorizationType", "NONE"),
                authorizer=authorizers.get(route.get("AuthorizerId", "")),
                scopes=tuple(route.get("AuthorizationScopes") or ()),
                bucket=bucket_of(settings),
                dimensions=_dimensions(self._api_id, self._name, key if settings.get("DetailedMetricsEnabled") else ""),
            )
        return found

    def _settings(self, key: str) -> dict[str, Any]:
        """The route's own settings before those of all routes."""
        return self._stage.get("DefaultRouteSettings", {}) | self._stage.get("RouteSettings", {}).get(key, {})

    def _integration(self, body: Mapping[str, Any]) -> Integration:
        uri = self._with_variables(body.get("IntegrationUri", ""))
        kind, subtype = body["IntegrationType"], body.get("IntegrationSubtype", "")
        parameters: Mapping[str, str] = body.get("RequestParameters") or {}
        places = expressions.REQUEST | expressions.SURROUNDINGS
        is_function = kind == "AWS_PROXY" and not subtype
        return Integration(
            id=body["IntegrationId"],
            kind=kind,
            subtype=subtype,
            uri=uri,
            method=body.get("IntegrationMethod", "ANY"),
            version=body.get("PayloadFormatVersion", "1.0"),
            timeout=body["TimeoutInMillis"] / 1000,
            credentials=body.get("CredentialsArn") or None,
            function=function_of(uri, self._account, self._region) if is_function else None,
            request_changes=() if subtype else request_changes(parameters),
            response_changes=response_changes(body.get("ResponseParameters") or {}),
            parameters={name: expressions.parse(text, places) for name, text in parameters.items()} if subtype else {},
            server_name=(body.get("TlsConfig") or {}).get("ServerNameToVerify"),
        )

    def _authorizer(self, body: Mapping[str, Any]) -> Authorizer:
        sources = tuple(expressions.parse(text, expressions.IDENTITY) for text in body.get("IdentitySource") or ())
        if body["AuthorizerType"] == "JWT":
            configuration = body["JwtConfiguration"]
            audience = frozenset(configuration.get("Audience") or ())
            return JwtAuthorizer(body["AuthorizerId"], sources[0], configuration["Issuer"], audience)
        uri = self._with_variables(body["AuthorizerUri"])
        return LambdaAuthorizer(
            id=body["AuthorizerId"],
            function=function_of(uri, self._account, self._region),
            credentials=body.get("AuthorizerCredentialsArn") or None,
            sources=sources,
            ttl=body.get("AuthorizerResultTtlInSeconds", 0),
            version=body["AuthorizerPayloadFormatVersion"],
            simple=bool(body.get("EnableSimpleResponses")),
        )

    def _with_variables(self, uri: str) -> str:
        variables = self._stage.get("StageVariables", {})
        return _STAGE_VARIABLE.sub(lambda match: variables.get(match[1], ""), uri)


def _dimensions(api_id: str, stage: str, detailed: str = "") -> DimensionSets:
    """By API, by stage and, where that is asked for, by route."""
    by_stage = (("ApiId", api_id), ("Stage", stage))
    found: DimensionSets = ((("ApiId", api_id),), by_stage)
    if not detailed:
        return found
    method, _, resource = detailed.partition(" ")
    return (*found, (*by_stage, ("Method", method), ("Resource", resource or method)))
