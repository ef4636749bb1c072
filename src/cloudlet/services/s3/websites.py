"""Website configurations: checked, and what they make of a path."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.services.s3.errors import invalid_argument, s3_error

_MOST_RULES = 50


@dataclass(frozen=True, slots=True)
class Redirect:
    status: int
    location: str


def check_configuration(configuration: Mapping[str, Any]) -> None:
    """Raises InvalidArgument, InvalidRequest or MalformedXML."""
    everything = configuration.get("RedirectAllRequestsTo")
    if everything is not None:
        if set(configuration) != {"RedirectAllRequestsTo"}:
            raise s3_error(
                "InvalidArgument", "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules."
            )
        return
    suffix = (configuration.get("IndexDocument") or {}).get("Suffix")
    if suffix is None:
        raise s3_error(
            "InvalidArgument", "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"
        )
    if not suffix or "/" in suffix:
        raise invalid_argument("The IndexDocument Suffix is not well formed", "IndexDocument", suffix)
    error = configuration.get("ErrorDocument")
    if error is not None and not error.get("Key"):
        raise invalid_argument("The ErrorDocument Key is not well formed", "ErrorDocument", "")
    rules = configuration.get("RoutingRules", ())
    if len(rules) > _MOST_RULES:
        raise s3_error(
            "InvalidRequest",
            f"{len(rules)} routing rules provided, the number of routing rules in a website configuration is limited "
            f"to {_MOST_RULES}.",
        )
    for rule in rules:
        redirect = rule["Redirect"]
        if "ReplaceKeyWith" in redirect and "ReplaceKeyPrefixWith" in redirect:
            raise s3_error("InvalidRequest", "You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
        if not redirect:
            raise s3_error("MalformedXML")


def redirect_all(configuration: Mapping[str, Any], key: str, scheme: str) -> Redirect | None:
    target = configuration.get("RedirectAllRequestsTo")
    if target is None:
        return None
    return Redirect(301, f"{target.get('Protocol', scheme)}://{target['HostName']}/{key}")


def routed(configuration: Mapping[str, Any], key: str, status: int | None, scheme: str, host: str) -> Redirect | None:
    """The redirect of the first routing rule that matches. `status` is the error that the key gave, None before it."""
    for rule in configuration.get("RoutingRules", ()):
        condition = rule.get("Condition") or {}
        wanted = condition.get("HttpErrorCodeReturnedEquals")
        prefix = condition.get("KeyPrefixEquals", "")
        if not key.startswith(prefix) or (wanted is None) != (status is None):
            continue
        if wanted is not None and wanted != str(status):
            continue
        return _redirect(rule["Redirect"], key, prefix, scheme, host)
    return None


def _redirect(redirect: Mapping[str, Any], key: str, prefix: str, scheme: str, host: str) -> Redirect:
    if "ReplaceKeyWith" in redirect:
        key = redirect["ReplaceKeyWith"]
    elif "ReplaceKeyPrefixWith" in redirect:
        key = redirect["ReplaceKeyPrefixWith"] + key[len(prefix) :]
    location = f"{redirect.get('Protocol', scheme)}://{redirect.get('HostName', host)}/{key}"
    return Redirect(int(redirect.get("HttpRedirectCode", 301)), location)


def index_key(key: str, suffix: str) -> str:
    """The root and every folder stand for their index document."""
    return key + suffix if not key or key.endswith("/") else key
