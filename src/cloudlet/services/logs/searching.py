"""FilterLogEvents: the events of a log group's streams that match a filter pattern."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.logs.base import LogsBase, find_group, group_name, milliseconds
from cloudlet.services.logs.events import LARGEST_PAGE, MOST_BYTES, OVERHEAD
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.filter_pattern import compiled
from cloudlet.services.logs.log_group import LogGroup
from cloudlet.services.logs.positions import BEFORE_ALL, Position, sealed, unsealed
from cloudlet.store import Reader

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import FilterLogEventsRequestTypeDef

# So many events are looked at for one page, however few of them match: a page never takes long.
_MOST_EXAMINED = 100_000
_LAST = 1 << 62
# The newest first: of what came since 2024, as on AWS.
_DESCENDING_SINCE = 1_704_067_200_000

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """Times are in milliseconds, from `start` on up to `end`; `streams` is a JSON list of names."""

    matches: Callable[[str], bool]
    start: int
    end: int
    streams: str | None
    prefix: str | None
    limit: int
    descending: bool
    after: Position | None


class SearchOperations(LogsBase):
    @operation("FilterLogEvents")
    async def filter_log_events(self, call: Call, params: "FilterLogEventsRequestTypeDef") -> dict[str, Any]:
        name = group_name(params)
        names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
        if names is not None and prefix is not None:
            raise invalid_parameter("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
        descending, after = _direction(params)
        search = Search(
            matches=compiled(params.get("filterPattern", "")).matches,
            start=params.get("startTime", 0),
            end=params.get("endTime", _LAST),
            streams=None if names is None else orjson.dumps(list(names)).decode(),
            prefix=prefix,
            limit=params.get("limit", LARGEST_PAGE),
            descending=descending,
            after=after,
        )
        now = milliseconds(call)
        events, reached = await self.store.query(
            lambda reader: _search(reader, find_group(reader, call, name), search, now)
        )
        output: dict[str, Any] = {"events": events, "searchedLogStreams": []}
        if reached is not None:
            output["nextToken"] = sealed(reached.timestamp, reached.id, descending)
        return output


def _direction(params: "FilterLogEventsRequestTypeDef") -> tuple[bool, Position | None]:
    """Whether the newest come first, and after which position; a page goes on in the direction of the one before it."""
    if "nextToken" in params:
        timestamp, id_, descending = unsealed(params["nextToken"], 3)
        return bool(descending), Position(timestamp, id_)
    descending = not params.get("startFromHead", True)
    if descending and params.get("startTime", _DESCENDING_SINCE) < _DESCENDING_SINCE:
        raise invalid_parameter("startFromHead can be false only if startTime is on or after January 1, 2024.")
    return descending, None


def _search(reader: Reader, group: LogGroup, search: Search, now: int) -> tuple[list[dict[str, Any]], Position | None]:
    """A page of events, and the position where the next one goes on; None after the last event."""
    events: list[dict[str, Any]] = []
    size = 0
    reached: Position | None = None
    for examined, (timestamp, id_, ingested, message, stream) in enumerate(_rows(reader, group, search, now)):
        if len(events) == search.limit or size > MOST_BYTES or examined == _MOST_EXAMINED:
            return events, reached
        reached = Position(timestamp, id_)
        if not search.matches(message):
            continue
        size += len(message.encode("utf-8", "surrogatepass")) + OVERHEAD
        events.append(
            {
                "logStreamName": stream,
                "timestamp": timestamp,
                "message": message,
                "ingestionTime": ingested,
                "eventId": str(reached),
            }
        )
    return events, None


def _rows(reader: Reader, group: LogGroup, search: Search, now: int) -> Iterator[Row]:
    beyond, order = ("<", "DESC") if search.descending else (">", "ASC")
    after = search.after or (Position(_LAST, 0) if search.descending else BEFORE_ALL)
    return reader.rows(
        "SELECT e.timestamp, e.id, e.ingested, e.message, s.name FROM log_event AS e"
        " JOIN log_stream AS s ON s.id = e.log_stream"
        f" WHERE e.log_group = ?1 AND e.timestamp >= ?2 AND e.timestamp <= ?3 AND (e.timestamp, e.id) {beyond} (?4, ?5)"
        " AND (?6 IS NULL OR s.name IN (SELECT value FROM json_each(?6)))"
        " AND (?7 IS NULL OR substr(s.name, 1, length(?7)) = ?7)"
        f" ORDER BY e.timestamp {order}, e.id {order}",
        (
            group.id,
            max(search.start, group.oldest_kept(now)),
            search.end,
            after.timestamp,
            after.id,
            search.streams,
            search.prefix,
        ),
    )
