"""The rules that all batch operations share."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.services.sqs.errors import (
    SqsError,
    empty_batch,
    ids_not_distinct,
    invalid_batch_entry_id,
    too_many_entries,
)

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MOST = 10


def check_batch(entries: Iterable[Mapping[str, Any]], kind: str) -> None:
    """`kind` is the model's name of an entry. Raises the error that fails the batch as a whole."""
    ids = [entry["Id"] for entry in entries]
    if not ids:
        raise empty_batch(kind)
    if len(ids) > _MOST:
        raise too_many_entries(len(ids))
    seen: set[str] = set()
    for id_ in ids:
        if not _ID.fullmatch(id_):
            raise invalid_batch_entry_id()
        if id_ in seen:
            raise ids_not_distinct(id_)
        seen.add(id_)


def failed_entry(id_: str, error: SqsError) -> dict[str, Any]:
    return {"Id": id_, "SenderFault": True, "Code": error.query_code, "Message": error.message}


def batch_result(successful: list[dict[str, Any]], failed: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Successful": successful, "Failed": failed}
