"""Policy documents: JSON in, typed statements out, compiled once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

import orjson

from cloudlet.authz.conditions import Condition, InvalidCondition, NullCondition, compile_conditions
from cloudlet.authz.patterns import Context, Pattern
from cloudlet.authz.principals import Grant, Principals, parse_principals
from cloudlet.core.context import Principal
from cloudlet.core.wildcards import ANY, expression

Kind = Literal["identity", "resource", "trust"]

_SYNTAX = "Syntax errors in policy."
_SID = re.compile(r"[A-Za-z0-9]*")
_ACTION = re.compile(r"\*|[A-Za-z0-9*?-]+:[A-Za-z0-9*?]+")
_PARTS = re.compile(r"[*?]|[^*?]+")
_WILDCARDS = {"*": ANY, "?": "."}
_ELEMENTS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"}
)


class MalformedPolicy(ValueError):
    """A document that is not a policy, in AWS's words."""


@dataclass(frozen=True, slots=True)
class Actions:
    """Names of actions, in lower case, and patterns of them."""

    names: frozenset[str]
    pattern: re.Pattern[str] | None

    def match(self, action: str) -> bool:
        """`action` is in lower case."""
        return action in self.names or (self.pattern is not None and self.pattern.fullmatch(action) is not None)


@dataclass(frozen=True, slots=True)
class Statement:
    """`excepted` tells which of the elements are their Not forms: all but those named."""

    sid: str
    allows: bool
    actions: Actions
    resources: tuple[Pattern, ...]
    principals: Principals | None
    conditions: tuple[Condition | NullCondition, ...]
    except_actions: bool
    except_resources: bool
    except_principals: bool

    def applies(self, action: str, resource: str | None, context: Context) -> bool:
        """Whether the statement is about this call, by whomever. `action` is in lower case."""
        return (
            self.actions.match(action) != self.except_actions
            and self._covers(resource, context)
            and all(condition.holds(context) for condition in self.conditions)
        )

    def grant(self, principal: Principal) -> Grant | None:
        """As what the statement names the principal; None if it does not."""
        if self.principals is None:
            return None
        found = self.principals.match(principal)
        if self.except_principals:
            return Grant.EVERYONE if found is None else None
        return found

    def _covers(self, resource: str | None, context: Context) -> bool:
        """A resource that is not known is covered by every Allow, but by a Deny only if that covers everything."""
        if not self.resources:
            return True
        if resource is None:
            everything = any(pattern.is_everything for pattern in self.resources)
            return self.allows or (everything and not self.except_resources)
        return any(pattern.matches(resource, context) for pattern in self.resources) != self.except_resources


@dataclass(frozen=True, slots=True)
class Policy:
    statements: tuple[Statement, ...]

    def allows(self, action: str, resource: str | None, context: Context) -> bool:
        return any(s.allows and s.applies(action, resource, context) for s in self.statements)

    def denies(self, action: str, resource: str | None, context: Context) -> bool:
        return any(not s.allows and s.applies(action, resource, context) for s in self.statements)

    def grants(self, principal: Principal, action: str, resource: str | None, context: Context) -> Grant | None:
        """The strongest grant that a resource's policy gives to the principal."""
        return max(self._named(principal, action, resource, context, allows=True), default=None)

    def refuses(self, principal: Principal, action: str, resource: str | None, context: Context) -> bool:
        """Whether a resource's policy denies it to the principal explicitly."""
        return any(True for _ in self._named(principal, action, resource, context, allows=False))

    def _named(
        self, principal: Principal, action: str, resource: str | None, context: Context, *, allows: bool
    ) -> Iterable[Grant]:
        for statement in self.statements:
            if statement.allows == allows:
                grant = statement.grant(principal)
                if grant is not None and statement.applies(action, resource, context):
                    yield grant


def parse_policy(document: str | dict[str, Any], kind: Kind) -> Policy:
    """Compiles a document; the same one is compiled once. Raises MalformedPolicy.

    A policy of an identity names no principals; one of a resource does; a trust policy names no resources either.
    """
    text = document.encode() if isinstance(document, str) else orjson.dumps(document)
    return _parse(text, kind)


@lru_cache(maxsize=4096)
def _parse(text: bytes, kind: Kind) -> Policy:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise MalformedPolicy(_SYNTAX) from None
    if not isinstance(document, dict):
        raise MalformedPolicy(_SYNTAX)
    members = cast("dict[str, Any]", document)
    version = members.get("Version", "2008-10-17")
    if version not in ("2012-10-17", "2008-10-17"):
        raise MalformedPolicy(_SYNTAX)
    if members.keys() - {"Version", "Id", "Statement"}:
        raise MalformedPolicy(_SYNTAX)
    found = members.get("Statement")
    statements = cast("list[Any]", found) if isinstance(found, list) else [found]
    if not statements:
        raise MalformedPolicy(_SYNTAX)
    compiled = tuple(_statement(entry, kind, variables=version == "2012-10-17") for entry in statements)
    sids = [statement.sid for statement in compiled if statement.sid]
    if len(sids) != len(set(sids)):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    return Policy(compiled)


def _statement(entry: Any, kind: Kind, *, variables: bool) -> Statement:
    if not isinstance(entry, dict) or not _ELEMENTS.issuperset(cast("dict[str, Any]", entry)):
        raise MalformedPolicy(_SYNTAX)
    members = cast("dict[str, Any]", entry)
    sid, effect = members.get("Sid", ""), members.get("Effect")
    if not isinstance(sid, str) or effect not in ("Allow", "Deny"):
        raise MalformedPolicy(_SYNTAX)
    if kind == "identity" and not _SID.fullmatch(sid):
        raise MalformedPolicy(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
            "expression [0-9A-Za-z]*"
        )
    action, resource = _one_of(members, "Action"), _one_of(members, "Resource")
    principal = _one_of(members, "Principal")
    _check_elements(kind, action, resource, principal)
    assert action is not None
    try:
        conditions = compile_conditions(members.get("Condition", {}), variables=variables)
    except InvalidCondition as invalid:
        raise MalformedPolicy(str(invalid)) from None
    return Statement(
        sid=sid,
        allows=effect == "Allow",
        actions=_actions(_strings(members[action])),
        resources=() if resource is None else _resources(_strings(members[resource]), kind, variables),
        principals=None if principal is None else _principals(members[principal]),
        conditions=conditions,
        except_actions=action == "NotAction",
        except_resources=resource == "NotResource",
        except_principals=principal == "NotPrincipal",
    )


def _one_of(members: dict[str, Any], name: str) -> str | None:
    """`Action` or `NotAction`, whichever is there; not both."""
    found = [element for element in (name, f"Not{name}") if element in members]
    if len(found) == 2:
        raise MalformedPolicy(_SYNTAX)
    return found[0] if found else None


def _check_elements(kind: Kind, action: str | None, resource: str | None, principal: str | None) -> None:
    if action is None:
        raise MalformedPolicy("Policy statement must contain actions.")
    if kind == "identity":
        if principal is not None:
            raise MalformedPolicy("Policy document should not specify a principal.")
        if resource is None:
            raise MalformedPolicy("Policy statement must contain resources.")
    elif principal is None:
        raise MalformedPolicy("Missing required field Principal")
    if kind == "trust" and resource is not None:
        raise MalformedPolicy("Has prohibited field Resource")


def _strings(value: Any) -> list[str]:
    many = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not many or not all(isinstance(one, str) and one for one in many):
        raise MalformedPolicy(_SYNTAX)
    return many


def _actions(names: list[str]) -> Actions:
    for name in names:
        if not _ACTION.fullmatch(name):
            raise MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    lower = [name.lower() for name in names]
    plain = frozenset(name for name in lower if "*" not in name and "?" not in name)
    patterns = [
        expression(_WILDCARDS.get(part) or re.escape(part) for part in _PARTS.findall(name))
        for name in lower
        if name not in plain
    ]
    return Actions(plain, re.compile("|".join(patterns)) if patterns else None)


def _resources(texts: list[str], kind: Kind, variables: bool) -> tuple[Pattern, ...]:
    for text in texts:
        if kind == "identity" and not (text.startswith(("arn:", "*", "${")) or text == "*"):
            raise MalformedPolicy(f'Resource {text} must be in ARN format or "*".')
    return tuple(Pattern.of_arn(text, variables=variables) for text in texts)


def _principals(element: Any) -> Principals:
    found = parse_principals(element)
    if found is None:
        raise MalformedPolicy("Invalid principal in policy")
    return found
