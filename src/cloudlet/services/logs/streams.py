"""Log streams: made, listed, deleted."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.logs.base import (
    LogsBase,
    find_group,
    find_stream,
    group_arn,
    group_name,
    milliseconds,
)
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.log_group import LogGroup
from cloudlet.services.logs.positions import sealed, unsealed
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        CreateLogStreamRequestTypeDef,
        DeleteLogStreamRequestTypeDef,
        DescribeLogStreamsRequestTypeDef,
    )

_PAGE = 50
_COLUMNS = "name, created, first_event, last_event, last_ingestion"


class StreamOperations(LogsBase):
    @operation("CreateLogStream")
    async def create_log_stream(self, call: Call, params: "CreateLogStreamRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            group = find_group(tx, call, params["logGroupName"])
            added = tx.execute(
                "INSERT INTO log_stream (log_group, name, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (group.id, params["logStreamName"], milliseconds(call)),
            )
            if not added:
                raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")

        await self.store.write(write)

    @operation("DeleteLogStream")
    async def delete_log_stream(self, call: Call, params: "DeleteLogStreamRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            group = find_group(tx, call, params["logGroupName"])
            stream = find_stream(tx, group, params["logStreamName"])
            row = tx.one(
                "SELECT sum(length(CAST(message AS BLOB)) + 26) FROM log_event WHERE log_stream = ?", (stream,)
            )
            size = row[0] if row is not None and row[0] is not None else 0
            tx.execute("UPDATE log_group SET stored_bytes = max(0, stored_bytes - ?) WHERE id = ?", (size, group.id))
            tx.execute("DELETE FROM log_stream WHERE id = ?", (stream,))

        await self.store.write(write, long=True)

    @operation("DescribeLogStreams")
    async def describe_log_streams(self, call: Call, params: "DescribeLogStreamsRequestTypeDef") -> dict[str, Any]:
        name = group_name(params)
        by_time = params.get("orderBy") == "LastEventTime"
        prefix = params.get("logStreamNamePrefix", "")
        if by_time and prefix:
            raise invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
        limit = params.get("limit", _PAGE)
        token = unsealed(params["nextToken"], 2) if "nextToken" in params else None
        descending = params.get("descending", False)

        def read(reader: Reader) -> list[tuple[Any, ...]]:
            group = find_group(reader, call, name)
            if by_time:
                return _by_last_event(reader, group, token, descending, limit + 1)
            return _by_name(reader, group, prefix, token, descending, limit + 1)

        rows = await self.store.query(read)
        arn = group_arn(call, name)
        output: dict[str, Any] = {"logStreams": [_described(arn, row) for row in rows[:limit]]}
        if len(rows) > limit:
            last = rows[limit - 1]
            output["nextToken"] = sealed(last[3] or 0, last[0])
        return output


def _by_name(
    reader: Reader, group: LogGroup, prefix: str, token: list[Any] | None, descending: bool, limit: int
) -> list[tuple[Any, ...]]:
    beyond, order = ("<", "DESC") if descending else (">", "ASC")
    sql = (
        f"SELECT {_COLUMNS} FROM log_stream WHERE log_group = ?1 AND substr(name, 1, length(?2)) = ?2"
        f" AND (?3 IS NULL OR name {beyond} ?3) ORDER BY name {order} LIMIT ?4"
    )
    return reader.all(sql, (group.id, prefix, token[1] if token else None, limit))


def _by_last_event(
    reader: Reader, group: LogGroup, token: list[Any] | None, descending: bool, limit: int
) -> list[tuple[Any, ...]]:
    """Streams that have no events yet count as the oldest."""
    beyond, order = ("<", "DESC") if descending else (">", "ASC")
    sql = (
        f"SELECT {_COLUMNS} FROM log_stream WHERE log_group = ?1"
        f" AND (?2 IS NULL OR (ifnull(last_event, 0), name) {beyond} (?2, ?3))"
        f" ORDER BY ifnull(last_event, 0) {order}, name {order} LIMIT ?4"
    )
    last_event, name = token or (None, None)
    return reader.all(sql, (group.id, last_event, name, limit))


def _described(arn: str, row: tuple[Any, ...]) -> dict[str, Any]:
    name, created, first_event, last_event, last_ingestion = row
    return {
        "logStreamName": name,
        "creationTime": created,
        "firstEventTimestamp": first_event,
        "lastEventTimestamp": last_event,
        "lastIngestionTime": last_ingestion,
        "arn": f"{arn}:log-stream:{name}",
        "storedBytes": 0,  # as CloudWatch Logs has it since 2019
    }
