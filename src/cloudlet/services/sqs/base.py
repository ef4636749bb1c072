"""What all SQS operations stand on: the data, the queue that a call is about, its policy, waiting receivers."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.service import Cloud, Service
from cloudlet.services.sqs.errors import receipt_handle_is_invalid
from cloudlet.services.sqs.flights import Flights
from cloudlet.services.sqs.measures import Measures
from cloudlet.services.sqs.mover import Mover
from cloudlet.services.sqs.queues import Queue, QueueAddress, Queues
from cloudlet.services.sqs.receipts import Receipt, unseal
from cloudlet.services.sqs.retention import Retention
from cloudlet.services.sqs.turns import Turns
from cloudlet.store import Store, Transaction

# Receivers that wait listen to it as well: no message, but the server is about to stop.
DRAINING = "sqs:draining"


class SqsBase(Service):
    apis = ("sqs",)
    store: Store
    queues: Queues
    measures: Measures
    mover: Mover
    receipt_key: bytes
    draining = False

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.turns = Turns()
        self.flights = Flights()

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "sqs.db", Path(__file__).with_name("schema.sql"))
        self.queues = Queues(self.store.reader)
        self.measures = Measures(self.cloud.metrics, self.cloud.clock, self.queues, self.store.reader)
        self.receipt_key = await self.store.write(_receipt_key)
        self._retention = Retention(self.store, self.queues, self.cloud.clock)
        self._retention.start()
        self.mover = Mover(self.store, self.queues, self.cloud.signals, self.cloud.clock)
        self.mover.start()

    async def drain(self) -> None:
        """Answers the receivers that wait; nobody else would before their time is over."""
        self.draining = True
        self.cloud.signals.notify(DRAINING)

    async def stop(self) -> None:
        await self.mover.stop()
        await self._retention.stop()
        self.store.close()

    def resource(self, call: Call, params: dict[str, Any]) -> str | None:
        if call.operation == "ListQueues":
            return f"arn:aws:sqs:{call.region}:{call.account}:*"
        address = self._address(call, params)
        return address.arn if address is not None else None

    def resource_policy(self, call: Call, params: dict[str, Any]) -> dict[str, Any] | None:
        address = self._address(call, params)
        queue = self.queues.find(address) if address is not None else None
        return dict(queue.policy) if queue is not None and queue.policy is not None else None

    def queue_of(self, call: Call, params: Mapping[str, Any]) -> Queue:
        """The queue of the call's QueueUrl. Raises QueueDoesNotExist, or AccessDenied for another account's."""
        address = QueueAddress.of_url(params["QueueUrl"], call.region)
        queue = self.queues.get(address)
        self.check_account(call, queue)
        return queue

    def check_account(self, call: Call, queue: Queue) -> None:
        """Another account's queue is open only to those whom its policy lets in, and be it that account's root."""
        owner, principal = queue.address.account, call.principal
        if principal.kind != "service" and principal.account != owner:
            policy = dict(queue.policy) if queue.policy is not None else None
            self.cloud.authoriser.authorise(replace(call, account=owner), queue.arn, policy)

    def receipt_of(self, queue: Queue, handle: str) -> Receipt:
        """Raises ReceiptHandleIsInvalid for a handle that this queue never gave out."""
        receipt = unseal(handle, self.receipt_key)
        if receipt is None or receipt.queue != queue.id:
            raise receipt_handle_is_invalid(handle)
        return receipt

    def notify_after(self, tx: Transaction, queue: Queue) -> None:
        """Wakes the queue's receivers once the write is on disk: what they may get, or when, has changed."""
        tx.after_commit(lambda: self.cloud.signals.notify(queue.signal))

    def url(self, address: QueueAddress) -> str:
        return f"{self.cloud.settings.endpoint_url}/{address.account}/{address.name}"

    def _address(self, call: Call, params: Mapping[str, Any]) -> QueueAddress | None:
        if "QueueUrl" in params:
            return QueueAddress.of_url(params["QueueUrl"], call.region)
        if "QueueName" in params:
            account = params.get("QueueOwnerAWSAccountId") or call.account
            return QueueAddress(account, call.region, params["QueueName"])
        return QueueAddress.of_arn(params["SourceArn"]) if "SourceArn" in params else None


def _receipt_key(tx: Transaction) -> bytes:
    row = tx.one("SELECT key FROM receipt_key")
    if row is not None:
        return row[0]
    key = os.urandom(32)
    tx.execute("INSERT INTO receipt_key (key) VALUES (?)", (key,))
    return key
