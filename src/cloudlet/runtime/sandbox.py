"""How the process of an execution environment is fenced in: by bubblewrap, or not at all where it cannot run.

Inside, the process sees a read-only system, its own /tmp, /var/task and /opt, and no other process. The network is
the machine's, so that functions reach Cloudlet and the internet.
"""

import logging
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudlet.runtime import supervisor
from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages import Launcher, Places
from cloudlet.runtime.variables import zygote_variables

_log = logging.getLogger(__name__)

_NURSERY = Path(__file__).parent / "clients" / "python" / "nursery.py"
_SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
# What programs need to find hosts, check certificates and tell the local time.
_ETC = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "gai.conf", "host.conf", "hosts", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "os-release", "pki", "protocols",
    "resolv.conf", "services", "ssl", "timezone",
)  # fmt: skip
_USERS = "root:x:0:0::/:/usr/sbin/nologin\nsbx_user:x:{0}:{0}::/tmp:/usr/sbin/nologin\n"
# AWS's limits of processes and threads, and of open files. Shells do not agree on a letter for the former.
_LIMITS = "{{ ulimit -u {0} || ulimit -p {0}; }} 2>/dev/null; ulimit -n 1024; "
_MOST_PROCESSES = 1024
# Where the kernel may count all processes of Cloudlet's own user.
_MOST_PROCESSES_TOGETHER = 8192
_PLAIN = '"$@"'
# A script of the function's own starts the runtime.
_WRAPPED = '${AWS_LAMBDA_EXEC_WRAPPER:+"$AWS_LAMBDA_EXEC_WRAPPER"} "$@"'
# The name by which extensions listen for telemetry.
_SANDBOX_HOST = "127.0.0.1 sandbox.localdomain sandbox\n"
_PATH = "/usr/bin:/bin"
# Where functions may bring libraries.
_LIBRARIES = ("/var/task", "/var/task/lib", "/opt", "/opt/lib")
# To change user and give up all capabilities.
_CHANGE_OF_USER = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
# To mount, to change user and give up all capabilities, to reach the folders of functions whoever owns them, and to
# take the functions along when it dies: the kernel asks whether the dead was allowed to send that signal.
_ZYGOTE_CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH", "CAP_KILL")
_FIRST_USER = 1_900_000_000
_USER_COUNT = 100_000_000


@dataclass(frozen=True, slots=True)
class Confined:
    """What to start: the command, its folder and its environment. Its standard input is to bring `variables`.

    `descriptors` are handed on; they are to be closed afterwards.
    """

    command: list[str]
    environment: Mapping[str, str]
    folder: Path | None
    variables: str
    descriptors: tuple[int, ...]


class Bubblewrap:
    """Mount, pid, ipc and uts namespaces, and an unprivileged user: one of its own where Cloudlet runs as root."""

    shares_tmp = False

    def __init__(self, program: str) -> None:
        self._program = program
        self._is_root = os.geteuid() == 0
        self._next_user = _FIRST_USER + os.getpid() * 64 % _USER_COUNT
        self._fixed = _system_arguments()
        self._confinement = self._confining_arguments()

    def works(self) -> bool:
        probe = [self._program, "--tmpfs", "/tmp", *self._fixed, *self._confinement, "--", "/bin/sh", "-c", ":"]
        answer = subprocess.run(probe, capture_output=True, text=True, timeout=10, check=False)
        if answer.returncode != 0:
            _log.warning("bubblewrap cannot run here", extra={"reason": answer.stderr.strip()})
        return answer.returncode == 0

    def take_user(self) -> int | None:
        """The system user for the next environment; None if it is the one of Cloudlet itself."""
        if not self._is_root:
            return None
        self._next_user += 1
        return self._next_user

    def places(self, function: FunctionVersion, launcher: Launcher) -> Places:
        return Places("/var/task", "/opt", {name: f"/var/{name}" for name in launcher.files})

    def confine(
        self,
        function: FunctionVersion,
        launcher: Launcher,
        environment: Mapping[str, str],
        user: int | None,
        *,
        supervised: bool,
    ) -> Confined:
        """The variables are read from standard input, by the function's own user.

        They are not for other eyes, as a command line would be, and a variable such as LD_PRELOAD has no say over
        what runs before the sandbox is closed. `supervised` is who has extensions. Raises EntrypointMissing.
        """
        places = self.places(function, launcher)
        start = launcher.command(function, places)
        passwd = memory_file(passwd_file(user))
        hosts = memory_file(_hosts()) if supervised else None
        variables = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
        command = [
            *(self._program, "--perms", "1777", "--size", str(function.ephemeral_storage << 20), "--tmpfs", "/tmp"),
            *self._fixed,
            *_launcher_arguments(launcher),
            *self._confinement,
            *("--perms", "0444", "--ro-bind-data", str(passwd), "/etc/passwd"),
            *(("--perms", "0444", "--ro-bind-data", str(hosts), "/etc/hosts") if hosts is not None else ()),
            *("--ro-bind", str(function.code), "/var/task"),
            *(("--ro-bind", str(function.layers), "/opt") if function.layers else ("--dir", "/opt")),
            *("--chdir", "/var/task", "--remount-ro", "/", "--"),
            *(_become(user) if user else ()),
            *_shell(launcher, places, _MOST_PROCESSES if user else _MOST_PROCESSES_TOGETHER, supervised=supervised),
            *start,
        ]
        descriptors = (passwd,) if hosts is None else (passwd, hosts)
        return Confined(command, {"PATH": _PATH}, None, variables, descriptors)

    def zygote_command(self, launcher: Launcher) -> list[str]:
        """The same system, with what `nursery.py` needs to make of it the sandbox of one function."""
        assert launcher.interpreter is not None
        places = Places("/var/task", "/opt", {name: f"/var/{name}" for name in launcher.files})
        capabilities = [argument for name in _ZYGOTE_CAPABILITIES for argument in ("--cap-add", name)]
        settings = [argument for item in zygote_variables(launcher, places).items() for argument in ("--setenv", *item)]
        return [
            *(self._program, *self._fixed, *_launcher_arguments(launcher)),
            *("--cap-drop", "ALL", *capabilities, *settings),
            *(() if self._is_root else ("--unshare-user",)),
            # The dynamic loader never again looks for folders that it has missed.
            *("--perms", "1777", "--tmpfs", "/tmp"),
            *(argument for folder in _LIBRARIES for argument in ("--perms", "0755", "--dir", folder)),
            *("--bind", "/proc", "/proc", "--remount-ro", "/dev", "--ro-bind", "/", "/var/host"),
            *("--ro-bind", "/dev/null", "/etc/passwd"),
            *("--ro-bind", str(_NURSERY), "/var/nursery.py", "--remount-ro", "/", "--"),
            *(str(launcher.interpreter.program), "-S", "/var/nursery.py", "/var/runtime", "/opt"),
        ]

    def _confining_arguments(self) -> list[str]:
        arguments = ["--unshare-pid", "--proc", "/proc"]
        if self._is_root:
            needed = (argument for name in _CHANGE_OF_USER for argument in ("--cap-add", name))
            return [*arguments, "--cap-drop", "ALL", *needed]
        return [*arguments, "--unshare-user"]


class Unconfined:
    """Plain processes, for machines without bubblewrap: they see the machine as Cloudlet's own user does."""

    shares_tmp = True

    def take_user(self) -> int | None:
        return None

    def places(self, function: FunctionVersion, launcher: Launcher) -> Places:
        files = {name: str(path) for name, path in launcher.files.items()}
        return Places(str(function.code), str(function.layers or "/nonexistent"), files)

    def confine(
        self,
        function: FunctionVersion,
        launcher: Launcher,
        environment: Mapping[str, str],
        user: int | None,
        *,
        supervised: bool,
    ) -> Confined:
        """Raises EntrypointMissing."""
        places = self.places(function, launcher)
        shell = _shell(launcher, places, _MOST_PROCESSES_TOGETHER, supervised=supervised)
        command = [*shell, *launcher.command(function, places)]
        return Confined(command, {**environment, "LAMBDA_TASK_ROOT": str(function.code)}, function.code, "", ())


def choose_sandbox() -> Bubblewrap | Unconfined:
    """Asks the machine once what it can do."""
    program = shutil.which("bwrap")
    if program is not None:
        bubblewrap = Bubblewrap(program)
        if bubblewrap.works():
            return bubblewrap
    _log.warning(
        "functions run without isolation, one execution environment per function: install bubblewrap (bwrap)"
        " and allow it user namespaces"
    )
    return Unconfined()


def passwd_file(user: int | None) -> str:
    """What /etc/passwd says inside; `user` as `take_user` gave it."""
    return _USERS.format(user or os.geteuid())


def memory_file(content: str) -> int:
    """A descriptor from which the content can be read; the caller closes it."""
    descriptor = os.memfd_create("cloudlet")
    os.write(descriptor, content.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _become(user: int) -> list[str]:
    """For good: it keeps no capability, and can come by none."""
    ids = (f"--reuid={user}", f"--regid={user}", "--clear-groups")
    return ["/usr/bin/setpriv", *ids, "--inh-caps=-all", "--bounding-set=-all"]


def _shell(launcher: Launcher, places: Places, processes: int, *, supervised: bool) -> list[str]:
    """What reads the variables and then becomes the runtime, or supervises it."""
    runtime = _PLAIN if launcher.interpreter is None else _WRAPPED
    limits = _LIMITS.format(processes)
    if supervised:
        return ["/bin/sh", "-c", limits + supervisor.script(runtime), f"{places.layers}/extensions"]
    return ["/bin/sh", "-c", f"{limits}. /dev/stdin; exec {runtime} </dev/null", "sh"]


def _hosts() -> str:
    try:
        return Path("/etc/hosts").read_text() + _SANDBOX_HOST
    except OSError:
        return _SANDBOX_HOST


def _system_arguments() -> list[str]:
    """What every function sees of the machine."""
    arguments = ["--unshare-ipc", "--unshare-uts", "--hostname", "localhost"]
    arguments += ["--die-with-parent", "--new-session", "--clearenv", "--setenv", "PATH", _PATH]
    arguments += ["--ro-bind", "/usr", "/usr"]
    for folder in map(Path, _SYSTEM_FOLDERS):
        if folder.is_symlink():
            arguments += ["--symlink", os.readlink(folder), str(folder)]
        elif folder.exists():
            arguments += ["--ro-bind", str(folder), str(folder)]
    for folder in ("/etc", "/var"):
        arguments += ["--perms", "0755", "--dir", folder]
    for name in _ETC:
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return [*arguments, "--dev", "/dev"]


def _launcher_arguments(launcher: Launcher) -> list[str]:
    """What functions of one runtime see beside that."""
    arguments: list[str] = []
    made = {Path("/etc"), Path("/var")}

    def show(source: Path, target: Path) -> None:
        """Folders that bubblewrap makes by itself on the way to a mount would be for root alone."""
        for parent in reversed(target.parents[:-1]):
            if parent not in made and not parent.is_relative_to("/usr"):
                made.add(parent)
                arguments.extend(("--perms", "0755", "--dir", str(parent)))
        arguments.extend(("--ro-bind", str(source), str(target)))

    for folder in launcher.folders:
        if not folder.is_relative_to("/usr"):
            show(folder, folder)
    for name, path in launcher.files.items():
        show(path, Path("/var", name))
    if launcher.interpreter is not None:
        arguments += ["--symlink", str(launcher.interpreter.home), "/var/lang"]
    for link, target in launcher.links:
        arguments += ["--symlink", target, link]
    return arguments
