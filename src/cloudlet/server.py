"""The composition root: builds the store's users, the services and the gateway, starts them, stops them."""

import asyncio
import contextlib
import gc
import logging
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvloop

from cloudlet import __version__
from cloudlet.console import pages
from cloudlet.core.clock import SystemClock
from cloudlet.core.data_folder import DataFolder
from cloudlet.core.service import Cloud, Service
from cloudlet.core.settings import Settings
from cloudlet.gateway.app import App
from cloudlet.gateway.http_server import HttpServer
from cloudlet.gateway.routing import Router
from cloudlet.services.apigatewayv2 import ApiGatewayV2
from cloudlet.services.cloudformation import CloudFormation
from cloudlet.services.cloudwatch import CloudWatch
from cloudlet.services.dynamodb import DynamoDB
from cloudlet.services.events import EventBridge
from cloudlet.services.iam import IAM
from cloudlet.services.lambda_ import Lambda
from cloudlet.services.logs import Logs
from cloudlet.services.s3 import S3
from cloudlet.services.scheduler import Scheduler
from cloudlet.services.sns import SNS
from cloudlet.services.sqs import SQS

_log = logging.getLogger(__name__)

# A thread that comes back from an fsync gets the interpreter lock after so long, not after Python's 5 ms.
_SWITCH_SECONDS = 0.0001
# New objects after which the collector looks for cycles: requests leave none, so Python's 700 is mostly in vain.
_COLLECT_AFTER = 20_000
# What is under way may take this long to end before it is cut off; most functions end far sooner.
_DRAIN_SECONDS = 30.0

# Each imports nothing of the others; iam comes first, since it answers who may call the rest, then cloudwatch, which
# stops after those that it measures.
_SERVICES: tuple[type[Service], ...] = (
    IAM,
    CloudWatch,
    S3,
    DynamoDB,
    SQS,
    SNS,
    Logs,
    Lambda,
    CloudFormation,
    ApiGatewayV2,
    EventBridge,
    Scheduler,
)


def run(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serves in the foreground until SIGTERM or Ctrl-C. `ready` is told the endpoint URL once requests are answered.

    Raises DataFolderInUse, OSError (the port is taken) or NewerSchemaError before anything is touched.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    with contextlib.ExitStack() as listeners:
        listener = listeners.enter_context(_bind(settings.host, settings.port))
        settings.port = listener.getsockname()[1]
        both = [listener, *(listeners.enter_context(other) for other in _bind_as_localhost(settings))]
        folder = DataFolder(settings.data)
        try:
            uvloop.run(Cloudlet(settings, folder).serve(both, ready))
        finally:
            folder.release()


class Cloudlet:
    """Everything that runs in this process."""

    def __init__(self, settings: Settings, folder: DataFolder) -> None:
        self._settings = settings
        self._folder = folder
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    async def serve(self, listeners: list[socket.socket], ready: Callable[[str], None]) -> None:
        self._listen_to_signals()
        cloud = Cloud(self._settings, SystemClock())
        _add_services(cloud)
        started: list[Service] = []
        try:
            for service in cloud.services:
                await service.start()
                started.append(service)
            app = self._gateway(cloud)
            for service in cloud.services:
                await service.recover()
            await self._serve_http(app, cloud, listeners, ready)
        finally:
            for service in reversed(started):
                await _stop(service)

    def _gateway(self, cloud: Cloud) -> App:
        s3 = next(service for service in cloud.services if isinstance(service, S3))
        router = Router(cloud.apis(), s3.has_bucket)
        return App(cloud, router, s3, lambda: self._health(cloud), pages.answer)

    async def _serve_http(
        self, app: App, cloud: Cloud, listeners: list[socket.socket], ready: Callable[[str], None]
    ) -> None:
        server = HttpServer(app)
        await server.start(listeners)
        try:
            self._announce(ready)
            await self._stopping.wait()
            await self._drain(app, cloud)
        finally:
            await server.close()

    def _announce(self, ready: Callable[[str], None]) -> None:
        # What was built until now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        self._folder.announce(self._settings.endpoint_url, __version__)
        ready(self._settings.endpoint_url)

    async def _drain(self, app: App, cloud: Cloud) -> None:
        """Ends what is under way: functions that run may call Cloudlet until they are done."""
        idle = asyncio.Event()
        app.drain(idle.set)
        ends = asyncio.gather(idle.wait(), *(_drain(service) for service in cloud.services))
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait((ends, hurry), timeout=_DRAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not ends.done():
            _log.warning("stopping although not everything has ended", extra={"after_seconds": _DRAIN_SECONDS})
            ends.cancel()
            await asyncio.gather(ends, return_exceptions=True)
        hurry.cancel()

    def _health(self, cloud: Cloud) -> dict[str, Any]:
        usage = shutil.disk_usage(self._settings.data)
        return {
            "status": "ok",
            "version": __version__,
            "services": dict.fromkeys(sorted(cloud.apis()), "running"),
            "data": {"path": str(self._settings.data), "state": "writable", "free_bytes": usage.free},
        }

    def _listen_to_signals(self) -> None:
        """The first signal stops in order, a second one at once."""

        def stop() -> None:
            if self._stopping.is_set():
                self._hurry.set()
            self._stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(1024)
    return listener


def _bind_as_localhost(settings: Settings) -> list[socket.socket]:
    """Of 127.0.0.1 the other address of `localhost`, which is the first one for many clients.

    What they sign for Cloudlet must not reach a function that listens there in its place.
    """
    if settings.host != "127.0.0.1":
        return []
    try:
        return [_bind("::1", settings.port)]
    except OSError as error:
        _log.info("not listening on ::1", extra={"reason": str(error)})
        return []


async def _drain(service: Service) -> None:
    try:
        await service.drain()
    except Exception:  # noqa: BLE001 - a boundary: the others end in order all the same
        _log.exception("a service did not end its work in order", extra={"apis": service.apis})


async def _stop(service: Service) -> None:
    try:
        await service.stop()
    except Exception:  # noqa: BLE001 - a boundary: nothing of the others may be left running
        _log.exception("a service did not stop in order", extra={"apis": service.apis})


def _add_services(cloud: Cloud) -> None:
    for service in _SERVICES:
        added = service(cloud)
        cloud.add(added)
        if isinstance(added, IAM):
            cloud.authoriser = added
            cloud.credentials = added
