"""The Principal element of a resource's policy: whom it names, and as what."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

from cloudlet.core.accounts import canonical_owner_id
from cloudlet.core.context import Principal

_ACCOUNT = re.compile(r"(?:arn:aws:iam::)?([0-9]{12})(?::root)?")
_TYPES = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})


class Grant(IntEnum):
    """How a policy names the caller, from weak to strong.

    ACCOUNT hands the decision to the caller's account: an identity policy must allow as well. ROLE is limited by the
    role's boundary and by session policies. The others stand by themselves within the account.
    """

    ACCOUNT = 1
    ROLE = 2
    EVERYONE = 3
    USER = 4
    SESSION = 5
    SERVICE = 6


@dataclass(frozen=True, slots=True)
class Principals:
    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    services: frozenset[str]
    canonical: frozenset[str]

    def match(self, principal: Principal) -> Grant | None:
        kind = principal.kind
        if kind == "service":
            if principal.arn in self.services:
                return Grant.SERVICE
            return Grant.EVERYONE if self.everyone else None
        if kind != "anonymous" and self.arns:
            if principal.arn in self.arns:
                return Grant.SESSION if kind == "role" else Grant.USER
            if kind == "role" and principal.policies_of in self.arns:
                return Grant.EVERYONE if self.everyone else Grant.ROLE
        if self.everyone:
            return Grant.EVERYONE
        if kind == "anonymous":
            return None
        return Grant.ACCOUNT if self._names_account(principal.account) else None

    def _names_account(self, account: str) -> bool:
        return account in self.accounts or (bool(self.canonical) and canonical_owner_id(account) in self.canonical)


def parse_principals(element: Any) -> Principals | None:
    """None if the element is malformed."""
    if element == "*":
        return Principals(True, *[frozenset[str]()] * 4)
    if not isinstance(element, Mapping) or not element or not _TYPES.issuperset(element):  # pyright: ignore[reportUnknownArgumentType]
        return None
    named: dict[str, list[str]] = {}
    for type_, values in cast("Mapping[str, Any]", element).items():
        many = cast("list[Any]", values) if isinstance(values, list) else [values]
        if not many or not all(isinstance(value, str) and value for value in many):
            return None
        named[type_] = many
    aws = named.get("AWS", [])
    accounts = [match[1] for value in aws if (match := _ACCOUNT.fullmatch(value))]
    return Principals(
        everyone="*" in aws,
        accounts=frozenset(accounts),
        arns=frozenset(value for value in aws if value.startswith("arn:")),
        services=frozenset(named.get("Service", ())),
        canonical=frozenset(named.get("CanonicalUser", ())),
    )
