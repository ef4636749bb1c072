"""The zygotes of all Python runtimes that are in use, each started when its runtime is wanted."""

from collections.abc import Mapping
from pathlib import Path

from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages import Launcher
from cloudlet.runtime.languages.python import Python
from cloudlet.runtime.sandbox import Bubblewrap
from cloudlet.runtime.zygote import Forked, Zygote


class Zygotes:
    """At most one for each runtime; none for languages of which nothing can be forked."""

    def __init__(self, sandbox: Bubblewrap) -> None:
        self._sandbox = sandbox
        self._zygotes: dict[str, Zygote] = {}

    def of(self, launcher: Launcher) -> Zygote | None:
        """The zygote of a runtime, which may not have been started yet."""
        if not isinstance(launcher.language, Python):
            return None
        zygote = self._zygotes.get(launcher.runtime)
        if zygote is None:
            zygote = self._zygotes[launcher.runtime] = Zygote(self._sandbox, launcher)
        return zygote

    async def get_ready(self, function: FunctionVersion, launcher: Launcher) -> None:
        """Returns when there is nothing to be gained by waiting any longer before the function is started."""
        zygote = self.of(launcher)
        if zygote is not None:
            await zygote.get_ready(function)

    async def fork(
        self,
        function: FunctionVersion,
        launcher: Launcher,
        variables: Mapping[str, str],
        user: int | None,
        output: int,
        cgroup: Path | None,
    ) -> Forked | None:
        """None if this function, or any at the moment, is to start in the ordinary way."""
        zygote = self.of(launcher)
        return None if zygote is None else await zygote.fork(function, variables, user, output, cgroup)

    @property
    def is_alive(self) -> bool:
        return any(zygote.is_alive for zygote in self._zygotes.values())

    def retire(self, before: float) -> None:
        """Ends those that nobody has wanted since then (in the event loop's time)."""
        for zygote in self._zygotes.values():
            zygote.retire(before)

    async def close(self) -> None:
        """Returns when all have ended."""
        for zygote in self._zygotes.values():
            await zygote.close()
