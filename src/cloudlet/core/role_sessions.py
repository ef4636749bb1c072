"""The sessions of roles that a service assumes: as whom it calls others for a resource that names a role."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from cloudlet.core.arn import Arn
from cloudlet.core.context import Principal
from cloudlet.core.service import Cloud

_SESSION_SECONDS = 3600
_RENEW_BEFORE = 600.0
_MOST_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class RoleSession:
    """`expires` in epoch seconds."""

    principal: Principal
    expires: float


class RoleSessions:
    """`service` is the service's principal (`events.amazonaws.com`), `name` that of its sessions."""

    def __init__(self, cloud: Cloud, service: str, name: str) -> None:
        self._cloud = cloud
        self._service = service
        self._name = name
        self._sessions: OrderedDict[tuple[str, str], RoleSession] = OrderedDict()
        self._lock = asyncio.Lock()

    async def principal(self, role: str, source_arn: str) -> Principal:
        """Of a session for the resource `source_arn`, which trust policies know as `aws:SourceArn`.

        Raises AwsError where the service may not assume the role.
        """
        session = self._current(role, source_arn)
        if session is None:
            async with self._lock:
                session = self._current(role, source_arn) or await self._assume(role, source_arn)
        return session.principal

    async def check(self, role: str, source_arn: str) -> None:
        """Raises AwsError unless the service may assume the role now, whatever sessions it has from earlier."""
        await self._assume(role, source_arn)

    def _current(self, role: str, source_arn: str) -> RoleSession | None:
        session = self._sessions.get((role, source_arn))
        if session is None or session.expires < self._cloud.clock.now() + _RENEW_BEFORE:
            return None
        self._sessions.move_to_end((role, source_arn))
        return session

    async def _assume(self, role: str, source_arn: str) -> RoleSession:
        source = Arn.parse(source_arn)
        now = self._cloud.clock.now()
        answer = await self._cloud.call(
            "sts",
            "AssumeRole",
            {"RoleArn": role, "RoleSessionName": self._name, "DurationSeconds": _SESSION_SECONDS},
            as_=Principal.service(self._service, source.account),
            region=source.region,
            source_arn=source_arn,
        )
        given = answer["Credentials"]
        known = self._cloud.credentials.credential(given["AccessKeyId"], given["SessionToken"])
        if known is None:
            raise RuntimeError("the credentials that AssumeRole gave are not known")
        session = self._sessions[role, source_arn] = RoleSession(known.principal, now + _SESSION_SECONDS)
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session
