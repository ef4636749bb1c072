"""The sessions of functions' roles: credentials for their environments, principals for what Lambda does for them."""

from cloudlet.core.access import Credential
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.ids import request_id
from cloudlet.core.role_sessions import RoleSessions
from cloudlet.core.service import Cloud
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.names import FunctionKey

SERVICE = "lambda.amazonaws.com"
# A session this old is not given to anybody new: whoever gets one can work with it for a while.
_RENEW_BEFORE = 1800.0


class Roles:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._sessions = RoleSessions(cloud, SERVICE, "lambda", _RENEW_BEFORE)

    async def check(self, key: FunctionKey, role: str) -> None:
        """Raises InvalidParameterValueException unless the role's trust policy lets Lambda assume it."""
        try:
            await self._sessions.check(role, key.arn, _session_name(key))
        except AwsError:
            raise invalid("The role defined for the function cannot be assumed by Lambda.") from None

    async def session(self, key: FunctionKey, role: str) -> Credential:
        """Raises AwsError where Lambda may not assume the role any more."""
        return await self._sessions.credential(role, key.arn, _session_name(key))

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


def _session_name(key: FunctionKey) -> str:
    """The function's name, where it is long enough for one."""
    return key.name.ljust(2, "-")
