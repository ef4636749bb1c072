"""The operations on queues: life, attributes, permissions, tags."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.sqs import queues, receiving
from cloudlet.services.sqs.attributes import COUNTS, NAMES
from cloudlet.services.sqs.base import SqsBase
from cloudlet.services.sqs.errors import invalid_attribute_name, invalid_parameter, invalid_value
from cloudlet.services.sqs.permissions import with_permission, without_permission
from cloudlet.services.sqs.queues import Queue, QueueAddress
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_sqs import type_defs as t

_LARGEST_PAGE = 1000


class QueueOperations(SqsBase):
    def condition_keys(self, call: Call, params: dict[str, Any]) -> dict[str, str]:
        """The tags of the queue, and those that the request gives to one."""
        address = self._address(call, params)
        queue = self.queues.find(address) if address is not None else None
        keys = {f"aws:ResourceTag/{key}": value for key, value in queue.tags.items()} if queue is not None else {}
        given: Mapping[str, str] = params.get("tags") or params.get("Tags") or {}
        return keys | {f"aws:RequestTag/{key}": value for key, value in given.items()}

    def counts_as(self, call: Call, params: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
        """Tags at creation count as TagQueue."""
        yield call.operation, params
        if call.operation == "CreateQueue" and params.get("tags"):
            yield "TagQueue", params

    @operation("CreateQueue")
    async def create_queue(self, call: Call, params: "t.CreateQueueRequestTypeDef") -> dict[str, Any]:
        address = QueueAddress(call.account, call.region, params["QueueName"])
        given = {str(name): value for name, value in params.get("Attributes", {}).items()}
        tags = params.get("tags", {})
        await self.store.write(lambda tx: queues.create_queue(tx, self.queues, address, given, tags, int(call.time)))
        return {"QueueUrl": self.url(address)}

    @operation("GetQueueUrl")
    async def get_queue_url(self, call: Call, params: "t.GetQueueUrlRequestTypeDef") -> dict[str, Any]:
        account = params.get("QueueOwnerAWSAccountId") or call.account
        queue = self.queues.get(QueueAddress(account, call.region, params["QueueName"]))
        self.check_account(call, queue)
        return {"QueueUrl": self.url(queue.address)}

    @operation("ListQueues")
    async def list_queues(self, call: Call, params: "t.ListQueuesRequestTypeDef") -> dict[str, Any]:
        prefix = params.get("QueueNamePrefix", "")
        found = [q for q in self.queues.of(call.account, call.region) if q.address.name.startswith(prefix)]
        return self._page(found, params, "QueueUrls")

    @operation("ListDeadLetterSourceQueues")
    async def list_dead_letter_source_queues(
        self, call: Call, params: "t.ListDeadLetterSourceQueuesRequestTypeDef"
    ) -> dict[str, Any]:
        sources = self.queues.sources_of(self.queue_of(call, params))
        return {"queueUrls": [], **self._page(sources, params, "queueUrls")}

    @operation("DeleteQueue")
    async def delete_queue(self, call: Call, params: "t.DeleteQueueRequestTypeDef") -> None:
        queue = self.queue_of(call, params)

        def delete(tx: Transaction) -> None:
            queues.delete_queue(tx, self.queues, queue.address)
            self.notify_after(tx, queue)

        await self.store.write(delete, long=True)

    @operation("PurgeQueue")
    async def purge_queue(self, call: Call, params: "t.PurgeQueueRequestTypeDef") -> None:
        queue = self.queue_of(call, params)
        await self.store.write(lambda tx: receiving.purge(tx, queue), long=True)

    @operation("GetQueueAttributes")
    async def get_queue_attributes(self, call: Call, params: "t.GetQueueAttributesRequestTypeDef") -> dict[str, Any]:
        queue = self.queue_of(call, params)
        wanted = set(params.get("AttributeNames", ()))
        for name in sorted(wanted - NAMES):
            raise invalid_attribute_name(name)
        everything = _described(queue)
        if wanted & {"All", *COUNTS}:
            counts = await self.store.query(lambda reader: receiving.counts(reader, queue, int(call.time * 1000)))
            everything.update(zip(COUNTS, map(str, counts), strict=True))
        found = everything if "All" in wanted else {n: v for n, v in everything.items() if n in wanted}
        return {"Attributes": found} if found else {}

    @operation("SetQueueAttributes")
    async def set_queue_attributes(self, call: Call, params: "t.SetQueueAttributesRequestTypeDef") -> None:
        given = {str(name): value for name, value in params["Attributes"].items()}
        await self._change_attributes(call, params, lambda _: given)

    @operation("AddPermission")
    async def add_permission(self, call: Call, params: "t.AddPermissionRequestTypeDef") -> None:
        def changed(queue: Queue) -> dict[str, str]:
            accounts, actions = params["AWSAccountIds"], list(params["Actions"])
            return {"Policy": with_permission(queue.policy, queue.arn, params["Label"], accounts, actions)}

        await self._change_attributes(call, params, changed)

    @operation("RemovePermission")
    async def remove_permission(self, call: Call, params: "t.RemovePermissionRequestTypeDef") -> None:
        def changed(queue: Queue) -> dict[str, str]:
            return {"Policy": without_permission(queue.policy, queue.arn, params["Label"])}

        await self._change_attributes(call, params, changed)

    @operation("TagQueue")
    async def tag_queue(self, call: Call, params: "t.TagQueueRequestTypeDef") -> None:
        await self._change_tags(call, params, lambda tags: {**tags, **params["Tags"]})

    @operation("UntagQueue")
    async def untag_queue(self, call: Call, params: "t.UntagQueueRequestTypeDef") -> None:
        gone = set(params["TagKeys"])
        await self._change_tags(call, params, lambda tags: {k: v for k, v in tags.items() if k not in gone})

    @operation("ListQueueTags")
    async def list_queue_tags(self, call: Call, params: "t.ListQueueTagsRequestTypeDef") -> dict[str, Any]:
        tags = self.queue_of(call, params).tags
        return {"Tags": dict(tags)} if tags else {}

    async def _change_attributes(
        self, call: Call, params: Mapping[str, Any], changed: Callable[[Queue], dict[str, str]]
    ) -> None:
        address = self.queue_of(call, params).address

        def change(tx: Transaction) -> None:
            queue = queues.load(tx, address)
            queues.set_attributes(tx, self.queues, address, changed(queue), int(call.time))
            self.notify_after(tx, queue)

        await self.store.write(change)

    async def _change_tags(
        self, call: Call, params: Mapping[str, Any], changed: Callable[[Mapping[str, str]], dict[str, str]]
    ) -> None:
        address = self.queue_of(call, params).address
        await self.store.write(
            lambda tx: queues.set_tags(tx, self.queues, address, changed(queues.load(tx, address).tags))
        )

    def _page(self, found: list[Queue], params: Mapping[str, Any], member: str) -> dict[str, Any]:
        """Without MaxResults there is one page, as long as the largest."""
        size: int | None = params.get("MaxResults")
        if size is not None and not 1 <= size <= _LARGEST_PAGE:
            raise invalid_parameter("MaxResults must be an integer between 1 and 1000")
        if token := params.get("NextToken"):
            after = _read_token(token)
            found = [queue for queue in found if queue.address.name > after]
        page = found[: size or _LARGEST_PAGE]
        output: dict[str, Any] = {member: [self.url(queue.address) for queue in page]} if page else {}
        if size is not None and len(found) > size:
            output["NextToken"] = base64.urlsafe_b64encode(page[-1].address.name.encode()).decode()
        return output


def _described(queue: Queue) -> dict[str, str]:
    """All attributes but the counts."""
    return {
        **queue.attributes,
        "QueueArn": queue.arn,
        "CreatedTimestamp": str(queue.created),
        "LastModifiedTimestamp": str(queue.modified),
    }


def _read_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        raise invalid_value("NextToken", token, "Invalid NextToken.") from None
