"""What the tests of Lambda share: a role, a client, functions."""

from typing import Any

import pytest
from function_making import Functions, make_role


@pytest.fixture(scope="module")
def role(server: Any) -> str:
    return make_role(server, "function-role")


@pytest.fixture(scope="module")
def lambda_(server: Any) -> Any:
    return server.client("lambda")


@pytest.fixture(scope="module")
def functions(lambda_: Any, role: str) -> Functions:
    return Functions(lambda_, role)
