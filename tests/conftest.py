"""A real server for the tests: started as users start it, driven by real clients, killed when a test says so."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import uvloop
from botocore.config import Config
from hypothesis import HealthCheck, settings

# Machines are slow at times: no property depends on how long an example takes. CI tries the same examples each time,
# so that what it says is about the change; whoever works on the code tries new ones.
settings.register_profile(
    "cloudlet", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("cloudlet")

ROOT_KEY = "AKIAROOTOFTHETESTS00"
ROOT_SECRET = "secret-of-the-root-of-the-tests"
REGION = "us-east-1"


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], Any]]:
    """What is tested in this process runs on the event loop that the server has."""
    return {"uvloop": uvloop.new_event_loop}


class Server:
    """A `cloudlet up` process on a data folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = 0
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, **environment: str) -> None:
        """Returns once the server answers; keeps the port of an earlier start."""
        env = {
            **os.environ,
            "CLOUDLET_ROOT_ACCESS_KEY_ID": ROOT_KEY,
            "CLOUDLET_ROOT_SECRET_ACCESS_KEY": ROOT_SECRET,
            **environment,
        }
        log = open(self.data.parent / f"{self.data.name}.log", "ab")  # noqa: SIM115 - the server writes to it
        command = [sys.executable, "-m", "cloudlet.cli.main", "up", "--port", str(self.port), "--data", str(self.data)]
        note = self.data / "server.json"
        note.unlink(missing_ok=True)
        self._process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not note.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start:\n{self.log()}")
            time.sleep(0.01)
        self.url = json.loads(note.read_text())["url"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text(errors="replace")

    def kill9(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=60)

    def restart(self) -> None:
        """kill -9 and start again on the same data and port."""
        self.kill9()
        self.start()

    def session(self, key: str = ROOT_KEY, secret: str = ROOT_SECRET, token: str | None = None) -> boto3.Session:
        return boto3.Session(key, secret, token, region_name=REGION)

    def client(self, service: Any, *, session: boto3.Session | None = None, **config: Any) -> Any:
        """A boto3 client as the root (or the session's owner), without retries: tests see each answer."""
        settings = Config(retries={"total_max_attempts": 1}, read_timeout=60, **config)
        return (session or self.session()).client(service, endpoint_url=self.url, config=settings)

    def resource(self, service: Any) -> Any:
        return self.session().resource(service, endpoint_url=self.url)

    def health(self) -> dict[str, Any]:
        answer: dict[str, Any] = requests.get(f"{self.url}/_cloudlet/health", timeout=10).json()
        return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for the tests of one module."""
    started = Server(tmp_path_factory.mktemp("cloudlet") / "data")
    started.start()
    yield started
    if started._process is not None and started._process.poll() is None:
        started.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A running server for one test, which may kill it."""
    started = Server(tmp_path / "data")
    started.start()
    yield started
    if started._process is not None and started._process.poll() is None:
        started.stop()


def package(source: str, name: str = "app.py") -> bytes:
    """A zip package with one module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, source)
    return buffer.getvalue()


LAMBDA_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def make_role() -> Callable[..., str]:
    """Makes a role that functions take, allowed `actions`; returns its ARN."""

    def make(server: Server, name: str, *actions: str) -> str:
        iam = server.client("iam")
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(LAMBDA_TRUST))["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": [*actions, "logs:*"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=policy)
        return arn

    return make


@pytest.fixture
def make_function(make_role: Callable[..., str]) -> Callable[..., str]:
    """Makes a Python function of one module, with a role of its own; returns its ARN."""

    def make(server: Server, name: str, source: str, *actions: str, **settings: Any) -> str:
        role = settings.pop("Role", None) or make_role(server, f"{name}-role", *(actions or ("*",)))
        client = server.client("lambda")
        arn: str = client.create_function(
            FunctionName=name,
            Handler="app.handler",
            Role=role,
            Code={"ZipFile": package(source)},
            **{"Runtime": "python3.11", "Timeout": 30, **settings},
        )["FunctionArn"]
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return arn

    return make
