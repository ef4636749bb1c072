"""Runs the server in the foreground."""

import errno
import logging
import socket
import sys

import typer

from cloudlet import __version__
from cloudlet.cli.errors import CommandError
from cloudlet.core.data_folder import DataFolderInUse
from cloudlet.core.logs import log_to_stderr
from cloudlet.core.settings import Settings
from cloudlet.server import run
from cloudlet.store import NewerSchemaError

_CANNOT_LISTEN = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


def up(settings: Settings, log_level: str) -> None:
    """Returns when the server has stopped in order. Raises CommandError if it cannot start."""
    if not isinstance(logging.getLevelName(log_level.upper()), int):
        raise CommandError(f"{log_level} is not a log level; choose debug, info, warning or error.")
    log_to_stderr(log_level.upper())
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # that it starts and stops, we say ourselves

    def ready(url: str) -> None:
        typer.echo(f"Cloudlet {__version__} is ready at {typer.style(url, fg='cyan', bold=True)}")
        typer.echo(f"  data folder  {settings.data}")
        environment = "cloudlet env" if str(settings.data) == ".cloudlet" else f"cloudlet env --data {settings.data}"
        typer.echo(f'  to use it    eval "$({environment})"')
        sys.stdout.flush()

    try:
        run(settings, ready)
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
