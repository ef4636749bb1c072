"""The sessions of roles that a service assumes: as whom it calls others for a resource that names a role."""

import asyncio
from collections import OrderedDict

from cloudlet.core.access import Credential
from cloudlet.core.arn import Arn
from cloudlet.core.context import Principal
from cloudlet.core.service import Cloud

_SESSION_SECONDS = 3600
_RENEW_BEFORE = 600.0
_MOST_SESSIONS = 4096


class RoleSessions:
    """`service` is the service's principal (`events.amazonaws.com`), `name` that of its sessions.

    A session that ends within `renew_before` seconds is not given to anybody new.
    """

    def __init__(self, cloud: Cloud, service: str, name: str, renew_before: float = _RENEW_BEFORE) -> None:
        self._cloud = cloud
        self._service = service
        self._name = name
        self._renew_before = renew_before
        self._sessions: OrderedDict[tuple[str, str], Credential] = OrderedDict()
        self._lock = asyncio.Lock()

    async def principal(self, role: str, source_arn: str) -> Principal:
        """Of a session for the resource `source_arn`, which trust policies know as `aws:SourceArn`.

        Raises AwsError where the service may not assume the role.
        """
        return (await self.credential(role, source_arn)).principal

    async def credential(self, role: str, source_arn: str, name: str | None = None) -> Credential:
        """The same, for whoever signs with it; `name` is that of the session if it has one of its own."""
        session = self._current(role, source_arn)
        if session is None:
            async with self._lock:
                session = self._current(role, source_arn) or await self._assume(role, source_arn, name)
        return session

    async def check(self, role: str, source_arn: str, name: str | None = None) -> None:
        """Raises AwsError unless the service may assume the role now, whatever sessions it has from earlier."""
        await self._assume(role, source_arn, name)

    def _current(self, role: str, source_arn: str) -> Credential | None:
        session = self._sessions.get((role, source_arn))
        if session is None or (session.expires or 0.0) < self._cloud.clock.now() + self._renew_before:
            return None
        self._sessions.move_to_end((role, source_arn))
        return session

    async def _assume(self, role: str, source_arn: str, name: str | None) -> Credential:
        source = Arn.parse(source_arn)
        answer = await self._cloud.call(
            "sts",
            "AssumeRole",
            {"RoleArn": role, "RoleSessionName": name or self._name, "DurationSeconds": _SESSION_SECONDS},
            as_=Principal.service(self._service, source.account),
            region=source.region,
            source_arn=source_arn,
        )
        given = answer["Credentials"]
        session = self._cloud.credentials.credential(given["AccessKeyId"], given["SessionToken"])
        if session is None:
            raise RuntimeError("the credentials that AssumeRole gave are not known")
        self._sessions[role, source_arn] = session
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session
