"""What is Cloudlet's own and no AWS API: its health, its accounts, its mailbox."""

import time
from collections.abc import Callable
from shlex import quote
from typing import Any

import typer
from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloudlet.cli.connection import Connection
from cloudlet.cli.errors import code

# What `status` counts: the word, the service, the paginated operation, the member that lists.
_COUNTED = (
    ("buckets", "s3", "list_buckets", "Buckets", lambda bucket: bucket["Name"]),
    ("tables", "dynamodb", "list_tables", "TableNames", str),
    ("functions", "lambda", "list_functions", "Functions", lambda function: function["FunctionName"]),
    ("queues", "sqs", "list_queues", "QueueUrls", lambda url: url.rsplit("/", 1)[1]),
    ("topics", "sns", "list_topics", "Topics", lambda topic: topic["TopicArn"].rsplit(":", 1)[1]),
)
_NAMES_SHOWN = 12


def status(connection: Connection, console: Console) -> None:
    health = connection.health()
    console.print(f"[green]●[/] Cloudlet {health['version']} at [cyan]{connection.endpoint}[/]", highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    data = health["data"]
    free = f"{data['free_bytes'] / 1024**3:.1f} GB free"
    table.add_row("data", Text(f"{data['path']} ({data['state']}, {free})", overflow="fold"))
    table.add_row("region", connection.region)
    table.add_row("services", Text(", ".join(sorted(health["services"]))))
    table.add_row("stacks", _stacks(connection))
    for word, service, operation, member, name in _COUNTED:
        table.add_row(word, _names(connection, service, operation, member, name))
    console.print(table)


def create_account(connection: Connection, name: str) -> None:
    """Prints the new account with its key, which is shown here only, in the form that a shell takes."""
    account = connection.ask("iam", "POST", "/_cloudlet/accounts", {"name": name})
    typer.echo(f"# Account {account['id']} ({account['name']}). Its root access key; keep it, it is not shown again.")
    typer.echo(f"export AWS_ENDPOINT_URL={quote(connection.endpoint)}")
    typer.echo(f"export AWS_ACCESS_KEY_ID={quote(account['access_key_id'])}")
    typer.echo(f"export AWS_SECRET_ACCESS_KEY={quote(account['secret_access_key'])}")
    typer.echo(f"export AWS_DEFAULT_REGION={quote(connection.region)}")
    typer.echo("export AWS_DISABLE_HOST_PREFIX_INJECTION=true")


def list_accounts(connection: Connection, console: Console) -> None:
    answer = connection.ask("iam", "GET", "/_cloudlet/accounts")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("Account", style="bold")
    table.add_column("Name")
    table.add_column("Canonical id", style="dim")
    for account in answer["accounts"]:
        table.add_row(account["id"], Text(account["name"]), account["canonical_id"])
    console.print(table)


def mail(connection: Connection, follow: bool) -> None:
    """Prints the e-mails of the local mailbox, oldest first; with `follow` goes on until it is interrupted."""
    shown: set[int] = set()
    while True:
        for message in reversed(connection.ask("sns", "GET", "/_cloudlet/mail")["mail"]):
            if message["id"] not in shown:
                shown.add(message["id"])
                _print_mail(message)
        if not follow:
            if not shown:
                typer.echo("No e-mail has been sent yet.")
            return
        time.sleep(0.5)


def _print_mail(message: dict[str, Any]) -> None:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(message["time"]))
    typer.echo(typer.style(f"{when}  {message['from']} → {message['to']}", dim=True))
    if message["subject"]:
        typer.secho(message["subject"], bold=True)
    typer.echo(f"\n{message['body'].rstrip()}\n\n{'─' * 72}")


def _stacks(connection: Connection) -> Text:
    pages = connection.client("cloudformation").get_paginator("describe_stacks").paginate()
    stacks = [stack for page in pages for stack in page["Stacks"]]
    return Text(", ".join(f"{stack['StackName']} ({stack['StackStatus']})" for stack in stacks) or "none")


def _names(connection: Connection, service: str, operation: str, member: str, name: Callable[[Any], str]) -> Text:
    client = connection.client(service)
    try:
        found = [name(entry) for page in client.get_paginator(operation).paginate() for entry in page.get(member, [])]
    except ClientError as error:
        return Text(f"not available: {code(error)}", style="red")
    rest = [f"and {len(found) - _NAMES_SHOWN} more"] if len(found) > _NAMES_SHOWN else []
    return Text(", ".join(sorted(found)[:_NAMES_SHOWN] + rest) or "none")
