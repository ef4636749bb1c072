"""Runs the server in the foreground."""

import argparse
import errno
import gc
import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from cloudlet import __version__
from cloudlet.cli import connection
from cloudlet.cli.errors import CommandError
from cloudlet.core.data_folder import DataFolderInUse
from cloudlet.core.logs import log_to_stderr
from cloudlet.core.settings import Settings
from cloudlet.store import NewerSchemaError

_CANNOT_LISTEN = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


def up(arguments: list[str]) -> None:
    """`arguments` are those of the command. Returns when the server has stopped in order.

    Raises CommandError if it cannot start.
    """
    options = _options(arguments)
    if not isinstance(logging.getLevelName(options.log_level.upper()), int):
        raise CommandError(f"{options.log_level} is not a log level; choose debug, info, warning or error.")
    log_to_stderr(options.log_level.upper())
    settings = Settings(
        connection.data_folder(options.data),
        options.host,
        options.port,
        default_region=connection.region(),
        smtp_url=options.smtp_url,
        sns_certificate_url=options.sns_certificate_url,
        function_idle_seconds=options.function_idle_seconds,
    )

    def ready(url: str) -> None:
        gc.enable()
        typer.echo(f"Cloudlet {__version__} is ready at {typer.style(url, fg='cyan', bold=True)}")
        typer.echo(f"  data folder  {settings.data}")
        environment = "cloudlet env" if str(settings.data) == ".cloudlet" else f"cloudlet env --data {settings.data}"
        typer.echo(f'  to use it    eval "$({environment})"')
        typer.echo(f"  console      {url}/_cloudlet/console/")
        sys.stdout.flush()

    gc.disable()  # what is made until the server is ready stays
    try:
        _run(settings, ready)
    except (DataFolderInUse, NewerSchemaError) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        if error.filename is not None:
            raise CommandError(f"The data folder cannot be used: {error}") from None
        if error.errno not in _CANNOT_LISTEN and not isinstance(error, socket.gaierror):
            raise
        raise CommandError(
            f"Cloudlet cannot listen on {settings.host} port {settings.port}: {error.strerror}. "
            "Another port: cloudlet up --port 0 picks a free one."
        ) from None
    finally:
        gc.enable()


def _options(arguments: list[str]) -> argparse.Namespace:
    """Read by argparse, since Typer imports pydantic to do it: an eighth of the time until the server is ready."""
    parser = argparse.ArgumentParser(
        "cloudlet up", description="Run Cloudlet in the foreground, until Ctrl-C or SIGTERM.", allow_abbrev=False
    )
    parser.add_argument("--data", type=Path, help="the data folder [default: .cloudlet; or CLOUDLET_DATA]")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on [default: %(default)s]")
    parser.add_argument("--port", type=_port, default=4566, help="0 picks a free one [default: %(default)s]")
    parser.add_argument(
        "--smtp-url",
        default=os.environ.get("CLOUDLET_SMTP_URL") or None,
        help="where SNS e-mails go: smtp://user:password@host:587 [or CLOUDLET_SMTP_URL]",
    )
    parser.add_argument(
        "--sns-certificate-url",
        type=_web_address,
        default=os.environ.get("CLOUDLET_SNS_CERTIFICATE_URL") or None,
        help="where subscribers find the certificate of SNS [default: here; or CLOUDLET_SNS_CERTIFICATE_URL]",
    )
    parser.add_argument(
        "--function-idle-seconds",
        type=_seconds,
        default=os.environ.get("CLOUDLET_FUNCTION_IDLE_SECONDS") or "600",
        help="after which an environment that nobody calls ends [default: 600; or CLOUDLET_FUNCTION_IDLE_SECONDS]",
    )
    parser.add_argument("--log-level", default="info", help="debug, info, warning or error [default: %(default)s]")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return seconds


def _web_address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text} does not begin with https:// or http://")
    return text.rstrip("/")


def _run(settings: Settings, ready: Callable[[str], None]) -> None:
    # botocore imports awscrt wherever that is installed, for the signatures of clients. A server makes none, and would
    # wait for that large library; so botocore is told that there is none.
    absent = sys.modules.setdefault("awscrt", None)  # type: ignore[arg-type] - None is how Python notes that
    try:
        from cloudlet.server import run
    finally:
        if absent is None:
            del sys.modules["awscrt"]
    gc.freeze()  # or the collector looks through all that once more
    run(settings, ready)
