"""The sessions of the roles that schedules name: as whom their targets are called."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.services.scheduler.errors import role_not_assumable

SERVICE = "scheduler.amazonaws.com"
_SESSION_SECONDS = 3600
_RENEW_BEFORE = 600.0
_MOST_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """`expires` in epoch seconds."""

    principal: Principal
    expires: float


class Roles:
    """As on AWS, `aws:SourceArn` in a trust policy is the ARN of the schedule's group."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._lock = asyncio.Lock()

    async def check(self, role: str, group_arn: str) -> None:
        """Raises ValidationException unless the role's trust policy lets the Scheduler assume it."""
        try:
            await self._assume(role, group_arn)
        except AwsError:
            raise role_not_assumable() from None

    async def principal(self, role: str, group_arn: str) -> Principal:
        """Raises AwsError where the Scheduler may not assume the role any more."""
        session = self._current(role, group_arn)
        if session is None:
            async with self._lock:
                session = self._current(role, group_arn) or await self._assume(role, group_arn)
        return session.principal

    def _current(self, role: str, group_arn: str) -> Session | None:
        session = self._sessions.get((role, group_arn))
        if session is None or session.expires < self._cloud.clock.now() + _RENEW_BEFORE:
            return None
        self._sessions.move_to_end((role, group_arn))
        return session

    async def _assume(self, role: str, group_arn: str) -> Session:
        region, account = group_arn.split(":")[3:5]
        now = self._cloud.clock.now()
        answer = await self._cloud.call(
            "sts",
            "AssumeRole",
            {"RoleArn": role, "RoleSessionName": "scheduler", "DurationSeconds": _SESSION_SECONDS},
            as_=Principal.service(SERVICE, account),
            region=region,
            source_arn=group_arn,
        )
        given = answer["Credentials"]
        known = self._cloud.credentials.credential(given["AccessKeyId"], given["SessionToken"])
        if known is None:
            raise RuntimeError("the credentials that AssumeRole gave are not known")
        session = self._sessions[role, group_arn] = Session(known.principal, now + _SESSION_SECONDS)
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session
