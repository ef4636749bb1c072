"""Reserves stock for orders: for each in one transaction, once, completely or not at all.

The transaction takes each item's pieces off its level, on the condition that there are enough, and writes the order
down, on the condition that nobody did before. So whoever repeats it (S3 with an event that comes twice, a shop with
a file that it uploads again, Lambda after a function died) finds the order and changes nothing. A call that boto3
repeats because its answer was lost carries the ClientRequestToken of the first.

An order that cannot be met is written down as a back-order, on the condition that its items are short still. If they
are not, it is decided anew. Therefore whoever brings stock afterwards finds every order that waits for it.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from order_file import Order

RESERVED, BACK_ORDERED = "RESERVED", "BACK_ORDERED"
BY_STATUS = "ByStatus"  # the orders table's index: each status' orders by when they came into it

_ATTEMPTS = 20
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


@dataclass(frozen=True, slots=True)
class Shortage:
    """What an order waits for."""

    item: str
    wanted: int
    available: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """`new` is False for an order that was there before; `same` says whether it wanted the same then."""

    status: str
    short: tuple[Shortage, ...] = ()
    new: bool = True
    same: bool = True


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a transaction did not happen: the order was there already, or these are short. Neither: try again."""

    known: dict[str, Any] | None = None
    short: tuple[Shortage, ...] = ()


class Reservations:
    def __init__(self, dynamodb: Any, levels_table: str, orders_table: str) -> None:
        self._dynamodb = dynamodb
        self._levels = levels_table
        self._orders = orders_table

    def take(self, order: Order, file: str, received: str) -> Outcome:
        """Reserves what an order wants, or writes it down as a back-order. Raises TimeoutError if others are faster."""
        for _ in _attempts():
            now = _now()
            reserving = self._record(order, file, received, RESERVED, now)
            refusal = self._transact([*self._taking(order, now), reserving], order)
            if refusal is None:
                return Outcome(RESERVED)
            if refusal.short:
                waiting = self._record(order, file, received, BACK_ORDERED, now, refusal.short)
                short, refusal = refusal.short, self._transact([*self._lacking(order, refusal.short), waiting], order)
                if refusal is None:
                    return Outcome(BACK_ORDERED, short)
            if refusal.known is not None:
                return _as_known(order, refusal.known)
        raise TimeoutError(f"order {order.order} could not be decided in {_ATTEMPTS} attempts")

    def waiting(self) -> Iterator[dict[str, Any]]:
        """The rows of all back-orders, the oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._orders,
            IndexName=BY_STATUS,
            KeyConditionExpression="#status = :status",
            ExpressionAttributeNames={"#status": "Status"},
            ExpressionAttributeValues={":status": {"S": BACK_ORDERED}},
        )
        for page in pages:
            yield from page["Items"]

    def fill(self, row: dict[str, Any]) -> bool:
        """Reserves what a back-order waits for; False if it goes on waiting or somebody else filled it."""
        order = Order(0, row["Order"]["S"], row["Store"]["S"], tuple(_wanted(row)))
        for _ in _attempts():
            now = _now()
            refusal = self._transact([*self._taking(order, now), self._filled(order, now)], order)
            if refusal is None:
                return True
            if refusal.short:
                waiting = self._explained(order, refusal.short)
                refusal = self._transact([*self._lacking(order, refusal.short), waiting], order)
            if refusal is None or refusal.known is not None:
                return False
        raise TimeoutError(f"order {order.order} could not be filled in {_ATTEMPTS} attempts")

    def _transact(self, writes: list[dict[str, Any]], order: Order) -> _Refusal | None:
        """The last write is the order's. None once all is written."""
        try:
            self._dynamodb.transact_write_items(TransactItems=writes)
            return None
        except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
            return _refusal(writes, cancelled, order)

    def _taking(self, order: Order, now: str) -> Iterator[dict[str, Any]]:
        """The level remembers the time for a count that comes late (see load_inventory), and who took the last."""
        for item, count in order.items:
            yield {
                "Update": {
                    **self._level(order.store, item),
                    "UpdateExpression": "SET #count = #count - :wanted, Reserved = :now, TakenBy = :order",
                    "ConditionExpression": "#count >= :wanted",
                    "ExpressionAttributeNames": {"#count": "Count"},
                    "ExpressionAttributeValues": {
                        ":wanted": {"N": str(count)},
                        ":now": {"S": now},
                        ":order": {"S": order.order},
                    },
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            }

    def _lacking(self, order: Order, short: tuple[Shortage, ...]) -> Iterator[dict[str, Any]]:
        for shortage in short:
            yield {
                "ConditionCheck": {
                    **self._level(order.store, shortage.item),
                    "ConditionExpression": "attribute_not_exists(#count) OR #count < :wanted",
                    "ExpressionAttributeNames": {"#count": "Count"},
                    "ExpressionAttributeValues": {":wanted": {"N": str(shortage.wanted)}},
                }
            }

    def _level(self, store: str, item: str) -> dict[str, Any]:
        return {"TableName": self._levels, "Key": {"Store": {"S": store}, "Item": {"S": item}}}

    def _record(
        self, order: Order, file: str, received: str, status: str, now: str, short: tuple[Shortage, ...] = ()
    ) -> dict[str, Any]:
        row: dict[str, Any] = {
            "Order": {"S": order.order},
            "Store": {"S": order.store},
            "Items": {"L": [{"M": {"Item": {"S": item}, "Count": {"N": str(count)}}} for item, count in order.items]},
            "Status": {"S": status},
            "Since": {"S": now},
            "Received": {"S": received},
            "File": {"S": file},
        }
        if order.customer:
            row["Customer"] = {"S": order.customer}
        if short:
            row["Lacking"] = _short(short)
        return {
            "Put": {
                "TableName": self._orders,
                "Item": row,
                "ConditionExpression": "attribute_not_exists(#order)",
                "ExpressionAttributeNames": {"#order": "Order"},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _filled(self, order: Order, now: str) -> dict[str, Any]:
        update = "SET #status = :reserved, Waited = Since, Since = :now REMOVE Lacking"
        return self._waiting(order, update, {":reserved": {"S": RESERVED}, ":now": {"S": now}})

    def _explained(self, order: Order, short: tuple[Shortage, ...]) -> dict[str, Any]:
        """What it waits for may be something else by now."""
        return self._waiting(order, "SET Lacking = :short", {":short": _short(short)})

    def _waiting(self, order: Order, update: str, values: dict[str, Any]) -> dict[str, Any]:
        """Changes a back-order, if it is one still."""
        return {
            "Update": {
                "TableName": self._orders,
                "Key": {"Order": {"S": order.order}},
                "UpdateExpression": update,
                "ConditionExpression": "#status = :waiting",
                "ExpressionAttributeNames": {"#status": "Status"},
                "ExpressionAttributeValues": {":waiting": {"S": BACK_ORDERED}, **values},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


def _attempts() -> Iterator[int]:
    """With a pause before each but the first, longer and longer, never the same for two that met."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))
        yield attempt


def _refusal(writes: list[dict[str, Any]], cancelled: ClientError, order: Order) -> _Refusal:
    """What a cancelled transaction says. Raises what no repetition mends."""
    reasons: list[dict[str, Any]] = cancelled.response.get("CancellationReasons", [])  # type: ignore[assignment]
    codes = [reason.get("Code", "None") for reason in reasons]
    if any(code not in {"None", "ConditionalCheckFailed", *_PASSING} for code in codes):
        raise cancelled
    if codes[-1] == "ConditionalCheckFailed":
        return _Refusal(known=reasons[-1].get("Item", {}))
    wanted = dict(order.items)
    short = []
    for write, reason, code in zip(writes, reasons, codes, strict=True):
        if code == "ConditionalCheckFailed" and "ConditionCheck" not in write:
            item = write["Update"]["Key"]["Item"]["S"]
            available = int(reason.get("Item", {}).get("Count", {}).get("N", "0"))
            short.append(Shortage(item, wanted[item], available))
    return _Refusal(short=tuple(short))


def _as_known(order: Order, row: dict[str, Any]) -> Outcome:
    same = (row["Store"]["S"], dict(_wanted(row))) == (order.store, dict(order.items))
    return Outcome(row["Status"]["S"], new=False, same=same)


def _wanted(row: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for entry in row["Items"]["L"]:
        yield entry["M"]["Item"]["S"], int(entry["M"]["Count"]["N"])


def _short(short: tuple[Shortage, ...]) -> dict[str, Any]:
    return {
        "L": [
            {
                "M": {
                    "Item": {"S": entry.item},
                    "Wanted": {"N": str(entry.wanted)},
                    "Available": {"N": str(entry.available)},
                }
            }
            for entry in short
        ]
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
