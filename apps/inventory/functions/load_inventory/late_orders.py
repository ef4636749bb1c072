"""Finds what orders took off a level while a file with its count was on its way into the table."""

import time
from typing import Any

_BY_STATUS = "ByStatus"
_ATTEMPTS = 10


class OrdersSince:
    def __init__(self, dynamodb: Any, orders_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = orders_table

    def taken(self, store: str, item: str, counted: str, last: str) -> int:
        """How many pieces are reserved since `counted`; `last` is when the level was reserved off the last time.

        The index follows its table with a delay: until it shows that last order, it is asked again. Raises
        TimeoutError if it does not; the file is loaded later then.
        """
        for attempt in range(_ATTEMPTS):
            orders = self._reserved(counted)
            if any(order["Since"]["S"] == last for order in orders):
                return sum(_pieces(order, item) for order in orders if order["Store"]["S"] == store)
            time.sleep(0.05 * 2**attempt)
        raise TimeoutError(f"the order that took {item} in {store} at {last} is not in the index yet")

    def _reserved(self, counted: str) -> list[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=_BY_STATUS,
            KeyConditionExpression="#status = :reserved AND Since >= :counted",
            ExpressionAttributeNames={"#status": "Status"},
            ExpressionAttributeValues={":reserved": {"S": "RESERVED"}, ":counted": {"S": counted}},
        )
        return [order for page in pages for order in page["Items"]]


def _pieces(order: dict[str, Any], item: str) -> int:
    return sum(int(entry["M"]["Count"]["N"]) for entry in order["Items"]["L"] if entry["M"]["Item"]["S"] == item)
