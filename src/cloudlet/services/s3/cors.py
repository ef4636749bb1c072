"""Cross-origin rules of buckets: which rule a browser's request meets, and the headers that say so."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.services.s3.errors import s3_error

Rule = Mapping[str, Any]
_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD"})
_LARGEST_RULE_SET = 100
_VARY = ("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")


def check_rules(rules: Sequence[Rule]) -> None:
    """Raises MalformedXML or InvalidRequest."""
    if not 0 < len(rules) <= _LARGEST_RULE_SET:
        raise s3_error("MalformedXML")
    for rule in rules:
        for method in rule["AllowedMethods"]:
            if method not in _METHODS:
                raise s3_error(
                    "InvalidRequest",
                    f"Found unsupported HTTP method in CORS config. Unsupported method is {method}",
                )
        for member in ("AllowedOrigins", "AllowedHeaders"):
            for text in rule.get(member, ()):
                if text.count("*") > 1:
                    element = member.removesuffix("s")
                    words = f'{element} "{text}" can not have more than one wildcard.'
                    raise s3_error("InvalidRequest", words)


def matching_rule(rules: Sequence[Rule], origin: str, method: str, headers: Sequence[str] = ()) -> Rule | None:
    """The first rule that allows the method and all the headers to pages of the origin."""
    for rule in rules:
        if (
            method in rule["AllowedMethods"]
            and _any_matches(rule["AllowedOrigins"], origin)
            and all(_any_matches(rule.get("AllowedHeaders", ()), name, lower=True) for name in headers)
        ):
            return rule
    return None


def preflight(rules: Sequence[Rule] | None, request: HttpRequest) -> HttpResponse:
    """The answer to OPTIONS. Raises AccessDenied where no rule allows what is asked."""
    origin = request.headers.get("origin")
    method = request.headers.get("access-control-request-method")
    if origin is None or method is None:
        raise s3_error("BadRequest", "Insufficient information. Origin request header needed.")
    if rules is None:
        raise _not_allowed("CORSResponse: CORS is not enabled for this bucket.", method)
    asked = [
        name.strip().lower()
        for name in request.headers.get("access-control-request-headers", "").split(",")
        if name.strip()
    ]
    rule = matching_rule(rules, origin, method, asked)
    if rule is None:
        raise _not_allowed(
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request "
            "method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the "
            "resource's CORS spec.",
            method,
        )
    headers = response_headers(rule, origin)
    if asked:
        headers.append(("Access-Control-Allow-Headers", ", ".join(asked)))
    if "MaxAgeSeconds" in rule:
        headers.append(("Access-Control-Max-Age", str(rule["MaxAgeSeconds"])))
    return HttpResponse(200, headers)


def response_headers(rule: Rule, origin: str) -> list[tuple[str, str]]:
    """What an answer to a cross-origin request carries under a rule."""
    everybody = "*" in rule["AllowedOrigins"]
    headers = [
        ("Access-Control-Allow-Origin", "*" if everybody else origin),
        ("Access-Control-Allow-Methods", ", ".join(rule["AllowedMethods"])),
    ]
    if rule.get("ExposeHeaders"):
        headers.append(("Access-Control-Expose-Headers", ", ".join(rule["ExposeHeaders"])))
    if not everybody:
        headers.append(("Access-Control-Allow-Credentials", "true"))
    headers.append(_VARY)
    return headers


def _any_matches(patterns: Sequence[str], text: str, *, lower: bool = False) -> bool:
    return any(_pattern(pattern.lower() if lower else pattern).fullmatch(text) is not None for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    """`*` stands for anything; nothing else is special."""
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


def _not_allowed(words: str, method: str) -> Exception:
    return s3_error("AccessForbidden", words, Method=method, ResourceType="BUCKET")
