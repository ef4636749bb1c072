"""A real server for the tests: started as users start it, driven by real clients, killed when a test says so."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config

ROOT_KEY = "AKIAROOTOFTHETESTS00"
ROOT_SECRET = "secret-of-the-root-of-the-tests"
REGION = "us-east-1"


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

    def client(self, service: str, *, session: boto3.Session | None = None, **config: Any) -> Any:
        """A boto3 client as the root (or the session's owner), without retries: tests see each answer."""
        settings = Config(retries={"total_max_attempts": 1}, read_timeout=60, **config)
        return (session or self.session()).client(service, endpoint_url=self.url, config=settings)

    def resource(self, service: str) -> Any:
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
