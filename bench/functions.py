"""Lambda: cold, warm and concurrent invocations."""

import io
import json
import statistics
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.load import closed_loop, prepare
from bench.measure import Measure
from bench.peers import RunningPeer

_NOOP = "def handler(event, context):\n    return {'ok': True}\n"
_BOTO3 = "import boto3\ns3 = boto3.client('s3')\n" + _NOOP
_SLOW = "import time\ndef handler(event, context):\n    time.sleep(1)\n    return {'ok': True}\n"
_COLD_STARTS = 5


def package(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


def make_role(peer: RunningPeer) -> str:
    """A role that functions may take; the other servers do not ask what it may do."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam = peer.client("iam")
    role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName="bench", PolicyName="all", PolicyDocument=json.dumps(policy))
    arn: str = role["Arn"]
    return arn


def make_function(peer: RunningPeer, name: str, source: str, role: str, **more: Any) -> str:
    client = peer.client("lambda")
    made = client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": package(source)},
        Timeout=30,
        MemorySize=256,
        **more,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    arn: str = made["FunctionArn"]
    return arn


def measure_functions(peer: RunningPeer, role: str) -> Iterator[Measure]:
    client = peer.client("lambda")
    client.list_functions()  # opens the connection
    yield _cold(peer, client, "Lambda cold, no-op", "noop", _NOOP, role)
    yield _cold(peer, client, "Lambda cold, boto3", "boto3", _BOTO3, role)
    if peer.name == "cloudlet":
        # What an interpreter reads when it starts cannot be given to a fork: the same function, started afresh.
        afresh = {"Variables": {"PYTHONHASHSEED": "0"}}
        yield _cold(peer, client, "Lambda cold, boto3, not forked", "afresh", _BOTO3, role, Environment=afresh)
    request = prepare(client, "invoke", FunctionName="noop-0", Payload=b"{}")
    warm = closed_loop(peer.port, [request], connections=1, seconds=3.0)
    for name, share in (("Lambda warm p50", 0.5), ("Lambda warm p99", 0.99)):
        yield Measure(name, warm.percentile(share) * 1000, "ms", note=f"{warm.failed} failed" if warm.failed else "")
    several = closed_loop(peer.port, [request], connections=8, seconds=3.0)
    yield Measure("Lambda, 8 clients", several.per_second, "/s", more_is_better=True)
    make_function(peer, "slow", _SLOW, role)
    yield _twenty_at_once(peer)


def _cold(peer: RunningPeer, client: Any, title: str, name: str, source: str, role: str, **more: Any) -> Measure:
    times = []
    for number in range(_COLD_STARTS):
        make_function(peer, f"{name}-{number}", source, role, **more)
        started = time.perf_counter()
        answer = client.invoke(FunctionName=f"{name}-{number}", Payload=b"{}")
        times.append(time.perf_counter() - started)
        if json.loads(answer["Payload"].read()) != {"ok": True}:
            return Measure(title, None, "ms", note="wrong answer")
    return Measure(title, statistics.median(times) * 1000, "ms", note=f"median of {_COLD_STARTS}")


def _twenty_at_once(peer: RunningPeer) -> Measure:
    client = peer.client("lambda")

    def invoke(_: int) -> bool:
        return "FunctionError" not in client.invoke(FunctionName="slow", Payload=b"{}")

    started = time.perf_counter()
    with ThreadPoolExecutor(20) as pool:
        succeeded = sum(pool.map(invoke, range(20)))
    return Measure("20 one-second calls at once", time.perf_counter() - started, "s", note=f"{succeeded} of 20")
