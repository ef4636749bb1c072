"""SQS as an event source: long polling, batches, deletion of what the function is done with."""

import asyncio
import base64
import logging
from collections.abc import Mapping
from typing import Any

import orjson

from cloudlet.core.errors import AwsError
from cloudlet.services.lambda_.lineage import MOST_INVOCATIONS, invocations_before
from cloudlet.services.lambda_.poller import LARGEST_BATCH, Attempt, Poller, Surroundings, back_off

_log = logging.getLogger(__name__)

_PER_CALL = 10
_LONG_POLL = 20
# Calls under way at a time while there is a backlog: they share the writes of the queue.
_RECEIVERS = 5
# How many batches are with the function at a time: at first, more with each second for which the queue does not get
# empty, and in the end, unless the mapping says otherwise.
_FIRST_CONCURRENCY = 5
_MORE_PER_SECOND = 5
_MOST_CONCURRENCY = 1250
# Of a queue that does not say.
_VISIBILITY = 30.0
_FIRST_PAUSE = 0.1
_THROTTLED = "TooManyRequestsException"


class QueuePoller(Poller):
    def __init__(self, around: Surroundings, uuid: str, mapping: Mapping[str, Any]) -> None:
        super().__init__(around, uuid, mapping)
        _, _, _, _, account, name = self._source.split(":")
        self._url = f"{around.cloud.settings.endpoint_url}/{account}/{name}"
        self._batch_size: int = mapping["BatchSize"]
        self._window: int = mapping.get("MaximumBatchingWindowInSeconds", 0)
        self._most = mapping.get("ScalingConfig", {}).get("MaximumConcurrency") or _MOST_CONCURRENCY
        self._loop = asyncio.get_running_loop()
        self._backlog_since = self._loop.time()
        self._visibility = _VISIBILITY
        self._batches: set[asyncio.Task[None]] = set()

    async def _poll(self) -> None:
        wanted = {"QueueUrl": self._url, "AttributeNames": ["VisibilityTimeout"]}
        answer = await self._call("sqs", "GetQueueAttributes", wanted)
        self._visibility = float(answer["Attributes"]["VisibilityTimeout"])
        is_backlog = False
        try:
            while not self._stopping.is_set():
                await self._await_room()
                is_backlog = await self._take_up(is_backlog)
                if not is_backlog:
                    self._backlog_since = self._loop.time()
        finally:
            await asyncio.gather(*self._batches)

    async def _take_up(self, is_backlog: bool) -> bool:
        """Batches that are there, several at a time if there is a backlog. Returns whether there still is."""
        room = self._concurrency() - len(self._batches)
        more = min(_RECEIVERS, room) - 1 if is_backlog else 0
        waits = [_LONG_POLL, *([0] * more)]
        taken = await asyncio.gather(*(self._take_up_one(wait) for wait in waits), return_exceptions=True)
        for result in taken:
            if isinstance(result, BaseException):
                raise result
        return all(taken)

    async def _take_up_one(self, wait: int) -> bool:
        """Whether the batch is full."""
        messages = await self._gather(wait)
        if messages:
            task = asyncio.create_task(self._process(messages))
            self._batches.add(task)
            task.add_done_callback(self._batches.discard)
        return len(messages) >= self._batch_size

    async def _await_room(self) -> None:
        """Until less is with the function than may be: for a batch to end, or for the passing of time."""
        while len(self._batches) >= self._concurrency():
            await asyncio.wait(self._batches, return_when=asyncio.FIRST_COMPLETED, timeout=1 / _MORE_PER_SECOND)

    def _concurrency(self) -> int:
        """No more than the function has reserved: what it would throttle stays in the queue."""
        grown = _FIRST_CONCURRENCY + int(_MORE_PER_SECOND * (self._loop.time() - self._backlog_since))
        function = self._around.catalog.find(self.key)
        reserved = function.reserved if function is not None else None
        return min(grown, self._most, self._most if reserved is None else max(reserved, 1))

    async def _gather(self, wait: int) -> list[dict[str, Any]]:
        """A batch: full, or with what came within the window after its first message."""
        messages = await self._receive(wait, self._batch_size)
        if not messages or not self._window:
            return messages
        loop = asyncio.get_running_loop()
        end = loop.time() + self._window
        size = sum(len(message["Body"]) for message in messages)
        while len(messages) < self._batch_size and size < LARGEST_BATCH - (1 << 20) and not self._stopping.is_set():
            left = end - loop.time()
            if left <= 0:
                break
            more = await self._receive(min(_LONG_POLL, int(left)), self._batch_size - len(messages))
            if not more:
                await self._pause(min(left, 0.1) if left < 1 else 0)
            messages += more
            size += sum(len(message["Body"]) for message in more)
        return messages

    async def _receive(self, wait: int, most: int) -> list[dict[str, Any]]:
        """Ends early, with nothing, when the poller is stopped."""
        params = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": min(most, _PER_CALL),
            "WaitTimeSeconds": wait,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        receiving = asyncio.create_task(self._call("sqs", "ReceiveMessage", params))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((receiving, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                return []
            return list((await receiving or {}).get("Messages", []))
        finally:
            receiving.cancel()
            stopping.cancel()

    async def _process(self, messages: list[dict[str, Any]]) -> None:
        """What fails stays in the queue and comes again after its visibility timeout."""
        deadline = self._loop.time() + self._visibility
        try:
            wanted: list[dict[str, Any]] = []
            done: list[dict[str, Any]] = []
            for message in messages:
                (wanted if self._matches(_filtered_view(message)) else done).append(message)
            wanted, trace_id = self._without_loops(wanted)
            if wanted:
                attempt = await self._invoke_until(deadline, [self._record(message) for message in wanted], trace_id)
                if attempt.failed_items is not None:
                    done += self._succeeded(wanted, attempt.failed_items)
            await self._delete(done)
        except AwsError as error:
            self.result = f"PROBLEM: {error.message}"
        except Exception:  # noqa: BLE001 - the boundary of a background task: logged, and the messages come again
            self.result = "PROBLEM: internal Lambda error."
            _log.exception("a batch of messages was not processed", extra={"source": self._source})

    async def _invoke_until(self, deadline: float, records: list[dict[str, Any]], trace_id: str | None) -> Attempt:
        """Tries a throttled function again for as long as nobody else may receive the messages."""
        attempts = 0
        while True:
            try:
                return await self._invoke(records, trace_id)
            except AwsError as error:
                attempts += 1
                pause = back_off(attempts, _FIRST_PAUSE)
                if error.code != _THROTTLED or self._stopping.is_set() or self._loop.time() + pause > deadline:
                    raise
                self._backlog_since = self._loop.time()
            await self._pause(pause)

    def _without_loops(self, messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str | None]:
        """Without the messages of recursive loops, which are left to the queue's redrive policy; and with the trace of
        the one that has come the longest way."""
        function = self._around.catalog.get(self._reference)
        kept: list[dict[str, Any]] = []
        longest, farthest = None, -1
        for message in messages:
            trace_id = message.get("Attributes", {}).get("AWSTraceHeader")
            way = invocations_before(trace_id, function.key.arn) if trace_id is not None else 0
            if way >= MOST_INVOCATIONS and function.recursion == "Terminate":
                self._around.execution.count_loop(function)
                continue
            kept.append(message)
            if way > farthest:
                longest, farthest = trace_id, way
        return kept, longest

    def _succeeded(self, messages: list[dict[str, Any]], failed: frozenset[str]) -> list[dict[str, Any]]:
        if failed - {message["MessageId"] for message in messages}:
            return []  # it speaks of messages that it did not get: nothing it says can be relied on
        return [message for message in messages if message["MessageId"] not in failed]

    async def _delete(self, messages: list[dict[str, Any]]) -> None:
        for start in range(0, len(messages), _PER_CALL):
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                for index, message in enumerate(messages[start : start + _PER_CALL])
            ]
            await self._call("sqs", "DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries})

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        record: dict[str, Any] = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._source,
            "awsRegion": self._region,
        }
        if "MD5OfMessageAttributes" in message:
            record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
        return record


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return shown


def _filtered_view(message: Mapping[str, Any]) -> dict[str, Any]:
    """What filters see: the record, with a body in JSON as its content."""
    try:
        body = orjson.loads(message["Body"])
    except orjson.JSONDecodeError:
        body = message["Body"]
    return {"messageId": message["MessageId"], "body": body, "attributes": message.get("Attributes", {})}
