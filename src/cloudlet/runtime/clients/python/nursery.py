"""The zygote: loads what Python functions need once, and forks execution environments that have it from the start.

It is run by path, outside of Cloudlet's package, as root of a sandbox without any function in it. Standard input is
a socket to Cloudlet. Each message is JSON; a request brings the descriptor for the output, then perhaps that of the
cgroup to join. What it gets and what it answers is told in `zygote.py`.
Arguments: the folder of the runtime interface client, the folder of the layers.
"""

from __future__ import annotations

import array
import ctypes
import gc
import importlib
import json
import os
import platform
import resource
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any

_SERVER = 0
_REQUEST_SIZE = 1 << 18
# Where the machine's files are for the zygote, and for no function.
_HOST = "/var/host"
_COVERED_IN_PROC = ("/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_WARMED_CLIENTS = ("s3", "dynamodb", "sqs", "sns")
# What clients load for their first request.
_LOADED_LATE = ("boto3.dynamodb.table", "encodings.idna")
# The kinds of files with the models of services.
_MODEL_FILES = ("service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2", "resources-1")

# AWS's limits of processes and threads, and of open files. Users of the same name space are counted together.
_MOST_PROCESSES = 1024
_MOST_PROCESSES_TOGETHER = 8192
_MOST_FILES = 1024

_CLONE = {"x86_64": 56, "aarch64": 220}
_NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000  # mount, uts, ipc, pid
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 1 << 12, 1 << 14, 1 << 18
_RELATIME = 1 << 21
_DETACH = 2
_SET_PDEATHSIG, _SET_DUMPABLE, _CAPBSET_DROP, _SET_NO_NEW_PRIVS, _CAP_AMBIENT = 1, 4, 24, 38, 47
_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522

# The interpreter's lock is kept during these calls: nothing else is to happen meanwhile, least of all in a new process.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.syscall.argtypes = [ctypes.c_long] * 6
_libc.syscall.restype = ctypes.c_long


class Nursery:
    """`answer` and `serve` return the request that made the process, in the process of each function."""

    def __init__(self) -> None:
        self._server = socket.socket(fileno=_SERVER)
        # Its reading end tells a new process whether the zygote is still there to be told of by the kernel.
        self._alive, self._living = os.pipe()
        self._processes: dict[int, int] = {}  # descriptor to pid

    def descriptors(self) -> set[int]:
        """Those that it needs itself, and passes on to no function."""
        return {_SERVER, self._alive, self._living, *self._processes}

    def serve(self) -> dict:
        """Tells Cloudlet that the zygote is warm. Returns for no other process."""
        names = sorted({name.partition(".")[0] for name in sys.modules})
        self._server.send(json.dumps({"modules": names, "memory": _anonymous_memory()}).encode())
        while True:
            poll = select.poll()
            for descriptor in (_SERVER, *self._processes):
                poll.register(descriptor, select.POLLIN)
            for descriptor, _ in poll.poll():
                if descriptor != _SERVER:
                    self._bury(descriptor)
                elif (request := self.answer()) is not None:
                    return request

    def answer(self) -> dict | None:
        """Waits for one request; None in the zygote itself."""
        message, ancillary, _, _ = self._server.recvmsg(_REQUEST_SIZE, socket.CMSG_SPACE(2 * 4))
        if not message:
            os._exit(0)  # Cloudlet is gone
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        request = json.loads(message)
        try:
            pid = _clone()
        except OSError as error:
            answer = {"error": str(error)}
        else:
            if pid == 0:
                self._become(request, list(descriptors))
                return request
            self._processes[os.pidfd_open(pid)] = pid
            answer = {"pid": pid}
        for descriptor in descriptors:
            os.close(descriptor)
        self._server.send(json.dumps(answer).encode())
        return None

    def _bury(self, descriptor: int) -> None:
        pid = self._processes.pop(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        self._server.send(json.dumps({"ended": pid, "status": os.waitstatus_to_exitcode(status)}).encode())

    def _become(self, request: dict, descriptors: list[int]) -> None:
        """Returns in the function's process; the one above it is the first of the new namespace and remains that."""
        try:
            os.close(self._living)
            output, *cgroup = descriptors
            for descriptor in cgroup:
                os.write(descriptor, b"0")
            os.setsid()
            _arrange_files(request)
            _drop_privileges(request["user"])
            _limit(resource.RLIMIT_NPROC, _MOST_PROCESSES if request["user"] else _MOST_PROCESSES_TOGETHER)
            _limit(resource.RLIMIT_NOFILE, _MOST_FILES)
            _end_with_the_zygote(self._alive)
            self._server.detach()
            os.dup2(os.open("/dev/null", os.O_RDWR), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            _close_all_but_standard()
            function = os.fork()
        except BaseException:  # noqa: BLE001 - nothing may go on with half of a sandbox
            traceback.print_exc()
            os._exit(1)
        if function:
            _reap_until_end(function)
        # A change of user makes a process undumpable, which would take its own files in /proc from it.
        _check(_libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0))


def _clone() -> int:
    """A fork into new namespaces; glibc has no such call. 0 in the new process."""
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = _libc.syscall(_CLONE[platform.machine()], _NEW_NAMESPACES | signal.SIGCHLD, 0, 0, 0, 0)
    number = ctypes.get_errno()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, os.strerror(number))
    return pid


def _arrange_files(request: dict) -> None:
    _mount(None, "/", None, _REC | _PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={request['tmp']}")
    _mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV, "mode=0755")
    _mount("devpts", "/dev/pts", "devpts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    _mount_read_only(_HOST + request["code"], "/var/task")
    if request["layers"]:
        _mount_read_only(_HOST + request["layers"], "/opt")
    _hide(_HOST)
    _mount("tmpfs", _HOST, "tmpfs", _NOSUID | _NODEV, "mode=0700")
    with open(f"{_HOST}/passwd", "w") as file:
        file.write(request["passwd"])
        os.fchmod(file.fileno(), 0o444)
    _mount_read_only(f"{_HOST}/passwd", "/etc/passwd")
    _check(_libc.umount2(_HOST.encode(), _DETACH))
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    for path in _COVERED_IN_PROC:
        if os.path.exists(path):
            _mount_read_only(path, path)
    os.chdir("/var/task")


def _drop_privileges(user: int | None) -> None:
    """All of them, for good. `user` is None where the process is somebody unprivileged already."""
    with open("/proc/sys/kernel/cap_last_cap") as file:
        last = int(file.read())
    for capability in range(last + 1):
        _check(_libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0))
    _check(_libc.prctl(_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()))
    _check(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (wanted, wanted))


def _end_with_the_zygote(alive: int) -> None:
    """To be called after the change of user, which takes this back."""
    _check(_libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    poll = select.poll()
    poll.register(alive, 0)
    if poll.poll(0):
        os._exit(1)


def _reap_until_end(function: int) -> None:
    """What the first process of a namespace is for. Its exit status is the one of the function, as bubblewrap's is."""
    while True:
        pid, status = os.wait()
        if pid == function:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    source_, target_, kind_, options_ = (text and text.encode() for text in (source, target, kind, options))
    _check(_libc.mount(source_, target_, kind_, flags, options_), f"{kind or source} on {target}")


def _mount_read_only(source: str, target: str) -> None:
    _mount(source, target, None, _BIND)
    # A user namespace may not take back what the source is mounted with.
    found = os.statvfs(target).f_flag
    kept = found & (_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME) | (_RELATIME if found & os.ST_RELATIME else 0)
    _mount(None, target, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | kept)


def _hide(target: str) -> None:
    """What a user namespace may not unmount is covered, for good: nobody in it may take the cover away."""
    if _libc.umount2(target.encode(), _DETACH) != 0:
        _mount("tmpfs", target, "tmpfs", _RDONLY | _NOSUID | _NODEV, "mode=0755")


def _check(result: int, what: str = "") -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} {what}")


def _warm_up() -> None:
    """Imports what functions use, and leaves a default session that has read what clients are made of."""
    import boto3  # pyright: ignore[reportMissingImports]
    from botocore import loaders  # pyright: ignore[reportMissingImports]

    # This extension reads the address of the Runtime API when it is loaded, so that each function has to do that.
    sys.modules["runtime_client"] = None  # type: ignore[assignment] - for "not to be found"
    importlib.import_module("awslambdaric.bootstrap")
    del sys.modules["runtime_client"]
    for name in _LOADED_LATE:
        importlib.import_module(name)
    # Models become plain dictionaries: smaller, and so faster to make and to share.
    ordered, loaders.OrderedDict = loaders.OrderedDict, dict
    boto3.setup_default_session()
    session: Any = vars(boto3.DEFAULT_SESSION)["_session"]
    _list_models(session.get_component("data_loader"))
    for name in _WARMED_CLIENTS:
        client = boto3.client(name, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
        client.close()
    boto3.resource("dynamodb", "us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
    loaders.OrderedDict = ordered
    session._config = session._profile_map = None  # the function may have a configuration
    assert session._credentials is None


def _list_models(loader: Any) -> None:
    """Leaves botocore's loader knowing which services there are: it would walk through all folders for each kind."""
    found: dict[str, set[str]] = {kind: set() for kind in _MODEL_FILES}
    paths: list[str] = loader.search_paths
    for path in filter(os.path.isdir, paths):
        for service in os.scandir(path):
            for version in os.scandir(service.path) if service.is_dir() else ():
                for file in os.listdir(version.path) if version.is_dir() else ():
                    kind, _, ending = file.partition(".")
                    if ending in ("json", "json.gz") and kind in found:
                        found[kind].add(service.name)
    for kind, services in found.items():
        loader._cache["list_available_services", kind] = sorted(services)


def _anonymous_memory() -> int:
    with open("/proc/self/statm") as file:
        resident, shared = file.read().split()[1:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _close_all_but_standard() -> None:
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _be_single(own: set[int]) -> None:
    """Neither a thread nor an open file may be passed on, but for those that are closed in time."""
    tasks, descriptors = os.listdir("/proc/self/task"), set(map(int, os.listdir("/proc/self/fd")))
    extra = [number for number in descriptors - {0, 1, 2} - own if os.path.exists(f"/proc/self/fd/{number}")]
    if len(tasks) > 1 or extra:
        raise RuntimeError(f"threads {tasks}, descriptors {extra}")


def _adopt_variables(variables: dict[str, str]) -> None:
    """The interpreter sets LC_CTYPE for itself, a shell sets PWD; everything else is the function's."""
    own = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update({**own, "PWD": os.getcwd(), **variables})
    time.tzset()


def main() -> None:
    gc.disable()
    _close_all_but_standard()  # whatever Cloudlet itself was started with
    runtime, layers = sys.argv[1:]
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [here, *sys.path]
    from bootstrap import client_path, run, standard_path  # pyright: ignore[reportMissingImports]

    del sys.modules["bootstrap"]
    standard = standard_path(runtime)
    sys.path[:] = client_path(runtime, standard)
    sys.path_importer_cache.clear()
    nursery = Nursery()
    # The first request is for a process that does nothing: it shows whether this works, while the rest is loaded.
    if nursery.answer() is not None:
        return
    _warm_up()
    gc.freeze()  # what little garbage there is as well: looking for it takes longer than is worth it
    _libc.malloc_trim(0)
    _be_single(nursery.descriptors())
    request = nursery.serve()
    _adopt_variables(request["variables"])
    # They have read the environment when they were loaded.
    for name in ("awslambdaric.lambda_runtime_client", "awslambdaric.bootstrap"):
        importlib.reload(sys.modules[name])
    run(runtime, layers, standard)


if __name__ == "__main__":
    main()
