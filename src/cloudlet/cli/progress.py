"""Shows how a stack is coming along: a live table on a terminal, a line per event elsewhere."""

import time
from abc import ABC, abstractmethod
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

Event = dict[str, Any]


class Progress(ABC):
    """Takes the events of DescribeStackEvents, within a `with` block."""

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...

    @abstractmethod
    def show(self, event: Event) -> None: ...


def progress(console: Console) -> Progress:
    return LiveTable(console) if console.is_terminal else Lines(console)


class Lines(Progress):
    """A line for each step, but for those that only say that another step has really begun."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, event: Event) -> None:
        if event.get("ResourceStatusReason") == "Resource creation Initiated":
            return
        line = f"{event['ResourceStatus']:<28} {event['LogicalResourceId']} ({event['ResourceType']})"
        reason = event.get("ResourceStatusReason")
        self._console.print(f"{line}: {reason}" if reason else line, markup=False, highlight=False, soft_wrap=True)


class LiveTable(Progress):
    """One row per resource, in the order in which their work began. Reasons of failures are told at the end."""

    def __init__(self, console: Console) -> None:
        self._started = time.monotonic()
        self._rows: dict[str, Event] = {}
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        self._rows[event["LogicalResourceId"]] = event

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for event in self._rows.values():
            name = Text(event["LogicalResourceId"], style="bold")
            table.add_row(_status(event["ResourceStatus"]), name, Text(event["ResourceType"], style="dim"))
        table.caption = f"{time.monotonic() - self._started:.1f} s"
        table.caption_justify = "left"
        return table


def _status(status: str) -> Text:
    word = status.lower().replace("_", " ")
    if "FAILED" in status:
        return Text(f"✗ {word}", style="red")
    if "ROLLBACK" in status or status.startswith("DELETE"):
        return Text(f"{'✓' if status.endswith('COMPLETE') else '…'} {word}", style="yellow")
    if status.endswith("COMPLETE"):
        return Text(f"✓ {word}", style="green")
    return Text(f"… {word}", style="cyan")
