"""IAM and STS in this process, on a clock that the tests move."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.clock import ManualClock
from cloudlet.core.context import FIRST_ACCOUNT, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.core.settings import Settings
from cloudlet.services.iam import IAM

ROOT = Principal.root(FIRST_ACCOUNT)


class Access:
    """A cloud that has only IAM and STS."""

    def __init__(self, data: Path) -> None:
        self.clock = ManualClock()
        self.cloud = Cloud(Settings(data), self.clock)
        self.iam = IAM(self.cloud)
        self.cloud.add(self.iam)
        self.cloud.authoriser = self.iam
        self.cloud.credentials = self.iam

    async def call(self, operation: str, *, as_: Principal = ROOT, api: str = "iam", **params: Any) -> Any:
        return await self.cloud.call(api, operation, params, as_=as_, region="us-east-1")

    async def user(self, name: str) -> Principal:
        """A new user, with nothing allowed yet."""
        user = (await self.call("CreateUser", UserName=name))["User"]
        return Principal("user", FIRST_ACCOUNT, user["Arn"], user["UserId"], policies_of=user["Arn"])

    async def refusal(self, operation: str, **params: Any) -> AwsError:
        """The error that the call ends with."""
        with pytest.raises(AwsError) as raised:
            await self.call(operation, **params)
        return raised.value

    async def restart(self) -> None:
        await self.iam.stop()
        await self.iam.start()


class Documents:
    """Builds policies."""

    @staticmethod
    def allow(*actions: str, resource: str = "*") -> str:
        """An identity policy."""
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    @staticmethod
    def trust(principal: Any, **more: Any) -> str:
        """A trust policy: the principal may assume the role."""
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def policy() -> Documents:
    return Documents()


@pytest.fixture
async def access(tmp_path: Path) -> AsyncIterator[Access]:
    started = Access(tmp_path)
    await started.iam.start()
    yield started
    await started.iam.stop()
