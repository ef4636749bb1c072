"""Publish and PublishBatch."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.ids import request_id
from cloudlet.core.service import operation
from cloudlet.services.sns.base import SnsBase
from cloudlet.services.sns.errors import (
    batch_too_long,
    empty_batch,
    ids_not_distinct,
    invalid_batch_entry_id,
    invalid_parameter,
    too_many_entries,
)
from cloudlet.services.sns.mail import put_in_mailbox
from cloudlet.services.sns.messages import Message, body_for, check_for_topic, read_message
from cloudlet.services.sns.publishing import Published, publish
from cloudlet.services.sns.short_messages import default_sender, is_phone_number, short_message
from cloudlet.services.sns.subscriptions import Subscription
from cloudlet.services.sns.topics import Topic, load_topic
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as t

_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MOST_ENTRIES = 10


class PublishOperations(SnsBase):
    @operation("Publish")
    async def publish(self, call: Call, params: "t.PublishInputTypeDef") -> dict[str, Any]:
        targets = [name for name in ("TopicArn", "TargetArn", "PhoneNumber") if name in params]
        if not targets:
            raise invalid_parameter("TopicArn or TargetArn Reason: no value for required parameter")
        if len(targets) > 1:
            raise invalid_parameter("TopicArn or TargetArn Reason: exactly one of TopicArn, TargetArn, PhoneNumber")
        if targets == ["PhoneNumber"]:
            return await self._send_to_phone(call, params)
        topic = self.topic_of(call, params[targets[0]])
        message = read_message(params, topic)
        check_for_topic(topic, message)
        (published,) = await self._publish(call, topic, [message])
        return _output(published)

    @operation("PublishBatch")
    async def publish_batch(self, call: Call, params: "t.PublishBatchInputTypeDef") -> dict[str, Any]:
        topic = self.topic_of(call, params["TopicArn"])
        entries = params["PublishBatchRequestEntries"]
        _check_entries([entry["Id"] for entry in entries])
        failed: list[dict[str, Any]] = []
        messages: dict[str, Message] = {}
        for entry in entries:
            try:
                message = read_message(entry, topic)
                check_for_topic(topic, message)
                messages[entry["Id"]] = message
            except AwsError as error:
                failed.append({"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": True})
        if sum(message.size for message in messages.values()) > topic.maximum_size:
            raise batch_too_long()
        published = await self._publish(call, topic, list(messages.values())) if messages else []
        pairs = zip(messages, published, strict=True)
        return {"Successful": [{"Id": id_, **_output(one)} for id_, one in pairs], "Failed": failed}

    async def _publish(self, call: Call, topic: Topic, messages: list[Message]) -> list[Published]:
        wanted = [self._wanted_by(topic, message) for message in messages]
        for message in messages:
            self.measures.published(topic, message.size)
        if not topic.fifo and not any(wanted):
            return [Published(request_id()) for _ in messages]  # nobody will ever see them

        def write(tx: Transaction) -> list[Published]:
            current = load_topic(tx, topic.arn)
            pairs = zip(messages, wanted, strict=True)
            return [publish(tx, self.outbox, current, message, by, call) for message, by in pairs]

        return await self.store.write(write)

    def _wanted_by(self, topic: Topic, message: Message) -> list[Subscription]:
        confirmed = [found for found in self.directory.subscriptions_to(topic.arn) if found.confirmed]
        wanting = [found for found in confirmed if found.wants(message.attributes, message.body_for(found.protocol))]
        self.measures.filtered_out(topic, len(confirmed) - len(wanting))
        return wanting

    async def _send_to_phone(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        number = params["PhoneNumber"]
        if not is_phone_number(number):
            raise invalid_parameter(f"PhoneNumber Reason: {number} is not valid to publish to")
        message = read_message(params, None)
        sender = default_sender(self.store.reader, call.account, call.region)
        text = body_for(message.body, message.structured, "sms")
        mail = short_message(number, text, message.attributes, sender)
        await self.store.write(lambda tx: put_in_mailbox(tx, call.account, call.region, mail, call.time))
        return {"MessageId": request_id()}


def _check_entries(ids: list[str]) -> None:
    if not ids:
        raise empty_batch()
    if len(ids) > _MOST_ENTRIES:
        raise too_many_entries()
    if not all(_ENTRY_ID.fullmatch(id_) for id_ in ids):
        raise invalid_batch_entry_id()
    if len(set(ids)) < len(ids):
        raise ids_not_distinct()


def _output(published: Published) -> dict[str, Any]:
    output = {"MessageId": published.message_id}
    return output if published.sequence_number is None else output | {"SequenceNumber": published.sequence_number}
