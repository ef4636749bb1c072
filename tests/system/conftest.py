"""The command line, run as somebody at a terminal of this machine would, and a browser."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

Cloudlet = Callable[..., subprocess.CompletedProcess[str]]
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--disable-gpu",
    "--host-resolver-rules=MAP another-machine.test 127.0.0.1",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


@pytest.fixture(scope="session")
def command_line() -> Callable[[Any], Cloudlet]:
    """Makes, for a server, the function that runs commands against it: `cloudlet("deploy", "template.yaml")`."""

    def for_server(server: Any) -> Cloudlet:
        key = server.session().get_credentials()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "CLOUDLET_DATA": str(server.data),
            "CLOUDLET_ROOT_ACCESS_KEY_ID": key.access_key,
            "CLOUDLET_ROOT_SECRET_ACCESS_KEY": key.secret_key,
        }

        def run(*arguments: str, input: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "cloudlet.cli.main", *arguments],
                env={**environment, **more},
                input=input,
                capture_output=True,
                text=True,
                timeout=110,
                check=False,
            )

        return run

    return for_server


@pytest.fixture(scope="module")
def cloudlet(server: Any, command_line: Callable[[Any], Cloudlet]) -> Cloudlet:
    """Runs a command against the module's server."""
    return command_line(server)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield started
        started.close()
