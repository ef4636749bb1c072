"""DynamoDB for tests: over HTTP through boto3, or in process on a clock that the test moves."""

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.clock import ManualClock
from cloudlet.core.context import FIRST_ACCOUNT, Principal
from cloudlet.core.service import Cloud
from cloudlet.core.settings import Settings
from cloudlet.services.dynamodb import DynamoDB

_numbers = itertools.count(1)


class DynamoDBClient:
    """Calls the service as the account's root, by the operations' names."""

    def __init__(self, cloud: Cloud, service: DynamoDB, clock: ManualClock) -> None:
        self.cloud = cloud
        self.service = service
        self.clock = clock

    async def __call__(self, operation: str, *, api: str = "dynamodb", **params: Any) -> Any:
        return await self.cloud.call(api, operation, params, as_=Principal.root(FIRST_ACCOUNT), region="us-east-1")

    async def streams(self, operation: str, **params: Any) -> Any:
        return await self(operation, api="dynamodbstreams", **params)

    async def table(self, *keys: str, **settings: Any) -> str:
        """Creates a table by keys as `pk:S`; returns its name."""
        name = f"table-{next(_numbers)}"
        await self("CreateTable", TableName=name, **table_settings(*keys), **settings)
        return name


def table_settings(*keys: str) -> dict[str, Any]:
    named = [key.split(":") for key in keys]
    return {
        "KeySchema": [
            {"AttributeName": name, "KeyType": role} for (name, _), role in zip(named, ("HASH", "RANGE"), strict=False)
        ],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in named],
        "BillingMode": "PAY_PER_REQUEST",
    }


@pytest.fixture
async def dynamodb(tmp_path: Path) -> AsyncIterator[DynamoDBClient]:
    clock = ManualClock()
    cloud = Cloud(Settings(data=tmp_path), clock)
    service = DynamoDB(cloud)
    cloud.add(service)
    await service.start()
    yield DynamoDBClient(cloud, service, clock)
    await service.stop()


@pytest.fixture
def client(server: Any) -> Any:
    return server.client("dynamodb")


@pytest.fixture
def make_table(client: Any) -> Callable[..., str]:
    """Creates a table by keys as `pk:S` over HTTP; returns its name."""

    def make(*keys: str, **settings: Any) -> str:
        name = f"made-{next(_numbers)}"
        definitions = settings.pop("more_definitions", [])
        given = table_settings(*keys)
        given["AttributeDefinitions"] += definitions
        client.create_table(TableName=name, **{**given, **settings})
        client.get_waiter("table_exists").wait(TableName=name)
        return name

    return make
