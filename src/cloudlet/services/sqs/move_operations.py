"""The operations on message move tasks."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.sqs import move_tasks
from cloudlet.services.sqs.base import SqsBase
from cloudlet.services.sqs.errors import invalid_parameter, invalid_value, resource_not_found
from cloudlet.services.sqs.queues import Queue, QueueAddress

if TYPE_CHECKING:
    from types_boto3_sqs import type_defs as t

_FASTEST = 500
_LONGEST_LIST = 10


class MoveOperations(SqsBase):
    def resource(self, call: Call, params: dict[str, Any]) -> str | None:
        """A task is about the queue that it empties."""
        if "TaskHandle" in params:
            return self._source_of(call, params["TaskHandle"]).arn
        return super().resource(call, params)

    @operation("StartMessageMoveTask")
    async def start_message_move_task(
        self, call: Call, params: "t.StartMessageMoveTaskRequestTypeDef"
    ) -> dict[str, Any]:
        source = self._named(call, params["SourceArn"], "SourceArn")
        senders = self.queues.sources_of(source)
        if not senders:
            raise invalid_parameter("Source queue must be configured as a Dead Letter Queue.")
        destination, rate = params.get("DestinationArn"), params.get("MaxNumberOfMessagesPerSecond")
        if rate is not None and not 1 <= rate <= _FASTEST:
            reason = f"It must be an integer from 1 to {_FASTEST}."
            raise invalid_value("MaxNumberOfMessagesPerSecond", rate, reason)
        receivers = senders if destination is None else [self._named(call, destination, "DestinationArn")]
        for receiver in receivers:
            self._check_receiver(call, source, receiver)
        now = int(call.time * 1000)
        task = await self.store.write(lambda tx: move_tasks.start(tx, source, destination, rate, now))
        self.mover.take_up(task)
        return {"TaskHandle": task.handle}

    @operation("CancelMessageMoveTask")
    async def cancel_message_move_task(
        self, call: Call, params: "t.CancelMessageMoveTaskRequestTypeDef"
    ) -> dict[str, Any]:
        self._source_of(call, params["TaskHandle"])
        cancelled = await self.store.write(lambda tx: move_tasks.cancel(tx, params["TaskHandle"]))
        return {"ApproximateNumberOfMessagesMoved": cancelled.moved}

    @operation("ListMessageMoveTasks")
    async def list_message_move_tasks(
        self, call: Call, params: "t.ListMessageMoveTasksRequestTypeDef"
    ) -> dict[str, Any]:
        source = self._named(call, params["SourceArn"], "SourceArn")
        limit = params.get("MaxResults", 1)
        if not 1 <= limit <= _LONGEST_LIST:
            raise invalid_value("MaxResults", limit, f"It must be an integer from 1 to {_LONGEST_LIST}.")
        found = move_tasks.tasks_of(self.store.reader, source, limit)
        return {"Results": [move_tasks.described(task, source) for task in found]}

    def _source_of(self, call: Call, handle: str) -> Queue:
        """Raises ResourceNotFoundException."""
        task = move_tasks.load_task(self.store.reader, handle)
        source = next((queue for queue in self.queues.all() if queue.id == task.source), None)
        if source is None or source.address.account != call.account or source.address.region != call.region:
            raise resource_not_found("Task does not exist.")
        return source

    def _named(self, call: Call, arn: str, parameter: str) -> Queue:
        address = QueueAddress.of_arn(arn)
        queue = self.queues.find(address) if address is not None else None
        if queue is None or queue.address.account != call.account or queue.address.region != call.region:
            raise resource_not_found(f"The resource that you specified for the {parameter} parameter doesn't exist.")
        return queue

    def _check_receiver(self, call: Call, source: Queue, receiver: Queue) -> None:
        """It takes the same type of message, and the caller may send to it."""
        if receiver.id == source.id or receiver.fifo != source.fifo:
            raise invalid_parameter("The destination must be another queue, of the source's type.")
        if call.principal.kind != "root":
            policy = dict(receiver.policy) if receiver.policy is not None else None
            self.cloud.authoriser.authorise(replace(call, operation="SendMessage"), receiver.arn, policy)
