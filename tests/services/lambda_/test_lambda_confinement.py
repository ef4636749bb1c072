"""What a function of any runtime finds of Cloudlet and of the machine, when it looks around with a shell: nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from function_making import Functions, archive

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="isolation needs bubblewrap")

PYTHON = """
import subprocess
def handler(script, context):
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout
"""
NODE = """
const { spawnSync } = require("child_process");
exports.handler = async (script) => spawnSync("bash", ["-c", script]).stdout.toString();
"""
# What it finds is told as the reason why it does not start.
BOOTSTRAP = """#!/bin/bash
found=$(SCRIPT)
body="{\\"errorType\\":\\"Found\\",\\"errorMessage\\":\\"${found//$'\\n'/ }\\"}"
exec 9<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
head=$'POST /2018-06-01/runtime/init/error HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: '
printf '%s%d\\r\\n\\r\\n%s' "$head" "${#body}" "$body" >&9
read -r -u 9
"""
Look = Callable[[str], list[str]]


@pytest.fixture(params=["python3.11", "nodejs20.x", "provided.al2023"])
def look(request: pytest.FixtureRequest, functions: Functions) -> Look:
    """Runs a script in a new environment; the words that it prints."""

    def look(script: str) -> list[str]:
        runtime = request.param
        if runtime == "provided.al2023":
            code = archive({"bootstrap": BOOTSTRAP.replace("SCRIPT", script)})
            name = functions.make("", Runtime=runtime, Timeout=20, Code={"ZipFile": code})
            return functions.fail(name)["errorMessage"].split()
        code = archive({"app.py": PYTHON, "app.js": NODE})
        name = functions.make("", Runtime=runtime, Timeout=20, Code={"ZipFile": code})
        return functions.call(name, script).split()

    return look


def test_the_script_is_run(look: Look) -> None:
    assert look("echo it; cat /etc/passwd >/dev/null && echo works") == ["it", "works"]


def test_no_file_of_the_machine_can_be_read(look: Look, server: Any) -> None:
    data: Path = server.data
    secrets = [data, data / "root-credentials.json", "/etc/shadow", Path.home(), "/root", "/home", "/run", "/sys"]
    secrets += [f"/proc/{server.pid}", "/proc/1/root/etc", "/proc/1/environ", "/proc/kcore", "/dev/mem", "/dev/sda"]
    paths = " ".join(str(path) for path in secrets)
    assert look(f"for path in {paths}; do ls $path/. >/dev/null 2>&1 || head -c 1 $path 2>/dev/null; done") == []


def test_nothing_but_tmp_can_be_written(look: Look) -> None:
    places = "/ /etc /usr /usr/lib /var /var/task /opt /dev /dev/shm /proc /proc/sys/kernel /tmp"
    assert look(f"for path in {places}; do touch $path/it 2>/dev/null && echo $path; done") == ["/tmp"]


def test_no_other_process_can_be_seen_or_signalled(look: Look, server: Any) -> None:
    script = f"kill -0 {server.pid} 2>/dev/null && echo signalled; kill -9 1; kill -0 1 2>/dev/null && echo seen"
    assert look(script) in ([], ["seen"])
    assert int(look("ls -d /proc/[0-9]* | wc -l")[0]) < 10


def test_a_namespace_of_ones_own_opens_nothing(look: Look) -> None:
    """Whoever is root in a user namespace may mount, but not uncover, nor write where it could not before."""
    inside = "umount -l /var/task && echo unmounted; mount -o remount,rw,bind / && echo writable;"
    inside += "mount -o remount,rw,bind /usr && echo writable; touch /usr/it /var/task/it && echo written;"
    inside += "nsenter -t 1 -m true && echo entered"
    assert look(f"unshare -Urm sh -c '{inside}' 2>/dev/null") == []


def test_no_privilege_is_left(look: Look) -> None:
    status = dict(line.split(":", 1) for line in look("grep -E '^(Cap|NoNew)' /proc/self/status | tr -d '[:blank:]'"))
    empty = "0" * 16
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {empty}
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("socket", ["AF_INET, SOCK_RAW, 1", "AF_PACKET, SOCK_RAW", "AF_NETLINK, SOCK_RAW, 9"])
def test_no_raw_socket_is_opened(functions: Functions, socket: str) -> None:
    """Netlink gives sockets to everybody: to be an auditor takes a privilege."""
    code = "from socket import *\ndef handler(event, context):\n  try:\n"
    code += f"    made = socket({socket}); made.bind((0, 1)) if made.family == AF_NETLINK else None\n"
    code += "  except PermissionError: return 'refused'"
    assert functions.call(functions.make(code)) == "refused"


def test_no_key_is_shared(functions: Functions) -> None:
    """The kernel's key rings, which belong to users and sessions."""
    code = "import ctypes\nlibc = ctypes.CDLL(None)\ndef handler(event, context):\n"
    code += "  if event: return libc.syscall(248, b'user', b'shared', b'secret', 6, -3)\n"
    code += "  return libc.syscall(250, 10, -3, b'user', b'shared', 0)"
    first, second = functions.make(code), functions.make(code)
    functions.call(first, True)
    assert functions.call(second) == -1


def test_the_variables_of_others_stay_theirs(functions: Functions) -> None:
    """Nor are the credentials of one function the next one's, in an environment that comes after."""
    code = "import os\ndef handler(event, context): return dict(os.environ)"
    first = functions.make(code, Environment={"Variables": {"SECRET": "of the first"}})
    of_first, of_second = functions.call(first), functions.call(functions.make(code))
    assert "of the first" not in json.dumps(of_second)
    assert of_first["AWS_SESSION_TOKEN"] != of_second["AWS_SESSION_TOKEN"]
