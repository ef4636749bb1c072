"""Extensions beside a function: what they hear of, what waits for them, and what they are told of the function."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from test_runtime_pool import Host, invocation, make

from cloudlet.core.clock import SystemClock
from cloudlet.runtime import FunctionVersion, Runtime

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="environments need bubblewrap")

# What each extension begins with: it registers and prints what it hears.
EXTENSION = """#!/usr/bin/env python3
import http.client, http.server, json, os, sys, threading, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def ask(method, path, body=None, **headers):
    api.request(method, path, body and json.dumps(body), {k.replace("_", "-"): v for k, v in headers.items()})
    answer = api.getresponse()
    return answer, answer.read()
def register(*events, name=os.path.basename(sys.argv[0])):
    answer, body = ask("POST", "/2020-01-01/extension/register", {"events": events}, Lambda_Extension_Name=name)
    print("registered", answer.status, body.decode(), flush=True)
    return answer.headers.get("Lambda-Extension-Identifier")
def next_event(me):
    return json.loads(ask("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=me)[1])
"""
LISTENS = (
    EXTENSION
    + """
me = register("INVOKE", "SHUTDOWN")
while True:
    event = next_event(me)
    print("heard", event["eventType"], event.get("requestId"), event.get("shutdownReason"), flush=True)
    if event["eventType"] == "SHUTDOWN":
        break
    time.sleep(0.3)
    print("done", flush=True)
"""
)
ECHO = "def handler(event, context):\n  print('function')\n  return event"


@pytest.fixture
def host() -> Host:
    return Host()


@pytest_asyncio.fixture
async def runtime(host: Host) -> AsyncIterator[Runtime]:
    started = Runtime(host, SystemClock())
    started.start()
    yield started
    await started.stop()


def with_extension(folder: Path, extension: str, code: str = ECHO, **options: object) -> FunctionVersion:
    layers, task = folder / "layers", folder / "task"
    (layers / "extensions").mkdir(parents=True)
    task.mkdir()
    folder.chmod(0o755)
    program = layers / "extensions" / "watcher"
    program.write_text(extension)
    program.chmod(0o755)
    return make(task, code, layers=layers, **options)


async def logged(host: Host, line: str) -> int:
    """Where a line is in the log, once it is there; what another process began to write may stand before it."""
    async with asyncio.timeout(20):
        while True:
            for index, found in enumerate(host.log):
                if line in found:
                    return index
            await asyncio.sleep(0.02)


async def test_an_extension_hears_of_invocations_and_of_the_end(host: Host, runtime: Runtime, tmp_path: Path) -> None:
    function = with_extension(tmp_path, LISTENS)
    first, second = invocation(), invocation()
    for each in (first, second):
        assert (await runtime.invoke(function, each)).payload == b"{}"
    registered = host.log[await logged(host, "registered 200 ")]
    answer = json.loads(registered.partition("registered 200 ")[2])
    assert answer == {"functionName": "f", "functionVersion": "$LATEST", "handler": "app.handler"}
    for each in (first, second):
        await logged(host, f"heard INVOKE {each.request_id} None")
    runtime.retire(function.arn)
    await logged(host, "heard SHUTDOWN None SPINDOWN")


async def test_an_invocation_ends_when_its_extensions_are_done(runtime: Runtime, tmp_path: Path) -> None:
    outcome = await runtime.invoke(with_extension(tmp_path, LISTENS), invocation())
    lines = [line.split(" ", 1)[0] for line in outcome.log.splitlines()]
    assert lines.index("done") < lines.index("END")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os\ndef handler(event, context): os._exit(1)", "FAILURE"),
        ("import time\ndef handler(event, context): time.sleep(60)", "TIMEOUT"),
    ],
)
async def test_extensions_outlive_the_runtime(
    host: Host, runtime: Runtime, tmp_path: Path, code: str, reason: str
) -> None:
    outcome = await runtime.invoke(with_extension(tmp_path, LISTENS, code, timeout=1), invocation())
    assert outcome.failed
    await logged(host, f"heard SHUTDOWN None {reason}")


async def test_one_that_ignores_the_end_is_ended(host: Host, runtime: Runtime, tmp_path: Path) -> None:
    deaf = EXTENSION + "\nme = register('SHUTDOWN')\nnext_event(me)\nprint('deaf', flush=True)\ntime.sleep(3600)"
    function = with_extension(tmp_path, deaf)
    await runtime.invoke(function, invocation())
    runtime.retire(function.arn)
    await logged(host, "deaf")
    async with asyncio.timeout(20):
        while runtime.statistics()["memory"]:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("sys.exit(3)", "Extension.Crash"),
        (
            "ask('POST', '/2020-01-01/extension/init/error', {}, Lambda_Extension_Identifier=me,"
            " Lambda_Extension_Function_Error_Type='Extension.NoLicence')\ntime.sleep(60)",
            "Extension.NoLicence",
        ),
    ],
)
async def test_one_that_fails_takes_the_environment_with_it(
    runtime: Runtime, tmp_path: Path, end: str, kind: str
) -> None:
    outcome = await runtime.invoke(
        with_extension(tmp_path, f"{EXTENSION}\nme = register('INVOKE')\n{end}"), invocation()
    )
    assert outcome.failed
    assert json.loads(outcome.payload)["errorType"] == kind


async def test_the_runtime_starts_when_extensions_have_registered(host: Host, runtime: Runtime, tmp_path: Path) -> None:
    slow = LISTENS.replace("\nme = register", "\ntime.sleep(0.5)\nprint('slept', flush=True)\nme = register")
    await runtime.invoke(with_extension(tmp_path, slow, f"print('loading')\n{ECHO}"), invocation())
    assert await logged(host, "slept") < await logged(host, "loading")


async def test_telemetry(host: Host, runtime: Runtime, tmp_path: Path) -> None:
    extension = (
        EXTENSION
        + """
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for event in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            if "event" not in str(event["record"]):  # what it prints comes back to it
                print("event", json.dumps(event), flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("0.0.0.0", 0), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
me = register("INVOKE", "SHUTDOWN")
wanted = {
    "schemaVersion": "2022-12-13", "types": ["platform", "function"], "buffering": {"timeoutMs": 25},
    "destination": {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{server.server_port}/own"},
}
answer, body = ask("PUT", "/2022-07-01/telemetry", wanted, Lambda_Extension_Identifier=me)
print("subscribed", answer.status, body, flush=True)
while next_event(me)["eventType"] != "SHUTDOWN":
    pass
"""
    )
    one = invocation()
    await runtime.invoke(with_extension(tmp_path, extension), one)
    await logged(host, "subscribed 200 b'\"OK\"'")

    def events() -> list[dict[str, object]]:
        return [json.loads(line.removeprefix("event ")) for line in host.log if line.startswith("event ")]

    async with asyncio.timeout(20):
        while not any(event["type"] == "platform.report" for event in events()):
            await asyncio.sleep(0.05)
    kinds = [str(event["type"]) for event in events()]
    for kind in ("platform.initStart", "platform.telemetrySubscription", "platform.initReport", "platform.runtimeDone"):
        assert kind in kinds
    [start] = [event["record"] for event in events() if event["type"] == "platform.start"]
    assert start == {"requestId": one.request_id, "version": "$LATEST"}
    assert {"function\n"} <= {event["record"] for event in events() if event["type"] == "function"}


async def test_an_internal_extension_lets_the_runtime_end_in_order(
    host: Host, runtime: Runtime, tmp_path: Path
) -> None:
    code = """
const address = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2020-01-01/extension`
const body = JSON.stringify({events: ["INVOKE"]})
const headers = {"Lambda-Extension-Name": "inside"}
const answer = await fetch(`${address}/register`, {method: "POST", body, headers})
const me = {"Lambda-Extension-Identifier": answer.headers.get("lambda-extension-identifier")}
const next = () => fetch(`${address}/event/next`, {headers: me}).then((event) => event.text()).then(next)
next()
process.on("SIGTERM", () => { console.log("leaving"); process.exit() })
export const handler = async (event) => event
"""
    (tmp_path / "app.mjs").write_text(code)
    function = make(tmp_path, "", runtime="nodejs20.x")
    assert (await runtime.invoke(function, invocation())).payload == b"{}"
    runtime.retire(function.arn)
    async with asyncio.timeout(20):
        while not any("leaving" in line for line in host.log):
            await asyncio.sleep(0.02)
