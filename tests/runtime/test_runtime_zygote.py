"""The zygote: which functions it forks, and what becomes of its end."""

import asyncio
import json
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
from cloudlet.runtime import Runtime, RuntimeStopped, zygote
from cloudlet.runtime.processes import children, tree
from cloudlet.runtime.sandbox import Bubblewrap

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="the zygote needs bubblewrap")

MAIN = "import __main__\ndef handler(event, context): return __main__.__file__"
FORKED, EXECUTED = b'"/var/nursery.py"', b'"/var/bootstrap.py"'


@pytest_asyncio.fixture
async def cold_runtime() -> AsyncIterator[Runtime]:
    started = Runtime(Host(), SystemClock())
    started.start()
    yield started
    await started.stop()


@pytest_asyncio.fixture
async def runtime(cold_runtime: Runtime) -> Runtime:
    await warm_up(cold_runtime)
    return cold_runtime


async def run_at_once(runtime: Runtime, folder: Path, count: int) -> list[bytes]:
    """Each has an environment of its own. What they answer, sorted."""
    functions = [make(folder, MAIN, arn=f"arn:aws:lambda:us-east-1:000000000000:function:f:{i}") for i in range(count)]
    outcomes = await asyncio.gather(*(runtime.invoke(function, invocation()) for function in functions))
    return sorted(outcome.payload for outcome in outcomes)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_an_environment_is_forked(runtime: Runtime, tmp_path: Path) -> None:
    assert (await runtime.invoke(make(tmp_path, MAIN), invocation())).payload == FORKED


async def test_several_at_once_wait_until_it_is_warm(cold_runtime: Runtime, tmp_path: Path) -> None:
    payloads = await run_at_once(cold_runtime, tmp_path, 4)
    assert payloads.count(EXECUTED) <= 1
    assert payloads.count(FORKED) >= 3


async def test_the_first_one_does_not_wait_if_it_has_just_begun(
    cold_runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote, "_JUST_BEGUN_SECONDS", 60.0)
    assert await run_at_once(cold_runtime, tmp_path, 2) == [EXECUTED, FORKED]


async def test_who_asks_later_waits_even_alone(
    cold_runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote, "_JUST_BEGUN_SECONDS", 0.0)
    assert await run_at_once(cold_runtime, tmp_path, 1) == [FORKED]


@pytest.fixture
def never_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zygote that hears everything and says nothing."""
    monkeypatch.setattr(zygote, "_JUST_BEGUN_SECONDS", 0.0)
    monkeypatch.setattr(Bubblewrap, "zygote_command", lambda *_: ["/bin/cat"])


@pytest.mark.usefixtures("never_warm")
async def test_nobody_waits_for_what_it_cannot_do(
    cold_runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote, "_PATIENCE_SECONDS", 3600.0)
    function = make(tmp_path, MAIN, variables={"LANG": "C"})
    assert (await cold_runtime.invoke(function, invocation())).payload == EXECUTED


@pytest.mark.usefixtures("never_warm")
async def test_nobody_waits_for_ever(cold_runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote, "_PATIENCE_SECONDS", 0.01)
    assert await run_at_once(cold_runtime, tmp_path, 2) == [EXECUTED] * 2


@pytest.mark.parametrize("command", [["/bin/false"], ["/bin/sh", "-c", "exit 0"], ["/nonexistent"]])
async def test_without_it_all_start_in_the_ordinary_way(
    cold_runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setattr(zygote, "_JUST_BEGUN_SECONDS", 0.0)
    monkeypatch.setattr(Bubblewrap, "zygote_command", lambda *_: command)
    assert await run_at_once(cold_runtime, tmp_path, 3) == [EXECUTED] * 3


async def test_stopping_while_somebody_waits_for_it(cold_runtime: Runtime, tmp_path: Path) -> None:
    running = asyncio.create_task(run_at_once(cold_runtime, tmp_path, 3))
    await asyncio.sleep(0)
    await cold_runtime.stop()
    with pytest.raises(RuntimeStopped):
        await running
    assert not children(os.getpid())


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


async def test_the_services_that_there_are_are_known(runtime: Runtime, tmp_path: Path) -> None:
    code = """
import boto3
from botocore.loaders import Loader
boto3.client("s3")
warm = boto3.DEFAULT_SESSION._loader
known = {key[1]: found for key, found in warm._cache.items() if key[0] == "list_available_services"}
def handler(event, context):
    cold = Loader(extra_search_paths=warm.search_paths)
    return {kind: found == cold.list_available_services(kind) for kind, found in known.items()}
"""
    answer = json.loads((await runtime.invoke(make(tmp_path, code), invocation())).payload)
    assert set(answer) >= {"service-2", "endpoint-rule-set-1", "resources-1", "paginators-1", "waiters-2"}
    assert all(answer.values())


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


@pytest_asyncio.fixture
async def impatient_runtime() -> AsyncIterator[Runtime]:
    """What is idle for a moment is ended."""
    started = Runtime(Host(), SystemClock(), idle=0.1)
    started.start()
    yield started
    await started.stop()


async def test_nothing_is_left_when_nobody_invokes(impatient_runtime: Runtime, tmp_path: Path) -> None:
    await run_at_once(impatient_runtime, tmp_path, 2)
    assert children(os.getpid())
    while children(os.getpid()):
        await asyncio.sleep(0.02)


async def test_a_zygote_that_nobody_wanted_is_ended(impatient_runtime: Runtime) -> None:
    impatient_runtime.warm_up("python3.11")
    while not children(os.getpid()):
        await asyncio.sleep(0.001)
    while children(os.getpid()):
        await asyncio.sleep(0.02)


async def test_it_stays_while_it_has_processes(impatient_runtime: Runtime, tmp_path: Path) -> None:
    await warm_up(impatient_runtime)
    function = make(tmp_path, "import time\ndef handler(event, context): time.sleep(0.5)")
    assert not (await impatient_runtime.invoke(function, invocation())).failed


async def test_after_its_end_it_is_started_again(impatient_runtime: Runtime, tmp_path: Path) -> None:
    for _ in range(2):
        await run_at_once(impatient_runtime, tmp_path, 2)
        while children(os.getpid()):
            await asyncio.sleep(0.02)
    assert FORKED in await run_at_once(impatient_runtime, tmp_path, 3)


async def test_stopping_ends_it(tmp_path: Path) -> None:
    runtime = Runtime(Host(), SystemClock())
    runtime.start()
    await warm_up(runtime)
    await runtime.invoke(make(tmp_path, MAIN), invocation())
    await runtime.stop()
    assert not children(os.getpid())
