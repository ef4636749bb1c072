"""DynamoDB streams as an event source: each shard in order, from a durable checkpoint on."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from cloudlet.core.errors import AwsError
from cloudlet.core.signals import Listener
from cloudlet.services.lambda_.destinations import service_of
from cloudlet.services.lambda_.events import iso_time
from cloudlet.services.lambda_.poller import LARGEST_BATCH, Attempt, Poller, Surroundings, back_off
from cloudlet.store import Transaction

_API = "dynamodbstreams"
_PER_CALL = 1000
_FIRST_PAUSE = 0.25
# A shard that ends without a record does not signal it.
_LONGEST_WAIT = 60.0


class StreamPoller(Poller):
    def __init__(self, around: Surroundings, uuid: str, mapping: Mapping[str, Any]) -> None:
        super().__init__(around, uuid, mapping)
        self._batch_size: int = mapping["BatchSize"]
        self._window: int = mapping.get("MaximumBatchingWindowInSeconds", 0)
        self._lanes: int = mapping.get("ParallelizationFactor", 1)
        self._bisects: bool = mapping.get("BisectBatchOnFunctionError", False)
        self._oldest: int = mapping.get("MaximumRecordAgeInSeconds", -1)
        self._retries: int = mapping.get("MaximumRetryAttempts", -1)
        self._destination: str | None = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        self._listeners: set[Listener] = set()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.set()

    async def _poll(self) -> None:
        """All shards that may be read now; when one has ended, its children."""
        reading: dict[str, asyncio.Task[None]] = {}
        try:
            while not self._stopping.is_set():
                for shard in self._ready(await describe_shards(self._call, self._source)):
                    if shard not in reading:
                        reading[shard] = asyncio.create_task(self._retry(lambda shard=shard: self._read(shard)))
                if not reading:
                    await self._await_records()
                    continue
                await asyncio.wait(reading.values(), return_when=asyncio.FIRST_COMPLETED)
                reading = {shard: task for shard, task in reading.items() if not task.done()}
        finally:
            await asyncio.gather(*reading.values())

    def _ready(self, shards: list[dict[str, Any]]) -> list[str]:
        """Shards that are not done with and whose parent is."""
        done = self._done()
        known = {shard["ShardId"] for shard in shards}
        waiting_for = known - done
        return [
            shard["ShardId"]
            for shard in shards
            if shard["ShardId"] not in done and shard.get("ParentShardId") not in waiting_for
        ]

    def _done(self) -> set[str]:
        rows = self._around.store.reader.all("SELECT shard FROM shard WHERE uuid = ? AND done", (self._uuid,))
        return {shard for (shard,) in rows}

    async def _await_records(self) -> None:
        with self._around.cloud.signals.listen(f"dynamodb-stream:{self._source}") as own:
            self._listeners.add(own)
            try:
                if not self._stopping.is_set():
                    await own.wait(_LONGEST_WAIT)
            finally:
                self._listeners.discard(own)

    async def _read(self, shard: str) -> None:
        """Until the shard ends or the poller is stopped."""
        with self._around.cloud.signals.listen(f"dynamodb-stream:{self._source}") as listener:
            self._listeners.add(listener)
            try:
                await self._read_on(shard, listener)
            finally:
                self._listeners.discard(listener)

    async def _read_on(self, shard: str, listener: Listener) -> None:
        iterator = await self._iterator(shard)
        while not self._stopping.is_set():
            try:
                records, iterator = await self._gather(iterator, listener)
            except AwsError as error:
                if error.code not in ("ExpiredIteratorException", "TrimmedDataAccessException"):
                    raise
                iterator = await self._iterator(shard, trimmed=error.code == "TrimmedDataAccessException")
                continue
            if records:
                if not await self._process(shard, records):
                    return  # stopped in the midst of it: it goes on at the checkpoint
            elif iterator is not None:
                await listener.wait(_LONGEST_WAIT)
            if iterator is None:
                await self._checkpoint(shard, "", done=True)
                return

    async def _iterator(self, shard: str, *, trimmed: bool = False) -> str | None:
        params: dict[str, Any] = {"StreamArn": self._source, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        row = self._around.store.reader.one(
            "SELECT sequence_number FROM shard WHERE uuid = ? AND shard = ?", (self._uuid, shard)
        )
        if row is not None and row[0] and not trimmed:
            params |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": row[0]}
        try:
            answer = await self._call(_API, "GetShardIterator", params)
        except AwsError as error:
            if error.code != "TrimmedDataAccessException" or trimmed:
                raise
            return await self._iterator(shard, trimmed=True)
        return answer["ShardIterator"]

    async def _gather(self, iterator: str | None, listener: Listener) -> tuple[list[dict[str, Any]], str | None]:
        """A batch, and where to go on (None at the shard's end)."""
        records: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        end: float | None = None
        size = 0
        while iterator is not None and len(records) < self._batch_size:
            wanted = min(self._batch_size - len(records), _PER_CALL)
            answer = await self._call(_API, "GetRecords", {"ShardIterator": iterator, "Limit": wanted})
            found: list[dict[str, Any]] = answer["Records"]
            records += found
            size += sum(record["dynamodb"].get("SizeBytes", 0) for record in found)
            iterator = answer.get("NextShardIterator")
            if not records or size * 2 > LARGEST_BATCH:
                break
            end = loop.time() + self._window if end is None else end
            left = end - loop.time()
            if left <= 0 or self._stopping.is_set():
                break
            if not found:
                await listener.wait(left)
        return records, iterator

    async def _process(self, shard: str, records: list[dict[str, Any]]) -> bool:
        """Each item's changes in their order, those of different items in as many lanes as the mapping has.

        False if the poller was stopped before all was done with.
        """
        last = records[-1]["dynamodb"]["SequenceNumber"]
        wanted = [record for record in (self._record(record) for record in records) if self._matches(record)]
        alone = self._lanes == 1
        results = await asyncio.gather(
            *(self._process_batch(shard, lane, alone) for lane in _spread(wanted, self._lanes) if lane)
        )
        if not all(results):
            return False
        await self._checkpoint(shard, last)
        return True

    async def _process_batch(self, shard: str, batch: list[dict[str, Any]], alone: bool) -> bool:
        """Invokes until the batch is done with: it succeeded, or was given up. False if stopped before.

        `alone` says that nothing else of the shard is under way, so that a part that is done can be checkpointed.
        """
        retries = 0
        while batch:
            if self._stopping.is_set() and retries:
                return False
            batch = await self._drop_too_old(shard, batch)
            if not batch:
                break
            self._measure_age(batch)
            try:
                attempt = await self._invoke(batch)
            except AwsError as error:
                self.result = f"PROBLEM: {error.message}"
                retries += 1
                await self._pause(back_off(retries, _FIRST_PAUSE))
                continue
            remaining = _remaining(batch, attempt)
            if not remaining:
                break
            if alone and len(remaining) < len(batch):
                done = batch[len(batch) - len(remaining) - 1]
                await self._checkpoint(shard, done["dynamodb"]["SequenceNumber"])
            if self._bisects and attempt.failed_items is None and len(remaining) > 1:
                middle = len(remaining) // 2
                first = await self._process_batch(shard, remaining[:middle], alone)
                return first and await self._process_batch(shard, remaining[middle:], alone)
            batch = remaining
            if 0 <= self._retries <= retries:
                await self._give_up(shard, batch, "RetryAttemptsExhausted", retries + 1, attempt)
                break
            retries += 1
            await self._pause(back_off(retries, _FIRST_PAUSE))
        return True

    def _measure_age(self, batch: list[dict[str, Any]]) -> None:
        age = self._around.cloud.clock.now() - batch[-1]["dynamodb"]["ApproximateCreationDateTime"]
        self._around.execution.measures.iterator_age(self._reference.key, age)

    async def _drop_too_old(self, shard: str, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self._oldest < 0:
            return batch
        before = self._around.cloud.clock.now() - self._oldest
        fresh = [record for record in batch if record["dynamodb"]["ApproximateCreationDateTime"] >= before]
        if len(fresh) < len(batch):
            old = batch[: len(batch) - len(fresh)]
            await self._give_up(shard, old, "RecordAgeExceeded", 0, None)
        return fresh

    async def _give_up(
        self, shard: str, batch: list[dict[str, Any]], condition: str, count: int, attempt: Attempt | None
    ) -> None:
        if not self._destination:
            return
        target, record = self._destination, self._failure(shard, batch, condition, count, attempt)
        folder = f"aws/lambda/{self._uuid}/{shard}"
        if service_of(target) == "s3":
            record["payload"] = orjson.dumps({"Records": batch}).decode()
        await self._around.store.write(
            lambda tx: self._around.events.put_destination(tx, self.key, target, record, folder)
        )

    def _failure(
        self, shard: str, batch: list[dict[str, Any]], condition: str, count: int, attempt: Attempt | None
    ) -> dict[str, Any]:
        """What the destination for failures gets: where the records are, not the records."""
        first, last = batch[0]["dynamodb"], batch[-1]["dynamodb"]
        record: dict[str, Any] = {
            "requestContext": {
                "requestId": attempt.request_id if attempt is not None else "",
                "functionArn": self._mapping["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": count,
            },
            "version": "1.0",
            "timestamp": iso_time(self._around.cloud.clock.now()),
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": first["SequenceNumber"],
                "endSequenceNumber": last["SequenceNumber"],
                "approximateArrivalOfFirstRecord": iso_time(first["ApproximateCreationDateTime"]),
                "approximateArrivalOfLastRecord": iso_time(last["ApproximateCreationDateTime"]),
                "batchSize": len(batch),
                "streamArn": self._source,
            },
        }
        if attempt is not None:
            record["responseContext"] = {"statusCode": 200, "executedVersion": attempt.version}
            if attempt.outcome.failed:
                record["responseContext"]["functionError"] = "Unhandled"
        return record

    async def _checkpoint(self, shard: str, sequence_number: str, *, done: bool = False) -> None:
        await self._around.store.write(lambda tx: save_position(tx, self._uuid, shard, sequence_number, done=done))

    def _record(self, record: dict[str, Any]) -> dict[str, Any]:
        """As functions get it."""
        change = dict(record["dynamodb"])
        created = change.get("ApproximateCreationDateTime", 0.0)
        change["ApproximateCreationDateTime"] = created.timestamp() if isinstance(created, datetime) else created
        shown = {
            "eventID": record["eventID"],
            "eventName": record["eventName"],
            "eventVersion": record.get("eventVersion", "1.1"),
            "eventSource": "aws:dynamodb",
            "awsRegion": self._region,
            "dynamodb": change,
            "eventSourceARN": self._source,
        }
        identity = record.get("userIdentity")
        if identity is not None:
            shown["userIdentity"] = {"type": identity.get("Type"), "principalId": identity.get("PrincipalId")}
        return shown


async def describe_shards(call: Any, stream_arn: str) -> list[dict[str, Any]]:
    """All shards of a stream, parents before children."""
    shards: list[dict[str, Any]] = []
    params: dict[str, Any] = {"StreamArn": stream_arn}
    while True:
        description = (await call(_API, "DescribeStream", params))["StreamDescription"]
        shards += description.get("Shards", [])
        last = description.get("LastEvaluatedShardId")
        if last is None:
            return shards
        params["ExclusiveStartShardId"] = last


def save_position(tx: Transaction, uuid: str, shard: str, sequence_number: str, *, done: bool) -> None:
    tx.execute(
        "INSERT INTO shard (uuid, shard, sequence_number, done)"
        " SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM event_source_mapping WHERE uuid = ?)"
        " ON CONFLICT DO UPDATE SET sequence_number = excluded.sequence_number, done = excluded.done",
        (uuid, shard, sequence_number, done, uuid),
    )


def _remaining(batch: list[dict[str, Any]], attempt: Attempt) -> list[dict[str, Any]]:
    """What has to be tried again: all from the first record that the function reports as failed."""
    if attempt.failed_items is None:
        return batch
    for index, record in enumerate(batch):
        if record["dynamodb"]["SequenceNumber"] in attempt.failed_items:
            return batch[index:]
    return batch if attempt.failed_items else []


def _spread(records: list[dict[str, Any]], lanes: int) -> Iterable[list[dict[str, Any]]]:
    if lanes == 1:
        return [records]
    spread: list[list[dict[str, Any]]] = [[] for _ in range(lanes)]
    for record in records:
        keys = orjson.dumps(record["dynamodb"].get("Keys"), option=orjson.OPT_SORT_KEYS)
        spread[int.from_bytes(hashlib.blake2b(keys, digest_size=4).digest()) % lanes].append(record)
    return spread
