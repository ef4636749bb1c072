"""Whether programs on this machine find names under localhost, which decides how APIs and functions are addressed."""

import asyncio
import socket
import threading

# Seconds given to the machine's resolver to say so.
_PATIENCE = 0.2


class LocalhostNames:
    """`resolve` is False until the resolver has answered."""

    def __init__(self) -> None:
        self.resolve = False

    async def ask(self) -> None:
        """A name server that does not answer must not hold up the start, nor the end: hence a thread of its own."""
        asking = threading.Thread(target=self._ask, name="localhost-names", daemon=True)
        asking.start()
        await asyncio.get_running_loop().run_in_executor(None, asking.join, _PATIENCE)

    def _ask(self) -> None:
        try:
            socket.getaddrinfo("name.under.localhost", 80)
        except OSError:
            return
        self.resolve = True
