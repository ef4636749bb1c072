"""The operations of DynamoDB Streams."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.dynamodb import streams
from cloudlet.services.dynamodb.base import DynamoDBBase
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.tables import name_in_arn
from cloudlet.store import Reader

if TYPE_CHECKING:
    from types_boto3_dynamodbstreams import type_defs as t

_API = "dynamodbstreams"
_ITERATOR_SECONDS = 900.0
_LARGEST_PAGE = 100
_MOST_RECORDS = 1000
_COLUMNS = "id, table_name, arn, label, view_type, key_schema, start, created, disabled, ending"


@dataclass(frozen=True, slots=True)
class _Stream:
    id: int
    table_name: str
    arn: str
    label: str
    view_type: str
    key_schema: bytes
    start: int
    created: float
    disabled: float | None
    ending: int | None

    @property
    def shard_id(self) -> str:
        return streams.shard_id(self.id, self.created)


class StreamOperations(DynamoDBBase):
    @operation("ListStreams", api=_API)
    async def list_streams(self, call: Call, params: "t.ListStreamsInputTypeDef") -> dict[str, Any]:
        limit = params.get("Limit", _LARGEST_PAGE)
        if limit > _LARGEST_PAGE:
            raise _too_high(limit, _LARGEST_PAGE)
        after = params.get("ExclusiveStartStreamArn")
        if after is not None:
            _check_arn(after)
        rows = self.store.reader.all(
            f"SELECT {_COLUMNS} FROM stream WHERE account = ? AND region = ? AND (disabled IS NULL OR disabled > ?)"
            " ORDER BY arn",
            (call.account, call.region, call.time - streams.RETENTION),
        )
        found = [_Stream(*row) for row in rows]
        if "TableName" in params:
            found = [stream for stream in found if stream.table_name == params["TableName"]]
        if after is not None:
            found = [stream for stream in found if stream.arn > after]
        output: dict[str, Any] = {
            "Streams": [
                {"StreamArn": stream.arn, "TableName": stream.table_name, "StreamLabel": stream.label}
                for stream in found[:limit]
            ]
        }
        if len(found) > limit:
            output["LastEvaluatedStreamArn"] = found[limit - 1].arn
        return output

    @operation("DescribeStream", api=_API)
    async def describe_stream(self, call: Call, params: "t.DescribeStreamInputTypeDef") -> dict[str, Any]:
        stream = self._stream(call, params["StreamArn"])
        sequence_range = {"StartingSequenceNumber": streams.sequence_number(stream.start)}
        if stream.ending is not None:
            ending = max(stream.ending, stream.start)
            sequence_range["EndingSequenceNumber"] = streams.sequence_number(ending)
        shards = [{"ShardId": stream.shard_id, "SequenceNumberRange": sequence_range}]
        if params.get("ExclusiveStartShardId", "") >= stream.shard_id:
            shards = []
        if "ShardFilter" in params:
            _check_shard_filter(params["ShardFilter"], stream)
            # The one shard has no children.
            shards = []
        description = {
            "StreamArn": stream.arn,
            "StreamLabel": stream.label,
            "StreamStatus": "ENABLED" if stream.disabled is None else "DISABLED",
            "StreamViewType": stream.view_type,
            "CreationRequestDateTime": stream.created,
            "TableName": stream.table_name,
            "KeySchema": orjson.loads(stream.key_schema),
            "Shards": shards,
        }
        return {"StreamDescription": description}

    @operation("GetShardIterator", api=_API)
    async def get_shard_iterator(self, call: Call, params: "t.GetShardIteratorInputTypeDef") -> dict[str, Any]:
        stream = self._stream(call, params["StreamArn"])
        if params["ShardId"] != stream.shard_id:
            raise _not_found(f"Shard: {params['ShardId']} in Stream: {stream.arn} not found")
        kind = params["ShardIteratorType"]
        if "SequenceNumber" in params and kind in ("TRIM_HORIZON", "LATEST"):
            raise validation(f"SequenceNumber must not be specified for ShardIteratorType {kind}")
        if kind == "TRIM_HORIZON":
            after = 0
        elif kind == "LATEST":
            after = self._last_sequence()
        else:
            number = params.get("SequenceNumber")
            if number is None:
                raise validation(f"SequenceNumber must be specified for ShardIteratorType {kind}")
            sequence = self._sequence(stream, number, call.time)
            after = sequence - 1 if kind == "AT_SEQUENCE_NUMBER" else sequence
        return {"ShardIterator": _iterator(stream.arn, after, call.time)}

    @operation("GetRecords", api=_API)
    async def get_records(self, call: Call, params: "t.GetRecordsInputTypeDef") -> dict[str, Any]:
        arn, after, issued = _position(params["ShardIterator"])
        if call.time - issued > _ITERATOR_SECONDS:
            raise AwsError("ExpiredIteratorException", "Iterator expired. The iterator was issued too long ago.")
        stream = self._stream(call, arn)
        since = call.time - streams.RETENTION
        limit = params.get("Limit", _MOST_RECORDS)
        if limit > _MOST_RECORDS:
            raise _too_high(limit, _MOST_RECORDS)

        def read(reader: Reader) -> list[dict[str, Any]]:
            return streams.records_after(reader, stream.id, after, since, limit)

        records = self.store.read(read)
        output: dict[str, Any] = {"Records": records}
        if records:
            after = streams.sequence_of(records[-1]["dynamodb"]["SequenceNumber"])
        if stream.ending is None or (records and after < stream.ending):
            output["NextShardIterator"] = _iterator(arn, after, call.time)
        return output

    def _stream(self, call: Call, arn: str) -> _Stream:
        _check_arn(arn)
        row = self.store.reader.one(
            f"SELECT {_COLUMNS} FROM stream WHERE arn = ? AND account = ? AND region = ?"
            " AND (disabled IS NULL OR disabled > ?)",
            (arn, call.account, call.region, call.time - streams.RETENTION),
        )
        if row is None:
            raise _not_found(f"Stream: {arn} not found")
        return _Stream(*row)

    def _last_sequence(self) -> int:
        row = self.store.reader.one("SELECT seq FROM sqlite_sequence WHERE name = 'stream_record'")
        return row[0] if row is not None else 0

    def _sequence(self, stream: _Stream, number: str, now: float) -> int:
        try:
            sequence = streams.sequence_of(number)
        except ValueError:
            raise validation(f"Invalid SequenceNumber: {number}") from None
        oldest = streams.oldest(self.store.reader, stream.id, now - streams.RETENTION)
        if sequence < (stream.start if oldest is None else oldest) and sequence != stream.start:
            raise AwsError(
                "TrimmedDataAccessException",
                "The operation attempted to read past the oldest stream record in a shard: "
                f"SequenceNumber {number} is before the trim horizon",
            )
        return sequence


def _check_arn(arn: str) -> None:
    if name_in_arn(arn) is None or "/stream/" not in arn:
        raise validation(f"Invalid StreamArn: {arn}")


def _too_high(limit: int, most: int) -> AwsError:
    return validation(
        f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
        f"Member must have value less than or equal to {most}"
    )


def _check_shard_filter(given: Mapping[str, Any], stream: _Stream) -> None:
    for name in ("Type", "ShardId"):
        if name not in given:
            raise validation(f"ShardFilter.{name} is required")
    if given["ShardId"] != stream.shard_id:
        raise validation(f"ShardFilter.ShardId {given['ShardId']} is no shard of the stream")


def _not_found(what: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Requested resource not found: {what}")


def _iterator(arn: str, after: int, issued: float) -> str:
    return f"{arn}|1|{urlsafe_b64encode(orjson.dumps([after, issued])).decode()}"


def _position(iterator: str) -> tuple[str, int, float]:
    try:
        arn, _, position = iterator.split("|")
        after, issued = orjson.loads(urlsafe_b64decode(position))
        return arn, int(after), float(issued)
    except (ValueError, TypeError, BadBase64):
        raise validation("Invalid ShardIterator") from None
