"""The commands. What a command needs is imported when it runs, so that each starts quickly."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cloudlet.cli.errors import explanation

if TYPE_CHECKING:
    from rich.console import Console


class _Commands(TyperGroup):
    """Where errors of all commands become messages."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # Whoever read the output has seen enough (`cloudlet logs | head`).
            sys.stdout = None  # type: ignore[assignment] - or Python complains when it flushes it at the end
            raise typer.Exit(0) from None
        except (RuntimeError, TyperException):
            raise  # typer.Exit among them, and what Typer explains itself
        except Exception as error:
            text = explanation(error)
            if text is None:
                raise
            typer.secho(text, fg="red", err=True)
            raise typer.Exit(1) from None


_STYLE: dict[str, Any] = {"no_args_is_help": True, "pretty_exceptions_enable": False, "rich_markup_mode": None}

app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    help="AWS applications on one machine, for real.",
    # Without it, Typer imports pydantic to convert what no --help says (see `serving` for what that costs).
    context_settings={"default_map": {"help": False}},
    **_STYLE,
)
accounts = typer.Typer(help="Accounts of this Cloudlet.", **_STYLE)
app.add_typer(accounts, name="account")

Data = Annotated[
    Path | None, typer.Option("--data", envvar="CLOUDLET_DATA", help="The data folder [default: .cloudlet]")
]
Function = Annotated[str, typer.Argument(help="The function's name, or its logical id in a stack")]


@app.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def up(context: typer.Context) -> None:
    """Run Cloudlet in the foreground, until Ctrl-C or SIGTERM."""
    from cloudlet.cli import serving

    serving.up(context.args)


@app.command()
def env(data: Data = None) -> None:
    """Print what makes any AWS SDK or tool talk to Cloudlet: eval "$(cloudlet env)"."""
    from shlex import quote

    from cloudlet.cli import connection
    from cloudlet.core.data_folder import running_server

    folder = connection.data_folder(data)
    server = running_server(folder)
    key = connection.readable_root_key(folder)
    values = {
        "AWS_ENDPOINT_URL": server.url if server else connection.DEFAULT_ENDPOINT,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_DEFAULT_REGION": connection.region(),
        # Some operations have hosts of their own on AWS (`stream-logs…`), which this machine's name has not.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }
    for name, value in values.items():
        typer.echo(f"export {name}={quote(value)}")


@app.command()
def deploy(
    template: Annotated[Path, typer.Argument(help="A SAM or CloudFormation template, or the folder that holds one")],
    stack_name: Annotated[str | None, typer.Option(help="[default: the folder's name]")] = None,
    parameter: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="May be given several times")] = None,
    data: Data = None,
) -> None:
    """Package local code, then create or update the stack."""
    from cloudlet.cli import stacks
    from cloudlet.cli.connection import connect

    path = stacks.template_file(template)
    parameters = stacks.parameter_values(parameter or [])
    stacks.deploy(connect(data), path, stack_name or stacks.stack_name_for(path), parameters, _console())


@app.command()
def destroy(
    stack: Annotated[str, typer.Argument(help="The stack's name")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    data: Data = None,
) -> None:
    """Delete a stack with everything in it, the objects in its buckets too."""
    from cloudlet.cli import stacks
    from cloudlet.cli.connection import connect

    connection = connect(data)
    if not yes:
        typer.confirm(f"Delete the stack {stack} with everything in it?", abort=True)
    stacks.destroy(connection, stack, _console())


@app.command()
def invoke(
    name: Function,
    event: Annotated[str | None, typer.Option(metavar="FILE", help="The event's file; - for standard input")] = None,
    payload: Annotated[str | None, typer.Option(metavar="JSON", help="The event itself [default: {}]")] = None,
    log: Annotated[bool, typer.Option("--log", help="Show what the function printed, on standard error")] = False,
    data: Data = None,
) -> None:
    """Invoke a function and print its answer."""
    from cloudlet.cli import functions
    from cloudlet.cli.connection import connect

    functions.invoke(connect(data), name, event, payload, log)


@app.command()
def logs(
    name: Function,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C")] = False,
    since: Annotated[str, typer.Option(help="How far back: 90s, 10m, 2h, 1d")] = "10m",
    data: Data = None,
) -> None:
    """Show what a function printed."""
    from cloudlet.cli import functions
    from cloudlet.cli.connection import connect

    functions.logs(connect(data), name, since, follow)


@app.command()
def status(data: Data = None) -> None:
    """Show what runs here: services, stacks and their resources."""
    from cloudlet.cli import administration
    from cloudlet.cli.connection import connect

    administration.status(connect(data), _console())


@app.command()
def mail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C")] = False,
    data: Data = None,
) -> None:
    """Show the e-mails that SNS sent into the local mailbox."""
    from cloudlet.cli import administration
    from cloudlet.cli.connection import connect

    administration.mail(connect(data), follow)


@accounts.command("create")
def create_account(name: Annotated[str, typer.Argument(help="A name for people")], data: Data = None) -> None:
    """Make an account with a root access key of its own, and print both."""
    from cloudlet.cli import administration
    from cloudlet.cli.connection import connect

    administration.create_account(connect(data), name)


@accounts.command("list")
def list_accounts(data: Data = None) -> None:
    """List the accounts."""
    from cloudlet.cli import administration
    from cloudlet.cli.connection import connect

    administration.list_accounts(connect(data), _console())


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 200  # files and pipes have no edge at which lines should break
    return console


if __name__ == "__main__":
    app()
