"""Log events: written in batches, read from one stream."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.logs.arrivals import Arrival
from cloudlet.services.logs.base import (
    LogsBase,
    find_group,
    find_stream,
    group_name,
    milliseconds,
    signal,
)
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.following import follow
from cloudlet.services.logs.log_group import DAY, LogGroup
from cloudlet.services.logs.measures import incoming
from cloudlet.services.logs.positions import BEFORE_ALL, Position
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        GetLogEventsRequestTypeDef,
        InputLogEventTypeDef,
        PutLogEventsRequestTypeDef,
    )

LARGEST_PAGE = 10_000
# Bytes of messages, each counted with 26 more, in a batch and in a page.
MOST_BYTES = 1_048_576
OVERHEAD = 26
_FUTURE = 2 * 3_600_000
_PAST = 14 * DAY
_LAST = 1 << 62

Row = tuple[int, int, int, str]


# More events than these take their time to write.
_FEW = 200


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked for of a stream: times in milliseconds, from `start` on, before `end`."""

    start: int
    end: int
    limit: int


class EventOperations(LogsBase):
    @operation("PutLogEvents")
    async def put_log_events(self, call: Call, params: "PutLogEventsRequestTypeDef") -> dict[str, Any]:
        events = params["logEvents"]
        size = _checked_size(events)
        name, stream_name = params["logGroupName"], params["logStreamName"]
        now = milliseconds(call)
        topic = signal(call, name)

        def write(tx: Transaction) -> tuple[int, dict[str, int]]:
            group = find_group(tx, call, name)
            stream = find_stream(tx, group, stream_name)
            first, end, rejected = _accepted(events, now, group)
            kept = events if not rejected else events[first:end]
            last_id = _insert(tx, group.id, stream, now, kept)
            if kept:
                stored = size if not rejected else _size(kept)
                tx.execute("UPDATE log_group SET stored_bytes = stored_bytes + ? WHERE id = ?", (stored, group.id))
                first_id = last_id - len(kept) + 1
                arrival = Arrival(call.account, call.region, group, stream_name, now, first_id, kept)
                follow(tx, self.outbox, arrival)
                tx.after_commit(lambda: self._tell(topic, arrival))
            return last_id, rejected

        last_id, rejected = await self.store.write(write, long=len(events) > _FEW)
        incoming(self.cloud.metrics, call, name, len(events), size)
        output: dict[str, Any] = {"nextSequenceToken": f"{last_id:056d}"}
        if rejected:
            output["rejectedLogEventsInfo"] = rejected
        return output

    def _tell(self, topic: str, arrival: Arrival) -> None:
        self.cloud.signals.notify(topic)
        self.live_tail.offer(arrival)

    @operation("GetLogEvents")
    async def get_log_events(self, call: Call, params: "GetLogEventsRequestTypeDef") -> dict[str, Any]:
        name, stream_name = group_name(params), params["logStreamName"]
        token = Position.of_token(params["nextToken"]) if "nextToken" in params else None
        direction = token[0] if token else ("f" if params.get("startFromHead") else "b")
        now = milliseconds(call)
        limit = params.get("limit", LARGEST_PAGE)

        def read(reader: Reader) -> list[Row]:
            group = find_group(reader, call, name)
            stream = find_stream(reader, group, stream_name)
            start = max(params.get("startTime", 0), group.oldest_kept(now))
            window = Window(start, params.get("endTime", _LAST), limit)
            return _page(reader, stream, window, token[1] if token else None, direction)

        rows = await self.store.query(read)
        # A token at either end stays the same until there is more.
        first = Position(rows[0][0], rows[0][1]) if rows else (token[1] if token else BEFORE_ALL)
        last = Position(rows[-1][0], rows[-1][1]) if rows else first
        return {
            "events": [{"timestamp": row[0], "message": row[3], "ingestionTime": row[2]} for row in rows],
            "nextForwardToken": last.token("f"),
            "nextBackwardToken": first.token("b"),
        }


def _size(events: "Sequence[InputLogEventTypeDef]") -> int:
    return sum([len(event["message"].encode("utf-8", "surrogatepass")) for event in events]) + OVERHEAD * len(events)


def _checked_size(events: "Sequence[InputLogEventTypeDef]") -> int:
    """The batch's size in bytes. Raises InvalidParameterException for one that breaks a rule of PutLogEvents."""
    size = _size(events)
    if size > MOST_BYTES:
        raise invalid_parameter(f"Upload too large: {size} bytes exceeds limit of {MOST_BYTES}")
    times = [event["timestamp"] for event in events]
    if times != sorted(times):
        raise invalid_parameter("Log events in a single PutLogEvents request must be in chronological order.")
    return size


def _accepted(events: "Sequence[InputLogEventTypeDef]", now: int, group: LogGroup) -> tuple[int, int, dict[str, int]]:
    """The slice of the batch to keep, and what is said of the rest: too old, expired, too new.

    Raises InvalidParameterException if what is to be kept spans more than a day.
    """
    rejected: dict[str, int] = {}
    too_old = sum(1 for event in events if event["timestamp"] < now - _PAST)
    expired = sum(1 for event in events if event["timestamp"] < group.oldest_kept(now))
    too_new = sum(1 for event in events if event["timestamp"] > now + _FUTURE)
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    if too_new:
        rejected["tooNewLogEventStartIndex"] = len(events) - too_new
    first, end = max(too_old, expired), len(events) - too_new
    if end > first and events[end - 1]["timestamp"] - events[first]["timestamp"] > DAY:
        raise invalid_parameter(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )
    return first, end, rejected


def _insert(tx: Transaction, group: int, stream: int, now: int, events: "Sequence[InputLogEventTypeDef]") -> int:
    """Adds the events; returns the id of the newest event of all."""
    if events:
        tx.many(
            "INSERT INTO log_event (log_group, log_stream, timestamp, ingested, message) VALUES (?, ?, ?, ?, ?)",
            [(group, stream, event["timestamp"], now, event["message"]) for event in events],
        )
        tx.execute(
            "UPDATE log_stream SET first_event = min(ifnull(first_event, ?1), ?1),"
            " last_event = max(ifnull(last_event, ?2), ?2), last_ingestion = ?3 WHERE id = ?4",
            (events[0]["timestamp"], events[-1]["timestamp"], now, stream),
        )
    row = tx.one("SELECT seq FROM sqlite_sequence WHERE name = 'log_event'")
    return row[0] if row is not None else 0


def _page(reader: Reader, stream: int, window: Window, at: Position | None, direction: str) -> list[Row]:
    """Rows (timestamp, id, ingested, message), oldest first: those after or those before a position."""
    beyond, order = (">", "ASC") if direction == "f" else ("<", "DESC")
    if at is None:
        at = BEFORE_ALL if direction == "f" else Position(_LAST, 0)
    rows = reader.rows(
        "SELECT timestamp, id, ingested, message FROM log_event WHERE log_stream = ?1 AND timestamp >= ?2"
        f" AND timestamp < ?3 AND (timestamp, id) {beyond} (?4, ?5)"
        f" ORDER BY timestamp {order}, id {order} LIMIT ?6",
        (stream, window.start, window.end, at.timestamp, at.id, window.limit),
    )
    page: list[Row] = []
    size = 0
    for row in rows:
        size += len(row[3].encode("utf-8", "surrogatepass")) + OVERHEAD
        if page and size > MOST_BYTES:
            break
        page.append((row[0], row[1], row[2], row[3]))
    if direction == "b":
        page.reverse()
    return page
