"""Who may do what: the policies that bear on a principal, compiled and kept until something changes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudlet.authz.actions import action_of
from cloudlet.authz.documents import Policy, parse_policy
from cloudlet.authz.evaluation import Decision, Policies, Request, decide
from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AccessDenied
from cloudlet.core.http import HttpRequest
from cloudlet.services.iam import entities
from cloudlet.services.iam.policies import document_of
from cloudlet.store import Reader

# Everybody may ask who they are, and for a session of their own.
_FREE = frozenset({"GetCallerIdentity", "GetSessionToken"})
# What a role's trust policy decides.
DECIDED_BY_TRUST = frozenset({"AssumeRole", "TagSession", "SetSourceIdentity"})
_TYPES = {"root": "Account", "user": "User", "role": "AssumedRole", "service": "Service", "anonymous": "Anonymous"}


@dataclass(frozen=True, slots=True)
class Standing:
    """What an entity may do, and the tags that policies can refer to."""

    entity_id: str
    identity: tuple[Policy, ...]
    boundary: Policy | None
    tags: dict[str, str]


class Authority:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._standings: dict[str, Standing | None] = {}

    def forget(self) -> None:
        """To be called after every change of policies, entities or memberships."""
        self._standings.clear()

    def authorise(self, call: Call, resource: str | None, resource_policy: dict[str, Any] | None) -> None:
        """Raises AccessDenied."""
        if call.api == "sts" and call.operation in _FREE:
            return
        action = action_of(call.api, call.operation)
        decision = self.decide(call, action, resource, resource_policy)
        if not decision.allowed:
            raise AccessDenied(_refusal(call.principal, action, resource, decision))

    def decide(self, call: Call, action: str, resource: str | None, resource_policy: dict[str, Any] | None) -> Decision:
        standing = self._standing(call.principal)
        request = Request(call.principal, action, resource, call.account, Keys(call, standing))
        is_trust = call.api == "sts" and call.operation in DECIDED_BY_TRUST
        policy = parse_policy(resource_policy, "trust" if is_trust else "resource") if resource_policy else None
        return decide(request, _policies(call.principal, standing), policy, resource_policy_decides=is_trust)

    def _standing(self, principal: Principal) -> Standing | None:
        """None for root, services and the anonymous, and for what has been deleted, even if it was made anew."""
        arn = principal.policies_of
        if not arn:
            return None
        if arn in self._standings:
            found = self._standings[arn]
        else:
            found = self._standings[arn] = self._load(arn)
        if found is None or found.entity_id != principal.id.partition(":")[0]:
            return None
        return found

    def _load(self, arn: str) -> Standing | None:
        entity = entities.by_arn(self._reader, arn)
        if entity is None:
            return None
        holders = [entity]
        if entity.kind == "user":
            holders += entities.groups_of(self._reader, entity)
        documents = [document for holder in holders for document in self._documents(holder)]
        boundary = document_of(self._reader, entity.boundary) if entity.boundary else None
        return Standing(
            entity.id,
            tuple(parse_policy(document, "identity") for document in documents),
            parse_policy(boundary, "identity") if boundary else None,
            entities.tags_of(self._reader, entity.id),
        )

    def _documents(self, holder: entities.Entity) -> list[str]:
        """The documents of an entity's own and attached policies."""
        own = self._reader.all("SELECT document FROM inline_policy WHERE entity_id = ?", (holder.id,))
        attached = self._reader.all("SELECT policy_arn FROM attachment WHERE entity_id = ?", (holder.id,))
        return [document for (document,) in own] + [document_of(self._reader, arn) for (arn,) in attached]


def _policies(principal: Principal, standing: Standing | None) -> Policies:
    session = tuple(parse_policy(document, "identity") for document in principal.session_policies) or None
    if standing is None:
        return Policies(session=session)
    return Policies(standing.identity, standing.boundary, session)


def _refusal(principal: Principal, action: str, resource: str | None, decision: Decision) -> str:
    if principal.kind == "anonymous":
        return "Access Denied"
    where = f" on resource: {resource}" if resource else ""
    return f"User: {principal.arn} is not authorized to perform: {action}{where}{decision.why}"


# Services that act for the owner of what they call for, which topics' default policy lets in.
_OWNERS = frozenset({"cloudwatch.amazonaws.com"})


class Keys:
    """The condition keys of a call; gathered when a policy first asks for one, which most do not."""

    __slots__ = ("_call", "_keys", "_standing")

    def __init__(self, call: Call, standing: Standing | None) -> None:
        self._call = call
        self._standing = standing
        self._keys: dict[str, str] | None = None

    def get(self, key: str, /) -> str | None:
        if self._keys is None:
            self._keys = _condition_keys(self._call, self._standing)
        return self._keys.get(key)


def _condition_keys(call: Call, standing: Standing | None) -> dict[str, str]:
    """AWS's global condition keys, and the service's own."""
    principal = call.principal
    keys: dict[str, str] = {
        "aws:currenttime": datetime.fromtimestamp(call.time, UTC).isoformat(),
        "aws:epochtime": str(int(call.time)),
        "aws:principaltype": _TYPES[principal.kind],
        "aws:principalisawsservice": "true" if principal.kind == "service" else "false",
        "aws:requestedregion": call.region,
        "aws:resourceaccount": call.account,
        "aws:securetransport": "false",
    }
    if principal.kind == "service":
        keys["aws:principalservicename"] = principal.arn
        keys["aws:sourceaccount"] = principal.account
        if principal.arn in _OWNERS:
            keys["aws:sourceowner"] = principal.account
    elif principal.kind != "anonymous":
        keys["aws:principalaccount"] = keys["aws:sourceowner"] = principal.account
        keys["aws:principalarn"] = principal.policies_of or principal.arn
        keys["aws:userid"] = principal.id
        if principal.kind == "user":
            keys["aws:username"] = principal.arn.rpartition("/")[2]
    if call.source_arn is not None:
        keys["aws:sourcearn"] = call.source_arn
    if call.http is not None:
        keys["aws:sourceip"] = call.http.client
        keys["aws:securetransport"] = "true" if _is_private(call.http) else "false"
        keys["aws:useragent"] = call.http.headers.get("user-agent", "")
        if "referer" in call.http.headers:
            keys["aws:referer"] = call.http.headers["referer"]
    tags = {**(standing.tags if standing else {}), **dict(principal.tags)}
    keys.update({f"aws:principaltag/{key.lower()}": value for key, value in tags.items()})
    keys.update({key.lower(): value for key, value in call.condition_keys.items()})
    return keys


def _is_private(request: HttpRequest) -> bool:
    """What never leaves the machine counts as secure: policies that insist on TLS are about the network."""
    return request.scheme == "https" or request.client.startswith("127.") or request.client == "::1"
