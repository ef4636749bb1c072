"""Runs every measurement against every server in turn and prints one table with ratios.

python -m bench [--seconds 4] [--only cloudlet,ministack] [--json FILE]
"""

import argparse
import json
import logging
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from bench.data import measure_data
from bench.events import measure_events
from bench.functions import make_role, measure_functions
from bench.lab import measure_lab
from bench.measure import Measure
from bench.peers import Peer, RunningPeer, peers

_log = logging.getLogger("bench")
_STARTS = 5


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=4.0, help="length of each closed loop")
    arguments.add_argument("--only", default="", help="names of servers, with commas")
    arguments.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = [peer for peer in peers() if not options.only or peer.name in options.only.split(",")]
    results = {peer.name: list(_measure(peer, options.seconds)) for peer in chosen}
    Console(width=140).print(_table(results))
    if options.json is not None:
        options.json.write_text(
            json.dumps({name: [asdict(m) for m in found] for name, found in results.items()}, indent=2)
        )


def _measure(peer: Peer, seconds: float) -> Iterator[Measure]:
    starts: list[float] = []
    memory: list[int] = []
    for _ in range(_STARTS):
        with RunningPeer(peer) as server:
            starts.append(server.start_seconds)
            time.sleep(1.0)  # what is measured is memory at rest
            memory.append(server.memory())
    yield _told(peer, Measure("Start-up", statistics.median(starts), "s", note=f"median of {_STARTS}"))
    yield _told(peer, Measure("Idle memory", statistics.median(memory) / 1e6, "MB"))
    with RunningPeer(peer) as server:
        yield from _as_far_as_it_goes(peer, measure_data(server, seconds))
        yield from _as_far_as_it_goes(peer, measure_functions(server, make_role(server)))
    for measure in (measure_lab, measure_events):
        with RunningPeer(peer) as server:
            yield from _as_far_as_it_goes(peer, measure(server, make_role(server)))


def _as_far_as_it_goes(peer: Peer, measures: Iterator[Measure]) -> Iterator[Measure]:
    """What a server cannot do here (moto runs functions in Docker only) is missing in its column."""
    try:
        for measure in measures:
            yield _told(peer, measure)
    except (BotoCoreError, ClientError, OSError, ValueError) as error:
        _log.warning("%-10s not measured further: %s", peer.name, error)


def _told(peer: Peer, measure: Measure) -> Measure:
    value = "—" if measure.value is None else f"{measure.value:,.2f} {measure.unit}"
    _log.info("%-10s %-28s %s  %s", peer.name, measure.name, value, measure.note)
    return measure


def _table(results: dict[str, list[Measure]]) -> Table:
    table = Table(title="Cloudlet (durable, authenticated) and others as they come; ratio: times better than theirs")
    table.add_column("measure")
    for name in results:
        table.add_column(name, justify="right")
    others = [name for name in results if name != "cloudlet"]
    for name in others if "cloudlet" in results else []:
        table.add_column(f"× {name}", justify="right")
    first = next(iter(results.values()))
    by_name = {name: {measure.name: measure for measure in found} for name, found in results.items()}
    for measure in first:
        missing = Measure(measure.name, None, measure.unit)
        row = {name: found.get(measure.name, missing) for name, found in by_name.items()}
        cells = [_cell(found) for found in row.values()]
        if "cloudlet" in row:
            cells += [_ratio(row["cloudlet"].ratio_to(row[name])) for name in others]
        table.add_row(measure.name, *cells)
    return table


def _cell(measure: Measure) -> str:
    if measure.value is None:
        return measure.note[:30] or "—"
    return f"{measure.value:,.2f} {measure.unit}"


def _ratio(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
