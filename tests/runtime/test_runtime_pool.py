"""The pool of execution environments, without any service around it."""

import asyncio
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.clock import SystemClock
from cloudlet.runtime import Credentials, FunctionVersion, Invocation, LogEvent, Runtime, RuntimeStopped

ECHO = "import os\nname = os.environ['AWS_LAMBDA_LOG_STREAM_NAME']\ndef handler(event, context): return name"


class Host:
    """Credentials for an hour, and a log to look at."""

    endpoint_url = "http://127.0.0.1:1"

    def __init__(self) -> None:
        self.seconds = 3600.0
        self.log: list[str] = []

    async def credentials(self, function: FunctionVersion) -> Credentials:
        return Credentials("ASIA", "secret", "token", time.time() + self.seconds)

    def write_log(self, function: FunctionVersion, stream: str, events: list[LogEvent]) -> None:
        self.log += [event.message for event in events]


class SlowHost(Host):
    """Its credentials never come."""

    async def credentials(self, function: FunctionVersion) -> Credentials:
        return await asyncio.Future()


async def warm_up(runtime: Runtime) -> None:
    runtime.warm_up("python3.11")
    zygote = runtime.zygotes.of(await runtime.launcher("python3.11")) if runtime.zygotes is not None else None
    while zygote is not None and not zygote.is_warm:
        await asyncio.sleep(0.02)
        zygote.warm_up()  # it may have been idle for too long meanwhile


def make(folder: Path, code: str, **options: Any) -> FunctionVersion:
    (folder / "app.py").write_text(code)
    folder.chmod(0o755)  # functions run as users of their own
    settings: dict[str, Any] = {
        "arn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
        "name": "f",
        "version": "$LATEST",
        "revision": "1",
        "region": "us-east-1",
        "runtime": "python3.11",
        "handler": "app.handler",
        "memory": 128,
        "timeout": 10,
        "ephemeral_storage": 512,
        "variables": {},
        "code": folder,
        "layers": None,
        "log_group": "/aws/lambda/f",
        **options,
    }
    return FunctionVersion(**settings)


def invocation() -> Invocation:
    return Invocation(str(uuid.uuid4()), "arn:aws:lambda:us-east-1:000000000000:function:f", b"{}")


async def test_a_warm_environment_serves_the_next_invocation(runtime: Runtime, tmp_path: Path) -> None:
    function = make(tmp_path, ECHO)
    first = await runtime.invoke(function, invocation())
    second = await runtime.invoke(function, invocation())
    assert first.payload == second.payload


async def test_idle_environments_are_ended(runtime: Runtime, tmp_path: Path) -> None:
    await runtime.invoke(make(tmp_path, ECHO), invocation())
    assert runtime.statistics() == {"idle": 1, "busy": 0, "memory": 128}
    while runtime.statistics()["memory"]:
        await asyncio.sleep(0.02)


async def test_a_new_revision_retires_the_old_environments(runtime: Runtime, tmp_path: Path) -> None:
    function = make(tmp_path, ECHO)
    first = await runtime.invoke(function, invocation())
    second = await runtime.invoke(replace(function, revision="2"), invocation())
    assert first.payload != second.payload


async def test_a_busy_environment_answers_before_it_is_retired(runtime: Runtime, tmp_path: Path) -> None:
    function = make(tmp_path, "import time\ndef handler(event, context):\n  time.sleep(0.5)\n  return 'answer'")
    busy = asyncio.create_task(runtime.invoke(function, invocation()))
    while not runtime.statistics()["busy"]:
        await asyncio.sleep(0.01)
    runtime.retire(function.arn)
    assert (await busy).payload == b'"answer"'


async def test_environments_end_before_their_credentials(host: Host, runtime: Runtime, tmp_path: Path) -> None:
    host.seconds = 60
    function = make(tmp_path, ECHO)
    answers = {(await runtime.invoke(function, invocation())).payload for _ in range(2)}
    assert len(answers) == 2


async def test_the_memory_budget_makes_invocations_wait(host: Host, tmp_path: Path) -> None:
    runtime = Runtime(host, SystemClock(), memory=256)
    runtime.start()
    function = make(tmp_path, "import time\ndef handler(event, context): time.sleep(0.1)")
    running = [asyncio.create_task(runtime.invoke(function, invocation())) for _ in range(6)]
    most = 0
    while not all(task.done() for task in running):
        most = max(most, runtime.statistics()["memory"])
        await asyncio.sleep(0.01)
    assert most <= 256
    assert not any(task.result().failed for task in running)
    other = make(tmp_path, "def handler(event, context): return 1", arn=function.arn.replace(":f:", ":g:"))
    assert (await runtime.invoke(other, invocation())).payload == b"1"  # the idle ones make room
    await runtime.stop()


async def test_stopping_ends_what_still_runs(host: Host, tmp_path: Path) -> None:
    runtime = Runtime(host, SystemClock())
    runtime.start()
    function = make(tmp_path, "import time\ndef handler(event, context): time.sleep(60)")
    running = asyncio.create_task(runtime.invoke(function, invocation()))
    while not runtime.statistics()["busy"]:
        await asyncio.sleep(0.01)
    await runtime.stop()
    with pytest.raises(RuntimeStopped):
        await running
    assert runtime.statistics() == {"idle": 0, "busy": 0, "memory": 0}


async def test_stopping_answers_who_waits_for_an_environment(tmp_path: Path) -> None:
    runtime = Runtime(SlowHost(), SystemClock())
    runtime.start()
    function = make(tmp_path, ECHO)
    waiting = [asyncio.create_task(runtime.invoke(function, invocation())) for _ in range(3)]
    while not runtime.statistics()["memory"]:
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await runtime.stop()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [RuntimeStopped] * 3
    assert runtime.statistics() == {"idle": 0, "busy": 0, "memory": 0}


async def test_stopping_ends_what_runs_in_an_older_revision(host: Host, tmp_path: Path) -> None:
    runtime = Runtime(host, SystemClock())
    runtime.start()
    code = "import time\ndef handler(event, context): time.sleep(8 if os.environ.get('OLD') else 0)"
    function = make(tmp_path, f"import os\n{code}", variables={"OLD": "1"})
    old = asyncio.create_task(runtime.invoke(function, invocation()))
    while not runtime.statistics()["busy"]:
        await asyncio.sleep(0.01)
    await runtime.invoke(replace(function, revision="2", variables={}), invocation())
    await runtime.stop()
    with pytest.raises(RuntimeStopped):
        await old


async def test_an_answer_that_is_too_large_ends_its_environment(runtime: Runtime, tmp_path: Path) -> None:
    code = "import json\ndef handler(event, context): return 'x' * event"
    function = make(tmp_path, code)
    large = await runtime.invoke(function, replace(invocation(), payload=b"7000000"))
    assert b"exceeded maximum allowed payload size (6291556 bytes)." in large.payload
    assert (await runtime.invoke(function, replace(invocation(), payload=b"1"))).payload == b'"x"'


@pytest.mark.timeout(30)
async def test_a_function_that_prints_without_end_is_timed_out(runtime: Runtime, tmp_path: Path) -> None:
    function = make(tmp_path, "def handler(event, context):\n  while True: print('y')", timeout=1)
    outcome = await runtime.invoke(function, invocation())
    assert b"Task timed out after 1.00 seconds" in outcome.payload


async def test_what_is_printed_between_invocations_is_logged(host: Host, runtime: Runtime, tmp_path: Path) -> None:
    function = make(
        tmp_path,
        "import threading\ndef handler(event, context): threading.Timer(0.05, lambda: print('later')).start()",
    )
    await runtime.invoke(function, invocation())
    while "later\n" not in host.log:
        await asyncio.sleep(0.02)


async def test_the_function_finds_its_own_version_of_a_module(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "simplejson.py").write_text("own = True")
    (tmp_path / "boto3.py").write_text("own = True")
    code = "import boto3, simplejson\ndef handler(event, context): return boto3.own and simplejson.own"
    assert (await runtime.invoke(make(tmp_path, code), invocation())).payload == b"true"


async def test_provisioned_environments_are_there_before_anybody_calls(host: Host, tmp_path: Path) -> None:
    runtime = Runtime(host, SystemClock(), idle=0.2)
    runtime.start()
    code = (
        "import os, time\nkind = os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n"
        "def handler(event, context):\n  time.sleep(1)\n  return kind"
    )
    function = make(tmp_path, code)
    runtime.provision(function, 2)
    while runtime.provisioned(function.arn).allocated < 2:
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)  # they do not end as idle ones do
    outcomes = await asyncio.gather(*(runtime.invoke(function, invocation()) for _ in range(3)))
    kinds = [outcome.payload for outcome in outcomes]
    assert sorted(kinds) == [b'"on-demand"', b'"provisioned-concurrency"', b'"provisioned-concurrency"']
    runtime.provision(function, 0)
    while runtime.statistics()["memory"]:
        await asyncio.sleep(0.02)
    await runtime.stop()


async def test_provisioned_environments_that_die_are_replaced(host: Host, tmp_path: Path) -> None:
    runtime = Runtime(host, SystemClock(), idle=0.2)
    runtime.start()
    function = make(tmp_path, "import os\ndef handler(event, context): os._exit(1)")
    runtime.provision(function, 1)
    while not runtime.provisioned(function.arn).allocated:
        await asyncio.sleep(0.02)
    assert (await runtime.invoke(function, invocation())).failed
    while not runtime.provisioned(function.arn).allocated:
        await asyncio.sleep(0.02)
    await runtime.stop()


async def test_why_environments_are_not_provisioned(host: Host, tmp_path: Path) -> None:
    runtime = Runtime(host, SystemClock())
    runtime.start()
    function = make(tmp_path, "raise ValueError")
    runtime.provision(function, 1)
    while runtime.provisioned(function.arn).failure is None:
        await asyncio.sleep(0.02)
    assert runtime.provisioned(function.arn).allocated == 0
    await runtime.stop()


async def test_one_function_does_not_starve_the_others(host: Host, tmp_path: Path) -> None:
    runtime = Runtime(host, SystemClock(), memory=4 * 128)
    runtime.start()
    for name in ("noisy", "quiet"):
        (tmp_path / name).mkdir(mode=0o755)
    noisy = make(tmp_path / "noisy", "import time\ndef handler(event, context): time.sleep(0.2)")
    quiet = replace(make(tmp_path / "quiet", "def handler(event, context): return 1"), arn=f"{noisy.arn}-quiet")
    crowd = [asyncio.create_task(runtime.invoke(noisy, invocation())) for _ in range(60)]
    await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
    outcome = await runtime.invoke(quiet, invocation())
    assert outcome.payload == b"1"
    assert sum(task.done() for task in crowd) < 50
    assert not any(outcome.failed for outcome in await asyncio.gather(*crowd))
    assert runtime.statistics()["memory"] <= 4 * 128
    await runtime.stop()
