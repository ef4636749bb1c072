"""The two questions that the gateway and `Cloud.call` ask about a caller. The iam service answers them."""

from dataclasses import dataclass
from typing import Any, Protocol

from cloudlet.core.context import Call, Principal


@dataclass(frozen=True, slots=True)
class Credential:
    """What an access key id stands for. `session_token` is set for temporary credentials, which end at `expires`."""

    access_key_id: str
    secret_access_key: str
    principal: Principal
    session_token: str | None = None
    expires: float | None = None
    active: bool = True


class CredentialStore(Protocol):
    def credential(self, access_key_id: str, session_token: str | None = None) -> Credential | None:
        """Who is behind an access key id; None if nobody is. Asked at each request: cached by the answerer.

        The session token that came with it may be what tells; whether it is the right one, the asker compares.
        """
        ...

    def used(self, credential: Credential, service: str, region: str, now: float) -> None:
        """Hears that a request was signed with it: GetAccessKeyLastUsed tells."""
        ...


class Authoriser(Protocol):
    def authorise(self, call: Call, resource: str | None, resource_policy: dict[str, Any] | None) -> None:
        """Returns if the call is allowed, else raises AccessDenied in AWS's words.

        `resource` is the ARN where the service knows it, `resource_policy` the policy document attached to it.
        `call.account` owns the resource. Not asked for that account's root, who may do everything.
        """
        ...
