"""The shell that runs a function's extensions beside its runtime: what it is told, and what it tells.

It reads orders from its standard input: the variables up to a line with a dot, `start` for the runtime, then signals
for it. To its standard error it writes `runtime PID`, `ended STATUS`, and `extension STATUS NAME` for each that ends.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable

_CHUNK = 1 << 16

_SCRIPT = r"""
variables=
while IFS= read -r line && [ "$line" != . ]; do
  variables="$variables$line
"
done
eval "$variables"
for extension in "$0"/*; do
  if [ -f "$extension" ] && [ -x "$extension" ]; then
    { "$extension" </dev/null 2>&1; echo "extension $? ${extension##*/}" >&2; } &
  fi
done
read -r start
{ RUNTIME </dev/null 2>&1 & echo "runtime $!" >&2; wait $!; echo "ended $?" >&2; } &
while read -r signal pid; do kill -s "$signal" "$pid"; done
"""


def script(runtime: str) -> str:
    """For a shell whose $0 is the folder of extensions; `runtime` are the shell's words for starting it."""
    return _SCRIPT.replace("RUNTIME", runtime)


class Supervisor:
    """`runtime_ended` is called with an exit status, `extension_ended` with a name as well."""

    def __init__(self, runtime_ended: Callable[[int], None], extension_ended: Callable[[str, int], None]) -> None:
        self._runtime_ended = runtime_ended
        self._extension_ended = extension_ended
        self._loop = asyncio.get_running_loop()
        self.stdin, self._orders = os.pipe()
        self._reports, self.stderr = os.pipe()
        os.set_blocking(self._reports, False)
        self._partial = b""
        self._runtime = ""
        self._loop.add_reader(self._reports, self._read)

    def started(self) -> None:
        """The shell has its ends of the pipes."""
        os.close(self.stdin)
        os.close(self.stderr)
        self.stdin = self.stderr = -1

    def order(self, text: str) -> None:
        if self._orders >= 0:
            with contextlib.suppress(BrokenPipeError):  # it has ended
                os.write(self._orders, text.encode())

    def signal_runtime(self, name: str) -> None:
        if self._runtime:
            self.order(f"{name} {self._runtime}\n")

    def close(self) -> None:
        """Ends the shell, and all that it has started."""
        if self._orders >= 0:
            self._loop.remove_reader(self._reports)
            os.close(self._orders)
            os.close(self._reports)
            self._orders = -1
        if self.stdin >= 0:
            self.started()

    def _read(self) -> None:
        try:
            chunk = os.read(self._reports, _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self._loop.remove_reader(self._reports)
            return
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace").split(" ", 2))

    def _take(self, words: list[str]) -> None:
        match words:
            case ["runtime", pid]:
                self._runtime = pid
            case ["ended", status]:
                self._runtime = ""
                self._runtime_ended(int(status))
            case ["extension", status, name]:
                self._extension_ended(name, int(status))
            case _:
                pass  # the shell tells of a child's signal in words of its own
