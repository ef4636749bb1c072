"""The init phase: how long it may take, and what becomes of one that fails."""

import asyncio
from pathlib import Path

import pytest
from test_runtime_pool import Host, invocation, make

from cloudlet.runtime import Runtime, environment

SLOW_AT_FIRST = """
import os, time
while not os.path.exists("/var/task/second"):
    time.sleep(0.01)
def handler(event, context): return "loaded"
"""


@pytest.fixture
def short_init(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_INIT_SECONDS", 0.5)


@pytest.mark.usefixtures("short_init")
async def test_one_that_takes_too_long_begins_again_within_the_invocation(
    host: Host, runtime: Runtime, tmp_path: Path
) -> None:
    running = asyncio.create_task(runtime.invoke(make(tmp_path, SLOW_AT_FIRST), invocation()))
    while not any(line.startswith("INIT_REPORT Init Duration: ") for line in host.log):
        await asyncio.sleep(0.01)
    assert any(line.endswith("Phase: init\tStatus: timeout\n") for line in host.log)
    (tmp_path / "second").touch()
    outcome = await running
    assert outcome.payload == b'"loaded"'
    assert "Init Duration" not in outcome.log


@pytest.mark.usefixtures("short_init")
async def test_it_may_take_as_long_as_the_function_then(host: Host, runtime: Runtime, tmp_path: Path) -> None:
    outcome = await runtime.invoke(make(tmp_path, SLOW_AT_FIRST, timeout=1), invocation())
    assert b'"errorType":"Sandbox.Timedout"' in outcome.payload
    assert b"Error: Task timed out after 1.00 seconds" in outcome.payload
    assert "Phase: invoke\tStatus: timeout\n" in outcome.log
    assert "Status: timeout" in outcome.log.splitlines()[-1]


async def test_one_that_fails_is_tried_again_by_the_invocation(runtime: Runtime, tmp_path: Path) -> None:
    outcome = await runtime.invoke(make(tmp_path, "print('loading')\nraise KeyError('k')"), invocation())
    assert outcome.failed
    assert b'"errorType": "KeyError"' in outcome.payload
    assert outcome.log.count("loading\n") == 1
    assert "Phase: invoke\tStatus: error\tError Type: KeyError\n" in outcome.log


async def test_once_it_works_it_is_not_done_again(runtime: Runtime, tmp_path: Path) -> None:
    code = (
        "import os\nif not os.path.exists('/var/task/second'): raise KeyError('k')\ndef handler(event, context): pass"
    )
    function = make(tmp_path, code)
    assert (await runtime.invoke(function, invocation())).failed
    (tmp_path / "second").touch()
    outcome = await runtime.invoke(function, invocation())
    assert not outcome.failed


async def test_a_process_that_ends_while_it_loads(runtime: Runtime, tmp_path: Path) -> None:
    outcome = await runtime.invoke(make(tmp_path, "import os\nos._exit(3)"), invocation())
    assert b'"errorType":"Runtime.ExitError"' in outcome.payload
    assert b"Error: Runtime exited with error: exit status 3" in outcome.payload


async def test_one_that_takes_too_much_memory(runtime: Runtime, tmp_path: Path) -> None:
    code = "import time\nheld = b'x' * (300 << 20)\ntime.sleep(5)\ndef handler(event, context): pass"
    outcome = await runtime.invoke(make(tmp_path, code, timeout=20), invocation())
    assert b'"errorType":"Runtime.OutOfMemory"' in outcome.payload
    assert b"Error: Runtime exited with error: signal: killed" in outcome.payload
    assert "Max Memory Used: 128 MB" in outcome.log
    assert "Status: error\tError Type: Runtime.OutOfMemory" in outcome.log
