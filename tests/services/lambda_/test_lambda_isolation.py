"""What a function can see of the machine and of other functions: nothing but its own.

Most is tried in both of the ways in which environments start: forked from the zygote, and executed.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from function_making import Functions, make_role, zipped

from cloudlet.runtime.processes import tree
from waiting import eventually

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

WAYS = {"forked": "/var/nursery.py", "executed": "/var/bootstrap.py"}
MAIN = "import __main__\ndef handler(event, context): return __main__.__file__"

Make = Callable[..., str]


@pytest.fixture(params=WAYS)
def make(request: pytest.FixtureRequest, functions: Functions) -> Make:
    """Makes functions that start in one of the ways: who brings a module of the zygote's is not forked."""
    own = {"six": "own = True"} if request.param == "executed" else {}

    def make(code: str, **options: Any) -> str:
        return functions.make(code, Code={"ZipFile": zipped(app=code, **own)}, **options)

    eventually(lambda: functions.call(make(MAIN)) == WAYS[request.param])
    return make


@pytest.mark.parametrize(
    "path", ["/file", "/var/task/file", "/opt/file", "/etc/file", "/usr/file", "/var/runtime/file"]
)
def test_only_tmp_can_be_written(functions: Functions, make: Make, path: str) -> None:
    name = make(TRY)
    assert functions.call(name, f"open({path!r}, 'w')") == "OSError"
    assert functions.call(name, "open('/tmp/file', 'w').write('x')") == 1


def test_tmp_is_private(functions: Functions, make: Make) -> None:
    first, second = make(TRY), make(TRY)
    functions.call(first, "open('/tmp/secret', 'w').write('x')")
    assert functions.call(first, "os.listdir('/tmp')") == ["secret"]
    assert functions.call(second, "os.listdir('/tmp')") == []
    assert not Path("/tmp/secret").exists()


def test_tmp_has_the_configured_size(functions: Functions, make: Make) -> None:
    name = make(TRY, Timeout=30)
    write = "subprocess.run('head -c {} /dev/zero > /tmp/large', shell=True).returncode"
    assert functions.call(name, write.format(500 << 20)) == 0
    assert functions.call(name, write.format(520 << 20)) != 0


def test_the_servers_data_cannot_be_read(server: Any, functions: Functions, make: Make) -> None:
    name = make(TRY)
    assert functions.call(name, f"os.listdir({str(server.data)!r})") == "FileNotFoundError"
    assert functions.call(name, "os.listdir('/home') + os.listdir('/work')") == "FileNotFoundError"


def test_other_processes_cannot_be_seen(functions: Functions, make: Make) -> None:
    name = make(TRY)
    pids = functions.call(name, "[int(name) for name in os.listdir('/proc') if name.isdigit()]")
    assert len(pids) <= 3
    assert functions.call(name, f"os.kill({os.getpid()}, 0)") == "ProcessLookupError"


def test_the_function_is_nobody_special(functions: Functions, make: Make) -> None:
    name = make(TRY)
    assert functions.call(name, "os.getuid()") != 0
    capabilities = functions.call(name, "open('/proc/self/status').read()")
    assert "CapEff:\t0000000000000000" in capabilities
    assert "NoNewPrivs:\t1" in capabilities


def test_nothing_of_the_servers_environment_leaks(functions: Functions, make: Make) -> None:
    name = make(TRY, Environment={"Variables": {"OWN": "value"}})
    variables = functions.call(name, "dict(os.environ)")
    assert not any(variable.startswith("CLOUDLET") for variable in variables)
    assert "VIRTUAL_ENV" not in variables
    assert variables["OWN"] == "value"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{name}"
    assert variables["LAMBDA_TASK_ROOT"] == "/var/task"


@pytest.mark.parametrize("path", ["/var/host", "/dev/shm", "/dev", "/proc/sys/kernel/hostname"])
def test_what_environments_could_share_cannot_be_written(functions: Functions, make: Make, path: str) -> None:
    name = make(TRY)
    assert functions.call(name, f"os.access({path!r}, os.W_OK)") is False
    assert functions.call(name, "os.path.isdir('/var/host') and os.listdir('/var/host')") in (False, [])


def test_nothing_is_open_but_the_output_and_the_runtime_api(functions: Functions, make: Make) -> None:
    paths = "map('/proc/self/fd/{}'.format, os.listdir('/proc/self/fd'))"
    files = functions.call(make(TRY), f"list(map(os.readlink, filter(os.path.islink, {paths})))")
    assert {file.partition(":")[0] for file in files} == {"/dev/null", "pipe", "socket"}


def test_a_fork_bomb_is_contained(functions: Functions) -> None:
    """It meets AWS's limit, and everybody else goes on."""
    bomb = """
import os, time
def handler(event, context):
    count = 0
    try:
        while count < 3000:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            count += 1
    except BlockingIOError:
        pass
    return count
"""
    other = functions.make(TRY)
    assert functions.call(functions.make(bomb, Timeout=60, MemorySize=10240)) < 1024
    assert functions.call(other, "1 + 1") == 2


def test_there_are_as_many_files_as_on_aws(functions: Functions, make: Make) -> None:
    limit = "__import__('resource').getrlimit(__import__('resource').RLIMIT_NOFILE)[0]"
    assert functions.call(make(TRY), limit) == 1024


def test_who_ignores_signals_is_ended_all_the_same(functions: Functions, make: Make) -> None:
    code = """
import os, signal, time
def handler(event, context):
    for number in set(range(1, 65)) - {signal.SIGKILL, signal.SIGSTOP, 32, 33}:
        signal.signal(number, signal.SIG_IGN)
    if event and os.fork() == 0:
        os.setsid()
        time.sleep(3600)
    time.sleep(event)
"""
    name = make(code, Timeout=1)
    assert functions.fail(name, 60)["errorType"] == "Sandbox.Timedout"
    assert functions.call(name, 0) is None


@pytest.mark.parametrize("what", ["environ", "mem", "maps", "root", "fd/1"])
def test_nothing_of_the_server_is_in_proc(functions: Functions, make: Make, what: str, server: Any) -> None:
    seen = functions.call(make(TRY), f"open('/proc/{server.pid}/{what}', 'rb').read(1)")
    assert seen in ("FileNotFoundError", "PermissionError")


def test_no_process_can_be_traced_from_another_environment(functions: Functions, make: Make) -> None:
    attach = f"__import__('ctypes').CDLL(None).ptrace(16, {os.getpid()}, 0, 0)"
    assert functions.call(make(TRY), attach) == -1


def test_what_is_random_is_not_the_same_everywhere(functions: Functions, make: Make) -> None:
    draw = (
        "import random, uuid\nfirst = random.random()\ndef handler(event, context): return [first, str(uuid.uuid4())]"
    )
    first, second = functions.call(make(draw)), functions.call(make(draw))
    assert first[0] != second[0]
    assert first[1] != second[1]


@pytest.mark.parametrize(("end", "signal"), [("os.kill(os.getpid(), 9)", "killed"), ("os.abort()", "aborted")])
def test_the_end_of_the_process_is_told(functions: Functions, make: Make, end: str, signal: str) -> None:
    error = functions.fail(make(TRY), end)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(f"Error: Runtime exited with error: signal: {signal}")


def test_variables_do_not_reach_what_closes_the_sandbox(functions: Functions) -> None:
    name = functions.make(
        TRY, Environment={"Variables": {"LD_PRELOAD": "/var/task/evil.so", "BASH_ENV": "/var/task/evil"}}
    )
    assert functions.call(name, "os.getuid()") != 0


@pytest.mark.parametrize("end", ["kill9", "stop"])
def test_nothing_is_left_running(own_server: Any, end: str) -> None:
    functions = Functions(own_server.client("lambda"), make_role(own_server, "left"))
    eventually(lambda: functions.call(functions.make(MAIN)) == WAYS["forked"])  # the first ones are executed
    started = list(tree(own_server.pid))[1:]
    assert started
    getattr(own_server, end)()
    eventually(lambda: not any(Path("/proc", str(pid)).exists() for pid in started))


def test_another_functions_runtime_api_is_closed(functions: Functions, make: Make) -> None:
    """All environments share the network; whose connection it is decides."""
    victim, thief = make(TRY), make(TRY)
    address = functions.call(victim, "os.environ['AWS_LAMBDA_RUNTIME_API']")
    url = f"http://{address}/2018-06-01/runtime/invocation/next"
    stolen = functions.call(thief, f"__import__('urllib.request').request.urlopen({url!r}, timeout=2).read()")
    assert stolen in ("RemoteDisconnected", "ConnectionResetError", "URLError")
    assert functions.call(victim, "1 + 1") == 2
