"""The operations on messages: send, receive with long polling, delete, change of visibility."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.sqs import attempts, receiving, sending
from cloudlet.services.sqs.base import DRAINING, SqsBase
from cloudlet.services.sqs.batches import batch_result, check_batch, failed_entry
from cloudlet.services.sqs.errors import SqsError, batch_too_long, invalid_value, over_limit
from cloudlet.services.sqs.messages import (
    OutgoingMessage,
    attributes_md5,
    body_md5,
    checked_identifier,
    decode_attributes,
    read_message,
    select_attributes,
    trace_header_md5,
)
from cloudlet.services.sqs.queues import Queue, QueueAddress
from cloudlet.services.sqs.receipts import Receipt, seal
from cloudlet.services.sqs.receiving import Message
from cloudlet.services.sqs.sending import Sent
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_sqs import type_defs as t

_LARGEST_BATCH = 1_048_576

Step = Callable[[Transaction], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a receive asks for. `timeout` in seconds, None for the queue's; `attempt` names it, for a repetition.

    A patient one gets no message rather than an error where too many are in flight.
    """

    count: int
    timeout: int | None
    attempt: str | None
    patient: bool


class MessageOperations(SqsBase):
    @operation("SendMessage")
    async def send_message(self, call: Call, params: "t.SendMessageRequestTypeDef") -> dict[str, Any]:
        queue = self.queue_of(call, params)
        message = read_message(params, queue.maximum_size, call.trace_id)
        sending.check_for_queue(queue, message)
        (sent,) = await self._send(call, queue, [message])
        return _sent_output(message, sent)

    @operation("SendMessageBatch")
    async def send_message_batch(self, call: Call, params: "t.SendMessageBatchRequestTypeDef") -> dict[str, Any]:
        queue = self.queue_of(call, params)
        check_batch(params["Entries"], "SendMessageBatchRequestEntry")
        failed: list[dict[str, Any]] = []
        messages: dict[str, OutgoingMessage] = {}
        for entry in params["Entries"]:
            try:
                message = read_message(entry, queue.maximum_size, call.trace_id)
                sending.check_for_queue(queue, message)
                messages[entry["Id"]] = message
            except SqsError as error:
                failed.append(failed_entry(entry["Id"], error))
        size = sum(message.size for message in messages.values())
        if size > _LARGEST_BATCH:
            raise batch_too_long(_LARGEST_BATCH, size)
        sent = await self._send(call, queue, list(messages.values())) if messages else []
        pairs = zip(messages.items(), sent, strict=True)
        return batch_result([{"Id": id_, **_sent_output(message, one)} for (id_, message), one in pairs], failed)

    @operation("ReceiveMessage")
    async def receive_message(self, call: Call, params: "t.ReceiveMessageRequestTypeDef") -> dict[str, Any]:
        queue = self.queue_of(call, params)
        count = _within(params, "MaxNumberOfMessages", 1, 10, "Must be between 1 and 10, if provided.")
        timeout = _within(params, "VisibilityTimeout", 0, 43_200, "Must be >= 0 and <= 43200, if provided.")
        wait = _within(params, "WaitTimeSeconds", 0, 20, "Must be >= 0 and <= 20, if provided.")
        wait = queue.wait if wait is None else wait
        attempt = checked_identifier("ReceiveRequestAttemptId", params)
        wanted = Wanted(count or 1, timeout, attempt if queue.fifo else None, patient=queue.fifo or wait > 0)
        messages = await self._wait_for_messages(queue.address, wanted, wait)
        self.measures.received(queue, len(messages))
        system = {*params.get("AttributeNames", ()), *params.get("MessageSystemAttributeNames", ())}
        names = params.get("MessageAttributeNames", ())
        found = [
            _received_output(message, seal(Receipt(queue.id, message.id, message.receives), self.receipt_key))
            | _selected_attributes(message, system, names)
            for message in messages
        ]
        return {"Messages": found} if found else {}

    @operation("DeleteMessage")
    async def delete_message(self, call: Call, params: "t.DeleteMessageRequestTypeDef") -> None:
        queue = self.queue_of(call, params)
        delete = self._deletion(queue, params)
        await self.store.write(delete)
        self.measures.deleted(queue, 1)

    @operation("DeleteMessageBatch")
    async def delete_message_batch(self, call: Call, params: "t.DeleteMessageBatchRequestTypeDef") -> dict[str, Any]:
        queue = self.queue_of(call, params)
        check_batch(params["Entries"], "DeleteMessageBatchRequestEntry")
        answer = await self._each(params["Entries"], lambda entry: self._deletion(queue, entry))
        self.measures.deleted(queue, len(answer["Successful"]) if "Successful" in answer else 0)
        return answer

    @operation("ChangeMessageVisibility")
    async def change_message_visibility(self, call: Call, params: "t.ChangeMessageVisibilityRequestTypeDef") -> None:
        change = self._visibility_change(self.queue_of(call, params), params)
        await self.store.write(change)

    @operation("ChangeMessageVisibilityBatch")
    async def change_message_visibility_batch(
        self, call: Call, params: "t.ChangeMessageVisibilityBatchRequestTypeDef"
    ) -> dict[str, Any]:
        queue = self.queue_of(call, params)
        check_batch(params["Entries"], "ChangeMessageVisibilityBatchRequestEntry")
        return await self._each(params["Entries"], lambda entry: self._visibility_change(queue, entry))

    async def _send(self, call: Call, queue: Queue, messages: list[OutgoingMessage]) -> list[Sent]:
        sender, now = call.principal.id, self._now()

        def send(tx: Transaction) -> list[Sent]:
            self.notify_after(tx, queue)
            return [sending.send(tx, queue, message, sender, now) for message in messages]

        sent = await self.store.write(send)
        self.measures.sent(queue, (message.size for message in messages))
        return sent

    async def _wait_for_messages(self, address: QueueAddress, wanted: Wanted, wait: int) -> list[Message]:
        """Waits until there is a message, at most `wait` seconds: for a signal, or for the next one that falls due."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        with self.cloud.signals.listen(address.signal, DRAINING) as listener:
            while True:
                queue = self.queues.get(address)
                messages = await self._take(queue, wanted)
                left = deadline - loop.time()
                if messages or left <= 0 or self.draining:
                    return messages
                now = self._now()
                due = receiving.next_due(self.store.reader, queue, now)
                await listener.wait(left if due is None else min(left, max(due - now, 1) / 1000))

    async def _take(self, queue: Queue, wanted: Wanted) -> list[Message]:
        """What can be received now. Without anything there is no write."""
        now, reader = self._now(), self.store.reader
        repeated = wanted.attempt is not None and attempts.is_repeated(reader, queue, wanted.attempt, now)
        if not repeated and not receiving.has_receivable(reader, queue, now):
            return []
        count = self.flights.room(reader, queue, wanted.count, now)
        if not count and not repeated:
            if wanted.patient:
                return []
            raise over_limit()
        target = QueueAddress.of_arn(queue.redrive.target) if queue.redrive is not None else None
        dead_letters = self.queues.find(target) if target is not None else None
        timeout = (queue.visibility_timeout if wanted.timeout is None else wanted.timeout) * 1000

        def take(tx: Transaction) -> list[Message]:
            # Others who wait must learn when these become visible again.
            self.notify_after(tx, queue)
            if wanted.attempt is not None:
                again = attempts.repeat(tx, queue, wanted.attempt, timeout, now)
                if again is not None:
                    return again
            received = receiving.receive(tx, queue, dead_letters, self.turns, count, timeout, now)
            if received.moved and dead_letters is not None:
                self.notify_after(tx, dead_letters)
            if wanted.attempt is not None and received.messages:
                attempts.remember(tx, queue, wanted.attempt, received.messages, now)
            return received.messages

        return await self.store.write(take)

    def _deletion(self, queue: Queue, entry: Mapping[str, Any]) -> Step:
        handle: str = entry["ReceiptHandle"]
        receipt, now = self.receipt_of(queue, handle), self._now()

        def delete(tx: Transaction) -> None:
            receiving.delete(tx, queue, receipt, handle, now)
            if queue.fifo:
                self.notify_after(tx, queue)  # the rest of its message group may follow

        return delete

    def _visibility_change(self, queue: Queue, entry: Mapping[str, Any]) -> Step:
        handle: str = entry["ReceiptHandle"]
        timeout = _within(entry, "VisibilityTimeout", 0, 43_200, "Must be >= 0 and <= 43200.") or 0
        receipt, now = self.receipt_of(queue, handle), self._now()

        def change(tx: Transaction) -> None:
            receiving.change_visibility(tx, queue, receipt, handle, timeout * 1000, now)
            self.notify_after(tx, queue)

        return change

    async def _each(
        self, entries: "list[Mapping[str, Any]] | Any", step_of: Callable[[Mapping[str, Any]], Step]
    ) -> dict[str, Any]:
        """Runs a step for each entry of a batch in one transaction; those that fail do not stop the others."""
        failed: list[dict[str, Any]] = []
        steps: dict[str, Step] = {}
        for entry in entries:
            try:
                steps[entry["Id"]] = step_of(entry)
            except SqsError as error:
                failed.append(failed_entry(entry["Id"], error))

        def run(tx: Transaction) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            done: list[dict[str, Any]] = []
            refused: list[dict[str, Any]] = []
            for id_, step in steps.items():
                try:
                    step(tx)  # it raises before it writes
                    done.append({"Id": id_})
                except SqsError as error:
                    refused.append(failed_entry(id_, error))
            return done, refused

        done, refused = await self.store.write(run) if steps else ([], [])
        return batch_result(done, failed + refused)

    def _now(self) -> int:
        return int(self.cloud.clock.now() * 1000)


def _sent_output(message: OutgoingMessage, sent: Sent) -> dict[str, Any]:
    output = {
        "MessageId": sent.message_id,
        "MD5OfMessageBody": body_md5(message.body),
        "MD5OfMessageAttributes": attributes_md5(message.attributes),
        "MD5OfMessageSystemAttributes": trace_header_md5(message.trace_header),
        "SequenceNumber": sent.sequence_number,
    }
    return {name: value for name, value in output.items() if value is not None}


def _received_output(message: Message, handle: str) -> dict[str, Any]:
    return {
        "MessageId": message.message_id,
        "ReceiptHandle": handle,
        "MD5OfBody": body_md5(message.body),
        "Body": message.body,
    }


def _selected_attributes(message: Message, system: set[str], wanted: Any) -> dict[str, Any]:
    """System attributes and message attributes, as far as they were asked for."""
    output: dict[str, Any] = {}
    if system:
        described = _system_attributes(message)
        selected = described if "All" in system else {n: v for n, v in described.items() if n in system}
        if selected:
            output["Attributes"] = selected
    if wanted and message.attributes is not None:
        attributes = select_attributes(decode_attributes(message.attributes), wanted)
        if attributes:
            output["MessageAttributes"] = attributes
            output["MD5OfMessageAttributes"] = attributes_md5(attributes)
    return output


def _system_attributes(message: Message) -> dict[str, str]:
    described = {
        "SenderId": message.sender,
        "SentTimestamp": str(message.sent),
        "ApproximateReceiveCount": str(message.receives + message.earlier_receives),
        "ApproximateFirstReceiveTimestamp": str(message.first_received),
        "SequenceNumber": sending.sequence_number(message.sequence),
        "MessageDeduplicationId": message.deduplication_id,
        "MessageGroupId": message.group_id,
        "AWSTraceHeader": message.trace_header,
        "DeadLetterQueueSourceArn": message.source,
    }
    return {name: value for name, value in described.items() if value is not None}


def _within(params: Mapping[str, Any], member: str, low: int, high: int, reason: str) -> int | None:
    value: int | None = params.get(member)
    if value is not None and not low <= value <= high:
        raise invalid_value(member, value, reason)
    return value
