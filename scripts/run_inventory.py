"""Starts Cloudlet, deploys the inventory application, uploads the sample files and orders, and serves until Ctrl-C."""

import argparse
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape

from cloudlet.cli.connection import Connection, connect
from cloudlet.cli.errors import CommandError
from cloudlet.core.data_folder import running_server

APPLICATION = Path(__file__).parents[1] / "apps" / "inventory"
STACK = "inventory"
MANAGERS = "managers@example.com"
CLOUDLET = [sys.executable, "-m", "cloudlet.cli.main"]
PATIENCE = 60.0  # seconds, for each thing that is waited for

console = Console(highlight=False)
Value = TypeVar("Value")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=Path(".cloudlet"))
    options.add_argument("--port", type=int, default=4566)
    given = options.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    server = None if running_server(given.data) else _start(given.data, given.port)
    try:
        connection = _wait_until_it_serves(given.data, server)
        _deploy(given.data)
        outputs = _outputs(connection)
        _confirm_subscription(connection)
        _upload_samples(connection, outputs)
        _introduce(given.data, outputs)
        if server is None:
            console.print("This Cloudlet was running already and goes on where it was started.")
            return 0
        console.print("[dim]Ctrl-C stops everything; what is stored stays.[/]")
        return server.wait()
    except KeyboardInterrupt:
        return 0
    except (CommandError, TimeoutError) as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return 1
    finally:
        if server is not None:
            _stop(server)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _start(data: Path, port: int) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C comes to this script, which then stops the server in order."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [*CLOUDLET, "up", "--data", str(data), "--port", str(port)]
    with open(_log(data), "ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        with console.status("Stopping: what is under way is finished first"):
            server.terminate()
            try:
                server.wait()
            except KeyboardInterrupt:
                server.terminate()  # a second time: at once
                server.wait()
    console.print("Stopped.")


def _log(data: Path) -> Path:
    return data / "cloudlet.log"


def _wait_until_it_serves(data: Path, server: subprocess.Popen[bytes] | None) -> Connection:
    def serving() -> Connection | None:
        if server is not None and server.poll() is not None:
            last = _log(data).read_text(errors="replace").splitlines()[-15:]
            raise CommandError("Cloudlet did not start:\n" + "\n".join(last))
        if running_server(data) is None:
            return None
        connection = connect(data)
        connection.health()
        return connection

    connection = _wait_for("Cloudlet to start", serving)
    console.print(f"[green]✓[/] Cloudlet serves at [cyan]{connection.endpoint}[/]")
    return connection


def _wait_for(what: str, found: Callable[[], Value | None]) -> Value:
    """Asks again and again for at most PATIENCE seconds. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = found()
        if value is not None:
            return value
        time.sleep(0.05)
    raise TimeoutError(f"Waited {PATIENCE:.0f} seconds for {what}, in vain.")


def _deploy(data: Path) -> None:
    command = [*CLOUDLET, "deploy", str(APPLICATION), "--stack-name", STACK, "--data", str(data)]
    if subprocess.run([*command, "--parameter", f"ManagersEmail={MANAGERS}"], check=False).returncode != 0:
        raise CommandError("The inventory application could not be deployed.")


def _outputs(connection: Connection) -> dict[str, str]:
    stack = connection.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _confirm_subscription(connection: Connection) -> None:
    """Does what the managers would do: opens the link in the e-mail that asks for a confirmation."""

    def link() -> str | None:
        for message in connection.ask("sns", "GET", "/_cloudlet/mail")["mail"]:
            found = re.search(r"https?://\S*Action=ConfirmSubscription\S*", message["body"])
            if found is not None:
                return found[0]
        return None

    pending = _pending_subscriptions(connection)
    if pending:
        url = _wait_for("the e-mail that asks for a confirmation", link)
        with urllib.request.urlopen(url, timeout=PATIENCE):
            console.print(f"[green]✓[/] {MANAGERS} confirmed the subscription to alerts")


def _pending_subscriptions(connection: Connection) -> list[dict[str, Any]]:
    pages = connection.client("sns").get_paginator("list_subscriptions").paginate()
    subscriptions = [subscription for page in pages for subscription in page["Subscriptions"]]
    return [found for found in subscriptions if found["SubscriptionArn"] == "PendingConfirmation"]


def _upload_samples(connection: Connection, outputs: dict[str, str]) -> None:
    """All stores at the same moment, as in the evening, then the orders; not if there are files already."""
    s3 = connection.client("s3")
    bucket = outputs["BucketName"]
    if s3.list_objects_v2(Bucket=bucket, Prefix="inventory/", MaxKeys=1)["KeyCount"]:
        return
    samples = sorted((APPLICATION / "samples").glob("*.csv"))
    rows = sum(len(sample.read_text().splitlines()) - 1 for sample in samples)

    def upload(sample: Path) -> None:
        s3.put_object(Bucket=bucket, Key=f"inventory/{sample.name}", Body=sample.read_bytes())

    def loaded() -> bool | None:
        levels = connection.client("dynamodb").scan(TableName=outputs["TableName"], Select="COUNT")
        return levels["Count"] >= rows or None

    with ThreadPoolExecutor(len(samples)) as shops:
        list(shops.map(upload, samples))
    started = time.monotonic()
    _wait_for(f"{rows} levels in the table", loaded)
    taken = time.monotonic() - started
    console.print(f"[green]✓[/] {len(samples)} stores uploaded their files; {rows} levels were loaded in {taken:.1f} s")
    _upload_orders(connection, outputs)


def _upload_orders(connection: Connection, outputs: dict[str, str]) -> None:
    samples = sorted((APPLICATION / "samples" / "orders").iterdir())
    for sample in samples:
        key = f"orders/{sample.name}"
        connection.client("s3").put_object(Bucket=outputs["BucketName"], Key=key, Body=sample.read_bytes())

    def decided() -> bool | None:
        """A file is in the bucket's reports once each of its orders is decided."""
        found = connection.client("s3").list_objects_v2(Bucket=outputs["BucketName"], Prefix="reports/orders/")
        return found["KeyCount"] >= len(samples) or None

    _wait_for("the orders to be decided", decided)
    orders = connection.client("dynamodb").scan(TableName=outputs["OrdersTableName"])["Items"]
    reserved = sum(order["Status"]["S"] == "RESERVED" for order in orders)
    waiting = len(orders) - reserved
    console.print(f"[green]✓[/] {len(orders)} orders arrived: {reserved} reserved, {waiting} back-ordered")


def _introduce(data: Path, outputs: dict[str, str]) -> None:
    options = "" if data == Path(".cloudlet") else f" --data {data}"
    programs = ".venv/bin/cloudlet"
    console.print()
    console.print(f"  [bold]Dashboard[/]       [cyan]{outputs['DashboardUrl']}[/]")
    console.print("                  levels, orders and reports; drop files of your own onto it")
    console.print(f"  [bold]Alerts[/]          {programs} mail --follow{options}")
    console.print(f"  [bold]What runs here[/]  {programs} status{options}")
    console.print(f'  [bold]AWS tools[/]       eval "$({programs} env{options})"')
    console.print(f"  [bold]Server's log[/]    {_log(data)}")
    console.print()


if __name__ == "__main__":
    sys.exit(main())
