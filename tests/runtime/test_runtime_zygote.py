"""The zygote: which functions it forks, and what becomes of its end."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from test_runtime_pool import Host, invocation, make, warm_up

from cloudlet.core.clock import SystemClock
from cloudlet.runtime import Runtime
from cloudlet.runtime.processes import children, tree

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="the zygote needs bubblewrap")

MAIN = "import __main__\ndef handler(event, context): return __main__.__file__"
FORKED, EXECUTED = b'"/var/nursery.py"', b'"/var/bootstrap.py"'


@pytest_asyncio.fixture
async def runtime() -> AsyncIterator[Runtime]:
    started = Runtime(Host(), SystemClock())
    started.start()
    await warm_up(started)
    yield started
    await started.stop()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_an_environment_is_forked(runtime: Runtime, tmp_path: Path) -> None:
    assert (await runtime.invoke(make(tmp_path, MAIN), invocation())).payload == FORKED


async def test_who_brings_what_is_loaded_gets_their_own(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "jmespath").mkdir()
    (tmp_path / "jmespath" / "__init__.py").write_text("own = True")
    code = f"import jmespath\nassert jmespath.own\n{MAIN}"
    assert (await runtime.invoke(make(tmp_path, code), invocation())).payload == EXECUTED


async def test_a_layer_may_bring_it_too(runtime: Runtime, tmp_path: Path) -> None:
    layers, task = tmp_path / "layers", tmp_path / "task"
    for folder in (layers / "python", task):
        folder.mkdir(parents=True)
    (layers / "python" / "six.py").write_text("own = True")
    code = f"import six\nassert six.own\n{MAIN}"
    assert (await runtime.invoke(make(task, code, layers=layers), invocation())).payload == EXECUTED


async def test_a_layer_is_found(runtime: Runtime, tmp_path: Path) -> None:
    layers, task = tmp_path / "layers", tmp_path / "task"
    for folder in (layers / "python", task):
        folder.mkdir(parents=True)
    (layers / "python" / "mine.py").write_text("own = True")
    code = f"import mine\nassert mine.own\n{MAIN}"
    assert (await runtime.invoke(make(task, code, layers=layers), invocation())).payload == FORKED


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_PRELOAD", "LANG"])
async def test_settings_of_the_interpreter_are_heeded(runtime: Runtime, tmp_path: Path, name: str) -> None:
    function = make(tmp_path, MAIN, variables={name: ""})
    assert (await runtime.invoke(function, invocation())).payload == EXECUTED


async def test_clients_are_of_the_functions_own_settings(runtime: Runtime, tmp_path: Path) -> None:
    code = """
import boto3
client = boto3.client("s3")
def handler(event, context):
    frozen = client._request_signer._credentials.get_frozen_credentials()
    return [frozen.access_key, client.meta.endpoint_url, client.meta.region_name]
"""
    function = make(tmp_path, code, region="eu-north-1")
    expected = b'["ASIA", "http://127.0.0.1:1", "eu-north-1"]'
    assert (await runtime.invoke(function, invocation())).payload == expected


async def test_memory_of_the_zygote_does_not_count(runtime: Runtime, tmp_path: Path) -> None:
    code = "import boto3\nheld = b'x' * (40 << 20)\ndef handler(event, context): return len(held)"
    outcome = await runtime.invoke(make(tmp_path, code), invocation())
    used = int(outcome.log.partition("Max Memory Used: ")[2].split()[0])
    assert 40 <= used <= 70


async def test_its_end_ends_its_environments_and_it_is_started_again(runtime: Runtime, tmp_path: Path) -> None:
    function: Any = make(tmp_path, "import time\ndef handler(event, context): time.sleep(60)")
    running = asyncio.create_task(runtime.invoke(function, invocation()))
    while not runtime.statistics()["busy"]:
        await asyncio.sleep(0.01)
    processes = list(tree(os.getpid()))[1:]
    os.kill(children(children(os.getpid())[0])[0], signal.SIGKILL)
    outcome = await running
    assert outcome.failed
    assert b"signal: killed" in outcome.payload
    while any(is_running(pid) for pid in processes):
        await asyncio.sleep(0.02)
    await warm_up(runtime)
    other = make(tmp_path, MAIN, arn=function.arn.replace(":f:", ":g:"))
    assert (await runtime.invoke(other, invocation())).payload == FORKED


async def test_stopping_ends_it(tmp_path: Path) -> None:
    runtime = Runtime(Host(), SystemClock())
    runtime.start()
    await warm_up(runtime)
    await runtime.invoke(make(tmp_path, MAIN), invocation())
    await runtime.stop()
    assert not children(os.getpid())
