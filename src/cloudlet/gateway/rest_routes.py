"""Finds the operation of a REST API by method, path, query and headers, as the model's URI templates say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote

from botocore.model import OperationModel

from cloudlet.core.model import api_model


@dataclass(frozen=True, slots=True)
class Route:
    """One operation's way in. `query` are names (with values, where the template has them) that must be there."""

    operation: str
    path: re.Pattern[str]
    labels: tuple[str, ...]
    query: tuple[tuple[str, str | None], ...]
    headers: frozenset[str]

    def matches(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        for name, value in self.query:
            found = query.get(name)
            if found is None or (value is not None and found != value):
                return False
        return not self.headers or headers.keys() >= self.headers


class Match(NamedTuple):
    operation: str
    labels: dict[str, str]


class RestRoutes:
    """All routes of one API, the most specific first."""

    def __init__(self, api: str) -> None:
        model = api_model(api)
        self._routes: dict[str, list[Route]] = {}
        operations = [model.operation_model(name) for name in model.operation_names]
        current = {_address(operation) for operation in operations if not operation.deprecated}
        for operation in operations:
            if operation.deprecated and _address(operation) in current:
                continue
            route = _route(operation)
            self._routes.setdefault(operation.http["method"], []).append(route)
        for routes in self._routes.values():
            routes.sort(key=_specificity)
        # Most requests have no query: they need not be held against the routes that want one.
        self._without_query = {m: [r for r in routes if not r.query] for m, routes in self._routes.items()}

    def find(self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Match | None:
        """`path` as on the wire; the labels come out percent-decoded."""
        pattern: re.Pattern[str] | None = None
        found: re.Match[str] | None = None
        for route in (self._routes if query else self._without_query).get(method, ()):
            if route.path is not pattern:  # routes of one path follow each other
                pattern = route.path
                found = pattern.fullmatch(path)
            if found is not None and route.matches(query, headers):
                values = [unquote(value) if "%" in value else value for value in found.groups()]
                return Match(route.operation, dict(zip(route.labels, values, strict=True)))
        return None


@cache
def rest_routes(api: str) -> RestRoutes:
    return RestRoutes(api)


def _address(operation: OperationModel) -> tuple[str, str]:
    return operation.http["method"], operation.http["requestUri"]


def _route(operation: OperationModel) -> Route:
    path, _, literal_query = operation.http["requestUri"].partition("?")
    query: dict[str, str | None] = {}
    for pair in filter(None, literal_query.split("&")):
        name, equals, value = pair.partition("=")
        query[name] = value if equals else None
    headers: list[str] = []
    shape = operation.input_shape
    for member in shape.required_members if shape else ():
        serialization = shape.members[member].serialization  # type: ignore[union-attr]
        location = serialization.get("location")
        if location == "querystring":
            query.setdefault(serialization.get("name", member), None)
        elif location == "header":
            headers.append(serialization.get("name", member).lower())
    labels = tuple(re.findall(r"\{([\w-]+)\+?\}", path))
    return Route(operation.name, _path_pattern(path), labels, tuple(query.items()), frozenset(headers))


def _path_pattern(template: str) -> re.Pattern[str]:
    """`/{Bucket}/{Key+}`: a label takes one segment, a greedy one the rest. A slash at the end makes no difference."""
    pattern = ""
    for literal, label, greedy in re.findall(r"([^{]*)(?:\{([\w-]+)(\+?)\})?", template.rstrip("/") or "/"):
        pattern += re.escape(literal)
        if label:
            pattern += "(.+)" if greedy else "([^/]+)"
    ends_greedy = template.endswith("+}")
    return re.compile(pattern if ends_greedy or template == "/" else pattern + "/?", re.DOTALL)


def _specificity(route: Route) -> tuple[int, int, int, str]:
    literal = re.sub(r"\([^)]*\)", "", route.path.pattern)
    return -len(literal), -len(route.query), -len(route.headers), route.operation
