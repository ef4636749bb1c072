"""The sessions of functions' roles: credentials for their environments, principals for what Lambda does for them."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.ids import request_id
from cloudlet.core.service import Cloud
from cloudlet.runtime import Credentials
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.names import FunctionKey

SERVICE = "lambda.amazonaws.com"
_SESSION_SECONDS = 3600
# A session this old is not given to anybody new: whoever gets one can work with it for a while.
_RENEW_BEFORE = 1800.0


@dataclass(frozen=True, slots=True)
class Session:
    credentials: Credentials
    principal: Principal


class Roles:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._sessions: dict[tuple[str, FunctionKey], Session] = {}
        self._lock = asyncio.Lock()

    async def check(self, key: FunctionKey, role: str) -> None:
        """Raises InvalidParameterValueException unless the role's trust policy lets Lambda assume it."""
        try:
            await self._assume(role, key)
        except AwsError:
            raise invalid("The role defined for the function cannot be assumed by Lambda.") from None

    async def session(self, key: FunctionKey, role: str) -> Session:
        """Raises AwsError where Lambda may not assume the role any more."""
        known = self._current(key, role)
        if known is None:
            async with self._lock:
                known = self._current(key, role) or await self._assume(role, key)
        return known

    async def allows(self, key: FunctionKey, role: str, api: str, operation: str, resource: str) -> bool:
        """Whether a function's role lets it call the operation on the resource (an ARN)."""
        principal = (await self.session(key, role)).principal
        now = self._cloud.clock.now()
        call = Call(api, operation, key.account, key.region, principal, request_id(), now)
        try:
            self._cloud.authoriser.authorise(call, resource, None)
        except AwsError:
            return False
        return True

    def _current(self, key: FunctionKey, role: str) -> Session | None:
        session = self._sessions.get((role, key))
        if session is None or session.credentials.expires < self._cloud.clock.now() + _RENEW_BEFORE:
            return None
        return session

    async def _assume(self, role: str, key: FunctionKey) -> Session:
        answer = await self._cloud.call(
            "sts",
            "AssumeRole",
            {"RoleArn": role, "RoleSessionName": key.name.ljust(2, "-"), "DurationSeconds": _SESSION_SECONDS},
            as_=Principal.service(SERVICE, key.account),
            region=key.region,
            source_arn=key.arn,
        )
        given = answer["Credentials"]
        expires = given["Expiration"]
        credentials = Credentials(
            given["AccessKeyId"],
            given["SecretAccessKey"],
            given["SessionToken"],
            expires.timestamp() if isinstance(expires, datetime) else float(expires),
        )
        known = self._cloud.credentials.credential(credentials.access_key_id, credentials.session_token)
        if known is None:
            raise RuntimeError("the credentials that AssumeRole gave are not known")
        session = self._sessions[role, key] = Session(credentials, known.principal)
        return session
