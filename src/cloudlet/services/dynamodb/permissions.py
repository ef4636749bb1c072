"""What a batch or a transaction counts as when it is asked whether the caller may do it."""

from collections.abc import Mapping
from typing import Any

_IN_TRANSACTIONS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}


def counted(operation: str, params: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The operations and the tables, each once: all of them must be allowed."""
    if "RequestItems" in params:
        return [(operation, {"TableName": table}) for table in params["RequestItems"]]
    found = {
        (_IN_TRANSACTIONS[kind], request["TableName"])
        for entry in params["TransactItems"]
        for kind, request in entry.items()
        if kind in _IN_TRANSACTIONS
    }
    return [(name, {"TableName": table}) for name, table in sorted(found)]
