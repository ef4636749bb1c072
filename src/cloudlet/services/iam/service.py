"""IAM and STS."""

from typing import Any

from cloudlet.core.access import Credential
from cloudlet.core.context import FIRST_ACCOUNT, Call, Principal
from cloudlet.core.errors import AccessDenied
from cloudlet.core.rootkeys import root_key
from cloudlet.core.service import Service, operation


class IAM(Service):
    apis = ("iam", "sts")

    async def start(self) -> None:
        key = root_key(self.cloud.settings.data)
        self._root = Credential(key.access_key_id, key.secret_access_key, Principal.root(FIRST_ACCOUNT))

    def credential(self, access_key_id: str, session_token: str | None = None) -> Credential | None:
        return self._root if access_key_id == self._root.access_key_id else None

    def authorise(self, call: Call, resource: str | None, resource_policy: dict[str, Any] | None) -> None:
        raise AccessDenied

    @operation("GetCallerIdentity", api="sts")
    async def get_caller_identity(self, call: Call, params: Any) -> dict[str, Any]:
        return {"UserId": call.principal.id, "Account": call.principal.account, "Arn": call.principal.arn}
