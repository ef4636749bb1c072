"""What is known about one call of an operation: who asks, where, when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cloudlet.core.http import HttpRequest

FIRST_ACCOUNT = "000000000000"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a call.

    `arn` is the one that GetCallerIdentity returns; for a service it is its name (`s3.amazonaws.com`).
    `id` is AWS's unique id (`AIDA…`, `AROA…:session`, the account for root).
    `policies_of` is the ARN of the IAM entity whose policies count: the user, or the role behind a session.
    `session_policies` are the documents handed to AssumeRole, as JSON texts, `tags` its session tags.
    """

    kind: Literal["root", "user", "role", "service", "anonymous"]
    account: str
    arn: str
    id: str
    policies_of: str = ""
    session_policies: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    @classmethod
    def root(cls, account: str) -> "Principal":
        return cls("root", account, f"arn:aws:iam::{account}:root", account)

    @classmethod
    def service(cls, name: str, account: str) -> "Principal":
        """A service (`s3.amazonaws.com`) that acts for a resource of the account."""
        return cls("service", account, name, name)

    @classmethod
    def anonymous(cls) -> "Principal":
        return cls("anonymous", "", "*", "ANONYMOUS")


@dataclass(slots=True)
class Call:
    """One call. `time` is when it came in (epoch seconds); `source_arn` the resource for which a service calls.

    `condition_keys` are what the service adds to AWS's global condition keys (`{"s3:prefix": "logs/"}`). `trace_id` is
    the X-Amzn-Trace-Id that came with it: what follows from the call carries it on, so that Lambda sees loops.
    """

    api: str
    operation: str
    account: str
    region: str
    principal: Principal
    request_id: str
    time: float
    source_arn: str | None = None
    http: HttpRequest | None = None
    trace_id: str | None = None
    condition_keys: Mapping[str, str] = field(default_factory=dict[str, str])
