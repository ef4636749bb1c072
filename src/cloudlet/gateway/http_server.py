"""The port: accepts connections and, at the end, closes them in order."""

import asyncio
import logging
import socket
from collections.abc import Iterable

from cloudlet.gateway.connection import Application, Connection

_log = logging.getLogger(__name__)

# What is still being answered when the server closes may take so long.
_CLOSE_SECONDS = 5.0


class HttpServer:
    def __init__(self, application: Application) -> None:
        self._application = application
        self._connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._all_lost = asyncio.Event()

    async def start(self, listeners: Iterable[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for listener in listeners:
            self._servers.append(await loop.create_server(self._connection, sock=listener, backlog=1024))

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.close()
        self._all_lost.clear()
        if self._connections:
            try:
                await asyncio.wait_for(self._all_lost.wait(), _CLOSE_SECONDS)
            except TimeoutError:
                _log.warning("closing connections that are in use", extra={"connections": len(self._connections)})
        for connection in tuple(self._connections):
            connection.abort()

    def _connection(self) -> Connection:
        return Connection(self._application, self._connections.add, self._lost)

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_lost.set()
