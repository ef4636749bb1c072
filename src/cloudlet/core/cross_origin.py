"""Cross-origin requests, answered from the configuration of an HTTP API or of a function's URL."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

Headers = list[tuple[str, str]]


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def preflight(configuration: Mapping[str, Any], headers: Mapping[str, str]) -> Headers:
    """The headers of the answer to a preflight: none where the configuration does not allow what is asked."""
    allowed = _origin(configuration, headers["origin"])
    if allowed is None:
        return []
    found = [("access-control-allow-origin", allowed)]
    methods = configuration.get("AllowMethods", [])
    wanted = configuration.get("AllowHeaders", [])
    if methods:
        found.append(("access-control-allow-methods", ",".join(methods)))
    if wanted:
        found.append(("access-control-allow-headers", ",".join(wanted)))
    if configuration.get("MaxAge"):
        found.append(("access-control-max-age", str(configuration["MaxAge"])))
    return found + _others(configuration)


def answered(configuration: Mapping[str, Any], headers: Mapping[str, str]) -> Headers:
    """The headers added to the answer of an actual request."""
    origin = headers.get("origin")
    allowed = None if origin is None else _origin(configuration, origin)
    return [] if allowed is None else [("access-control-allow-origin", allowed), *_others(configuration)]


def _origin(configuration: Mapping[str, Any], origin: str) -> str | None:
    for allowed in configuration.get("AllowOrigins", []):
        if allowed == "*":
            # Browsers take no star where credentials are sent.
            return origin if configuration.get("AllowCredentials") else "*"
        if allowed in (origin, f"{origin.split('://')[0]}://*") or fnmatchcase(origin, allowed):
            return origin
    return None


def _others(configuration: Mapping[str, Any]) -> Headers:
    found: Headers = []
    if configuration.get("ExposeHeaders"):
        found.append(("access-control-expose-headers", ",".join(configuration["ExposeHeaders"])))
    if configuration.get("AllowCredentials"):
        found.append(("access-control-allow-credentials", "true"))
    return found
