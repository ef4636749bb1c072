"""A server is ready at once: it imports at its start what every server needs, and nothing else."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cloudlet.cli.main import app


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """What `cloudlet up` has imported when it comes to its data folder, which cannot be used here."""
    up = ["-m", "cloudlet.cli.main", "up", "--port", "0", "--data", "/dev/null/data"]
    result = subprocess.run([sys.executable, "-X", "importtime", *up], capture_output=True, text=True, timeout=60)
    *report, said = result.stderr.splitlines()
    assert said.startswith("The data folder cannot be used")
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in report}


def test_a_server_imports_all_services_at_its_start(imported: set[str]):
    assert {"cloudlet", "botocore", "apsw"} <= imported


@pytest.mark.parametrize("name", ["_awscrt", "aiohttp", "boto3", "cryptography", "pydantic", "samtranslator", "yaml"])
def test_what_only_some_requests_need_is_not_imported_at_the_start(name: str, imported: set[str]):
    assert name not in imported


@pytest.mark.parametrize("port", ["many", "65536", "-1"])
def test_what_is_no_port_is_refused(port: str):
    result = CliRunner().invoke(app, ["up", "--port", port])
    assert result.exit_code == 2
    assert f"{port} is not a number from 0 to 65535" in result.stderr


def test_up_explains_its_options():
    result = CliRunner().invoke(app, ["up", "--help"])
    assert result.exit_code == 0
    assert all(option in result.stdout for option in ("--data", "--host", "--port", "--smtp-url", "--log-level"))
