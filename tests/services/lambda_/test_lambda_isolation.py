"""What a function can see of the machine and of other functions: nothing but its own."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from function_making import Functions, make_role, wait_for

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="isolation needs bubblewrap")

# Tries what it is told, and answers what came of it.
TRY = """
def handler(event, context):
    import os, subprocess
    try:
        return eval(event)
    except Exception as error:
        return type(error).__name__
"""


@pytest.mark.parametrize(
    "path", ["/file", "/var/task/file", "/opt/file", "/etc/file", "/usr/file", "/var/runtime/file"]
)
def test_only_tmp_can_be_written(functions: Functions, path: str) -> None:
    name = functions.make(TRY)
    assert functions.call(name, f"open({path!r}, 'w')") == "OSError"
    assert functions.call(name, "open('/tmp/file', 'w').write('x')") == 1


def test_tmp_is_private(functions: Functions) -> None:
    first, second = functions.make(TRY), functions.make(TRY)
    functions.call(first, "open('/tmp/secret', 'w').write('x')")
    assert functions.call(first, "os.listdir('/tmp')") == ["secret"]
    assert functions.call(second, "os.listdir('/tmp')") == []
    assert not Path("/tmp/secret").exists()


def test_tmp_has_the_configured_size(functions: Functions) -> None:
    name = functions.make(TRY, Timeout=30)
    write = "subprocess.run('head -c {} /dev/zero > /tmp/large', shell=True).returncode"
    assert functions.call(name, write.format(500 << 20)) == 0
    assert functions.call(name, write.format(520 << 20)) != 0


def test_the_servers_data_cannot_be_read(server: Any, functions: Functions) -> None:
    name = functions.make(TRY)
    assert functions.call(name, f"os.listdir({str(server.data)!r})") == "FileNotFoundError"
    assert functions.call(name, "os.listdir('/home') + os.listdir('/work')") == "FileNotFoundError"


def test_other_processes_cannot_be_seen(functions: Functions) -> None:
    name = functions.make(TRY)
    pids = functions.call(name, "[int(name) for name in os.listdir('/proc') if name.isdigit()]")
    assert len(pids) <= 3
    assert functions.call(name, f"os.kill({os.getpid()}, 0)") == "ProcessLookupError"


def test_the_function_is_nobody_special(functions: Functions) -> None:
    name = functions.make(TRY)
    assert functions.call(name, "os.getuid()") != 0
    capabilities = functions.call(name, "open('/proc/self/status').read()")
    assert "CapEff:\t0000000000000000" in capabilities
    assert "NoNewPrivs:\t1" in capabilities


def test_nothing_of_the_servers_environment_leaks(functions: Functions) -> None:
    name = functions.make(TRY, Environment={"Variables": {"OWN": "value"}})
    variables = functions.call(name, "dict(os.environ)")
    assert not any(variable.startswith("CLOUDLET") for variable in variables)
    assert "VIRTUAL_ENV" not in variables
    assert variables["OWN"] == "value"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{name}"
    assert variables["LAMBDA_TASK_ROOT"] == "/var/task"


def test_variables_do_not_reach_what_closes_the_sandbox(functions: Functions) -> None:
    name = functions.make(
        TRY, Environment={"Variables": {"LD_PRELOAD": "/var/task/evil.so", "BASH_ENV": "/var/task/evil"}}
    )
    assert functions.call(name, "os.getuid()") != 0


@pytest.mark.parametrize("end", ["kill9", "stop"])
def test_nothing_is_left_running(own_server: Any, end: str) -> None:
    functions = Functions(own_server.client("lambda"), make_role(own_server, "left"))
    functions.call(functions.make(TRY), "1")
    here = str(own_server.data).encode()

    def environments() -> list[str]:
        return [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if here in read(path)]

    def read(path: Path) -> bytes:
        try:
            command = path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return b""
        return command if b"bwrap" in command else b""

    assert environments()
    getattr(own_server, end)()
    wait_for(lambda: not environments())


def test_another_functions_runtime_api_is_closed(functions: Functions) -> None:
    """All environments share the network; whose connection it is decides."""
    victim, thief = functions.make(TRY), functions.make(TRY)
    address = functions.call(victim, "os.environ['AWS_LAMBDA_RUNTIME_API']")
    url = f"http://{address}/2018-06-01/runtime/invocation/next"
    stolen = functions.call(thief, f"__import__('urllib.request').request.urlopen({url!r}, timeout=2).read()")
    assert stolen in ("RemoteDisconnected", "ConnectionResetError", "URLError")
    assert functions.call(victim, "1 + 1") == 2
