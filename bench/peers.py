"""The servers that are compared, each started as its users start it and stopped for good."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.client import BaseClient
from botocore.config import Config

_REPOSITORY = Path(__file__).parent.parent
_KEY, _SECRET = "AKIABENCHBENCHBENCH0", "a-secret-key-for-the-benchmark"


@dataclass(frozen=True, slots=True)
class Peer:
    """How a server is started on a port, and where it says that it is ready."""

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    health: str


def peers() -> list[Peer]:
    """Cloudlet, durable and authenticated, and the others as they come: in memory, any password."""
    scripts = Path(sys.prefix) / "bin"
    others = Path(sys.prefix) / "bench" / "bin"
    own_keys = (("CLOUDLET_ROOT_ACCESS_KEY_ID", _KEY), ("CLOUDLET_ROOT_SECRET_ACCESS_KEY", _SECRET))
    return [
        Peer("cloudlet", (str(scripts / "cloudlet"), "up", "--port", "{port}", "--data", "{data}"), own_keys,
             "/_cloudlet/health"),
        Peer("ministack", (str(others / "ministack"),), (("GATEWAY_PORT", "{port}"),), "/_ministack/health"),
        Peer("moto", (str(others / "moto_server"), "-p", "{port}"), (), "/moto-api/data.json"),
    ]  # fmt: skip


class RunningPeer:
    """A started server; a context manager that leaves nothing running."""

    def __init__(self, peer: Peer) -> None:
        self.name = peer.name
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("BENCH_FOLDER"))
        self._log = open(Path(self._folder) / "server.log", "wb")  # noqa: SIM115 - the server writes to it
        values = {"port": str(self.port), "data": str(Path(self._folder) / "data")}
        environment = {
            **os.environ,
            **{name: value.format(**values) for name, value in peer.environment},
            "PATH": f"{Path(peer.command[0]).parent}:{os.environ['PATH']}",
            # Functions of the other servers run in their own processes and need credentials and the endpoint.
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
        }
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [part.format(**values) for part in peer.command],
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            start_new_session=True,
        )
        self._wait_until_healthy(self.url + peer.health)
        self.start_seconds = time.perf_counter() - started

    def __enter__(self) -> "RunningPeer":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def client(self, service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=40, read_timeout=60)
        made: BaseClient = boto3.client(
            service,
            endpoint_url=self.url,
            aws_access_key_id=_KEY,
            aws_secret_access_key=_SECRET,
            region_name="us-east-1",
            config=config,
        )
        return made

    def memory(self) -> int:
        """Resident bytes of the server and its child processes."""
        return sum(_resident(pid) for pid in _family(self._process.pid))

    def _wait_until_healthy(self, url: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                if requests.get(url, timeout=5).status_code == 200:
                    return
            except requests.ConnectionError:
                time.sleep(0.01)
        log = (Path(self._folder) / "server.log").read_text(errors="replace")
        raise RuntimeError(f"{self.name} did not start:\n{log[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [pid, *(member for child in found for member in _family(child))]


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
