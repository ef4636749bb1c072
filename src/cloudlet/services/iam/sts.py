"""STS: who am I, and temporary credentials."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AccessDenied, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.iam import entities, faults, policies
from cloudlet.services.iam.entities import Entity
from cloudlet.services.iam.records import Records
from cloudlet.services.iam.sessions import Session, Sessions, account_of
from cloudlet.store import Reader

if TYPE_CHECKING:
    from types_boto3_sts import type_defs as shapes

# A role assumed by a role lasts an hour at most, and so does a root's session.
_SHORT_SESSION = 3600
_DEFAULT_USER_SESSION = 12 * 3600
_MAX_SESSION_POLICIES_SIZE = 2048
_NOT_SUPPORTED = ("SerialNumber", "TokenCode", "TransitiveTagKeys", "ProvidedContexts")


class SecurityTokens(Records):
    sessions: Sessions

    @operation("GetCallerIdentity", api="sts")
    async def get_caller_identity(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"UserId": call.principal.id, "Account": call.principal.account, "Arn": call.principal.arn}

    @operation("AssumeRole", api="sts")
    async def assume_role(self, call: Call, params: "shapes.AssumeRoleRequestTypeDef") -> dict[str, Any]:
        """Whether the trust policy lets the caller do so was decided before."""
        if call.principal.kind == "root":
            raise AccessDenied("Roles may not be assumed by root accounts.")
        _refuse_unsupported(params)
        role = entities.by_arn(self.store.reader, params["RoleArn"])
        if role is None:
            raise AccessDenied(
                f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource: "
                f"{params['RoleArn']}"
            )
        documents = _session_policies(self.store.reader, role, params)
        name = params["RoleSessionName"]
        principal = Principal(
            kind="role",
            account=role.account,
            arn=f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}",
            id=f"{role.id}:{name}",
            policies_of=role.arn,
            session_policies=documents,
            tags=tuple((tag["Key"], tag["Value"]) for tag in params.get("Tags", ())),
        )
        session = self.sessions.issue(principal, call.time + _duration(call, role, params))
        output: dict[str, Any] = {
            "Credentials": _credentials(session),
            "AssumedRoleUser": {"AssumedRoleId": principal.id, "Arn": principal.arn},
        }
        if documents or principal.tags:
            packed = sum(map(len, documents)) + sum(len(key) + len(value) for key, value in principal.tags)
            output["PackedPolicySize"] = min(100, 100 * packed // (2 * _MAX_SESSION_POLICIES_SIZE) + 1)
        if "SourceIdentity" in params:
            output["SourceIdentity"] = params["SourceIdentity"]
        return output

    @operation("GetSessionToken", api="sts")
    async def get_session_token(self, call: Call, params: "shapes.GetSessionTokenRequestTypeDef") -> dict[str, Any]:
        _refuse_unsupported(params)
        in_session = call.http is not None and "x-amz-security-token" in call.http.headers
        if in_session or call.principal.kind not in ("root", "user"):
            raise AccessDenied("Cannot call GetSessionToken with session credentials")
        seconds = params.get("DurationSeconds", _DEFAULT_USER_SESSION)
        if call.principal.kind == "root":
            seconds = min(seconds, _SHORT_SESSION)
        return {"Credentials": _credentials(self.sessions.issue(call.principal, call.time + seconds))}

    @operation("GetAccessKeyInfo", api="sts")
    async def get_access_key_info(self, call: Call, params: "shapes.GetAccessKeyInfoRequestTypeDef") -> dict[str, Any]:
        id_ = params["AccessKeyId"]
        known = self.cloud.credentials.credential(id_)
        account = known.principal.account if known is not None else account_of(id_)
        if account is None or not re.fullmatch("[A-Z0-9]+", id_):
            raise faults.validation_error(f"Invalid Access Key ID: {id_}")
        return {"Account": account}


def _refuse_unsupported(params: Any) -> None:
    for name in _NOT_SUPPORTED:
        if params.get(name):
            raise NotImplementedByCloudlet(f"the parameter {name}")


def _session_policies(reader: Reader, role: Entity, params: "shapes.AssumeRoleRequestTypeDef") -> tuple[str, ...]:
    """The documents that the session is limited to, as they are now."""
    documents: list[str] = []
    if "Policy" in params:
        documents.append(policies.check(params["Policy"], "identity"))
    for given in params.get("PolicyArns", ()):
        policy = policies.require(reader, role.account, given.get("arn", ""))
        documents.append(policies.document_of(reader, policy.arn))
    return tuple(orjson.dumps(orjson.loads(document)).decode() for document in documents)


def _duration(call: Call, role: Entity, params: "shapes.AssumeRoleRequestTypeDef") -> int:
    seconds = params.get("DurationSeconds", _SHORT_SESSION)
    if seconds > role.max_session:
        raise faults.validation_error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if call.principal.kind == "role" and seconds > _SHORT_SESSION:
        raise faults.validation_error(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    return seconds


def _credentials(session: Session) -> dict[str, Any]:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.session_token,
        "Expiration": datetime.fromtimestamp(int(session.expires), UTC),
    }
