"""The command line, run as somebody at a terminal of this machine would."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Cloudlet = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def cloudlet(server: Any) -> Cloudlet:
    """Runs a command against the module's server: `cloudlet("deploy", "template.yaml")`."""
    key = server.session().get_credentials()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "CLOUDLET_DATA": str(server.data),
        "CLOUDLET_ROOT_ACCESS_KEY_ID": key.access_key,
        "CLOUDLET_ROOT_SECRET_ACCESS_KEY": key.secret_key,
    }

    def run(*arguments: str, input: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cloudlet.cli.main", *arguments]
        return subprocess.run(
            command, env={**environment, **more}, input=input, capture_output=True, text=True, timeout=110, check=False
        )

    return run
