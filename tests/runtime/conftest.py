"""What the tests of execution environments share: a runtime without any service around it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from test_runtime_pool import Host, warm_up

from cloudlet.core.clock import SystemClock
from cloudlet.runtime import Runtime


@pytest.fixture
def host() -> Host:
    return Host()


@pytest_asyncio.fixture(params=["forked", "executed"])
async def runtime(host: Host, request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    started = Runtime(host, SystemClock(), idle=0.2, forks=request.param == "forked")
    started.start()
    await warm_up(started)
    yield started
    await started.stop()
    assert started.statistics() == {"idle": 0, "busy": 0, "memory": 0}
