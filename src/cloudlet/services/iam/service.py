"""IAM and STS: their data, their operations, and what the gateway and `Cloud.call` ask of them."""

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from cloudlet.core.access import Credential
from cloudlet.core.context import Call
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.rootkeys import root_key
from cloudlet.services.iam import accounts, entities
from cloudlet.services.iam.access_keys import AccessKeys
from cloudlet.services.iam.attachments import Attachments
from cloudlet.services.iam.authority import DECIDED_BY_TRUST, Authority
from cloudlet.services.iam.credentials import Credentials
from cloudlet.services.iam.groups import Groups
from cloudlet.services.iam.inline_policies import InlinePolicies
from cloudlet.services.iam.instance_profiles import InstanceProfiles
from cloudlet.services.iam.managed_policies import ManagedPolicies
from cloudlet.services.iam.resources import condition_keys_of, resource_of
from cloudlet.services.iam.roles import Roles
from cloudlet.services.iam.sessions import Sessions
from cloudlet.services.iam.sts import SecurityTokens
from cloudlet.services.iam.summary import Summaries
from cloudlet.services.iam.users import Users
from cloudlet.store import Store, Transaction


class IAM(
    Users,
    Groups,
    Roles,
    AccessKeys,
    ManagedPolicies,
    Attachments,
    InlinePolicies,
    InstanceProfiles,
    Summaries,
    SecurityTokens,
):
    apis = ("iam", "sts")

    async def start(self) -> None:
        path = self.cloud.settings.data / "iam.db"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # it holds secrets: for the owner alone, and SQLite's files beside it likewise
        self.store = Store(path, Path(__file__).with_name("schema.sql"))
        now = self.cloud.clock.now()
        self.sessions = Sessions(await self.store.write(lambda tx: _session_key(tx, now)))
        self.authority = Authority(self.store.reader)
        self.credentials = Credentials(self.store, self.sessions, root_key(self.cloud.settings.data))

    async def stop(self) -> None:
        await self.credentials.write_uses()
        self.store.close()

    def forget(self) -> None:
        self.authority.forget()
        self.credentials.forget()

    def credential(self, access_key_id: str, session_token: str | None = None) -> Credential | None:
        return self.credentials.credential(access_key_id, session_token)

    def used(self, credential: Credential, service: str, region: str, now: float) -> None:
        self.credentials.used(credential, service, region, now)

    def authorise(self, call: Call, resource: str | None, resource_policy: dict[str, Any] | None) -> None:
        self.authority.authorise(call, resource, resource_policy)

    def resource(self, call: Call, params: dict[str, Any]) -> str | None:
        return resource_of(self.store.reader, call, params)

    def resource_policy(self, call: Call, params: dict[str, Any]) -> dict[str, Any] | None:
        """A role's trust policy, which decides who assumes it, and with what."""
        if call.operation not in DECIDED_BY_TRUST:
            return None
        role = entities.by_arn(self.store.reader, params["RoleArn"])
        return orjson.loads(role.trust) if role is not None else None

    def counts_as(self, call: Call, params: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
        """Tags of a session open what is reserved for them: whoever may assume a role may not choose them by that."""
        yield call.operation, params
        if call.operation == "AssumeRole":
            if params.get("Tags"):
                yield "TagSession", params
            if "SourceIdentity" in params:
                yield "SetSourceIdentity", params

    def condition_keys(self, call: Call, params: dict[str, Any]) -> dict[str, str]:
        return condition_keys_of(self.store.reader, call, params)

    def serves_http(self, request: HttpRequest) -> bool:
        return request.path == accounts.PATH

    async def handle_http(self, request: HttpRequest, request_id: str) -> HttpResponse:
        return await accounts.answer(request, self.store, self, self.cloud.clock.now())


def _session_key(tx: Transaction, now: float) -> bytes:
    """The key under which sessions are signed; made at the first start, with the first account."""
    row = tx.one("SELECT key FROM session_key")
    if row is not None:
        return row[0]
    key = secrets.token_bytes(32)
    tx.execute("INSERT INTO session_key (key) VALUES (?)", (key,))
    accounts.insert_first(tx, now)
    return key
