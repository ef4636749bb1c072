"""What a stage serves, ready to be matched: worked out once, until the API changes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.services.apigatewayv2.matching import DEFAULT, Matcher
from cloudlet.store import Reader

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.(\w+)\}")


@dataclass(frozen=True, slots=True)
class Served:
    """One stage of an API: its routes and the integrations behind them, by route key."""

    account: str
    region: str
    stage: str
    variables: Mapping[str, str]
    cors: Mapping[str, Any] | None
    disabled: bool
    matcher: Matcher
    integrations: Mapping[str, Mapping[str, Any]]


def load(reader: Reader, api_id: str) -> dict[str, Served]:
    """All stages of an API by name; none if there is no such API."""
    row = reader.one("SELECT account, region, body FROM apis WHERE id = ?", (api_id,))
    if row is None:
        return {}
    account, region, settings = row[0], row[1], orjson.loads(row[2])
    found: dict[str, Served] = {}
    for name, text in reader.all("SELECT name, body FROM stages WHERE api = ?", (api_id,)):
        stage = orjson.loads(text)
        routes, integrations = _deployed(reader, api_id, stage.get("DeploymentId"))
        variables = stage.get("StageVariables", {})
        found[name] = Served(
            account=account,
            region=region,
            stage=name,
            variables=variables,
            cors=settings.get("CorsConfiguration"),
            disabled=bool(settings.get("DisableExecuteApiEndpoint")),
            matcher=Matcher(routes),
            integrations=_behind(routes, integrations, variables),
        )
    return found


def stage_of(stages: Mapping[str, Served], path: str) -> tuple[Served, str] | None:
    """The stage that a path means, and the rest of the path: `$default` takes what no other stage is named by."""
    first, _, rest = path.removeprefix("/").partition("/")
    if first in stages:
        return stages[first], f"/{rest}"
    return (stages[DEFAULT], path or "/") if DEFAULT in stages else None


def _deployed(reader: Reader, api_id: str, deployment: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    row = reader.one("SELECT routes, integrations FROM deployments WHERE api = ? AND id = ?", (api_id, deployment))
    return ({}, {}) if row is None else (orjson.loads(row[0]), orjson.loads(row[1]))


def _behind(
    routes: Mapping[str, Any], integrations: Mapping[str, Any], variables: Mapping[str, str]
) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for key, route in routes.items():
        integration = integrations.get(str(route.get("Target", "")).removeprefix("integrations/"))
        if integration is not None:
            uri = _STAGE_VARIABLE.sub(lambda match: variables.get(match[1], ""), integration.get("IntegrationUri", ""))
            found[key] = {**integration, "IntegrationUri": uri}
    return found
