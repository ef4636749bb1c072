"""The sessions of roles that API Gateway takes to call integrations and authorizers."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from cloudlet.core.context import Principal
from cloudlet.core.service import Cloud

SERVICE = "apigateway.amazonaws.com"
# Stands for whoever called the API.
CALLER = "arn:aws:iam::*:user/*"
_SECONDS = 3600
_RENEW_BEFORE = 300.0
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class _Session:
    principal: Principal
    expires: float


class RoleSessions:
    """Sessions that are kept as long as they are good, of the roles that were used last."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._sessions: OrderedDict[tuple[str, str], _Session] = OrderedDict()

    async def principal(self, role: str, account: str, region: str) -> Principal:
        """The role as API Gateway has it for an API of the account. Raises AwsError where it may not."""
        session = self._sessions.get((role, account))
        if session is None or session.expires < self._cloud.clock.now() + _RENEW_BEFORE:
            session = self._sessions[role, account] = await self._assume(role, account, region)
            if len(self._sessions) > _MOST:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end((role, account))
        return session.principal

    async def _assume(self, role: str, account: str, region: str) -> _Session:
        answer = await self._cloud.call(
            "sts",
            "AssumeRole",
            {"RoleArn": role, "RoleSessionName": "BackplaneAssumeRoleSession", "DurationSeconds": _SECONDS},
            as_=Principal.service(SERVICE, account),
            region=region,
        )
        given = answer["Credentials"]
        expires = given["Expiration"]
        known = self._cloud.credentials.credential(given["AccessKeyId"], given["SessionToken"])
        if known is None:
            raise RuntimeError("the credentials that AssumeRole gave are not known")
        return _Session(known.principal, expires.timestamp() if isinstance(expires, datetime) else float(expires))
