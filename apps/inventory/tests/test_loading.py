"""How levels are written: in transactions, on condition, at last completely."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from inventory_file import Rejected, Row
from levels import Levels
from load_inventory import Report, version_of

VERSION, TIME = "2026-11-24T11:00:00.000Z 01", "2026-11-24T11:00:00.000Z"


class Cancelled(ClientError):
    def __init__(self, *codes: str) -> None:
        newer = {"Version": {"S": "9999"}}
        reasons = [{"Code": code, **({"Item": newer} if "Check" in code else {})} for code in codes]
        answer: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        super().__init__(answer, "TransactWriteItems")


class Table:
    """Takes transactions; before that, cancels as many as it was told reasons for."""

    class exceptions:
        TransactionCanceledException = Cancelled

    def __init__(self, *cancelled: Cancelled) -> None:
        self._cancelled = list(cancelled)
        self.transactions: list[list[dict[str, Any]]] = []

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:
        if self._cancelled:
            raise self._cancelled.pop(0)
        self.transactions.append([write["Put"]["Item"] for write in TransactItems])

    def items(self) -> list[str]:
        return sorted(item["Item"]["S"] for transaction in self.transactions for item in transaction)


class Orders:
    """What orders took since a count."""

    def __init__(self, taken: int = 0) -> None:
        self._taken = taken

    def taken(self, store: str, item: str, counted: str, last: str) -> int:
        return self._taken


def levels(table: Table, taken: int = 0) -> Levels:
    return Levels(table, "Inventory", Orders(taken))


def rows(count: int) -> Iterator[Row]:
    return (Row(line, "Berlin", f"item {line}", line) for line in range(2, count + 2))


def test_rows_are_written_in_hundreds():
    table = Table()
    levels(table).write(rows(250), VERSION, TIME)
    assert sorted(len(transaction) for transaction in table.transactions) == [50, 100, 100]
    assert len(set(table.items())) == 250


def test_the_last_line_of_an_item_has_the_greatest_version():
    table = Table()
    levels(table).write([Row(2, "Berlin", "Tap", 1), Row(3, "Berlin", "Tap", 2)], VERSION, TIME)
    assert table.transactions == [
        [
            {
                "Store": {"S": "Berlin"},
                "Item": {"S": "Tap"},
                "Count": {"N": "2"},
                "Counted": {"S": TIME},
                "Version": {"S": f"{VERSION} 000000003"},
            }
        ]
    ]


def test_what_is_newer_in_the_table_is_left_alone():
    table = Table(Cancelled("None", "ConditionalCheckFailed", "None"))
    levels(table).write(rows(3), VERSION, TIME)
    assert table.items() == ["item 2", "item 4"]


def test_a_file_that_was_loaded_before_writes_nothing():
    table = Table(Cancelled("ConditionalCheckFailed", "ConditionalCheckFailed"))
    levels(table).write(rows(2), VERSION, TIME)
    assert table.transactions == []


def test_a_conflict_is_tried_again():
    table = Table(Cancelled("TransactionConflict", "None"), Cancelled("None", "ThrottlingError"))
    levels(table).write(rows(2), VERSION, TIME)
    assert table.items() == ["item 2", "item 3"]


def test_what_orders_took_since_the_upload_is_taken_off_the_count():
    later = {"Reserved": {"S": "2026-11-24T11:00:01.000000Z"}, "Count": {"N": "2"}, "Version": {"S": "2026-11-23"}}
    cancelled = Cancelled("ConditionalCheckFailed")
    cancelled.response["CancellationReasons"] = [{"Code": "ConditionalCheckFailed", "Item": later}]  # type: ignore[typeddict-unknown-key]
    table = Table(cancelled)
    levels(table, taken=3).write([Row(2, "Berlin", "Tap", 10)], VERSION, TIME)
    [[written]] = table.transactions
    assert (written["Count"], written["Reserved"]) == ({"N": "7"}, later["Reserved"])


def test_another_reason_ends_the_load():
    with pytest.raises(Cancelled):
        levels(Table(Cancelled("ValidationError", "None"))).write(rows(2), VERSION, TIME)


def test_versions_sort_as_the_uploads_happened():
    def version(time: str, sequencer: str) -> str:
        return version_of({"eventTime": time, "s3": {"object": {"sequencer": sequencer}}})

    uploads = [
        version("2026-11-24T10:59:59.999Z", "00FF"),
        version("2026-11-24T11:00:00.000Z", "00AA"),
        version("2026-11-24T11:00:00.000Z", "00AA05"),
        version("2026-11-24T11:00:00.001Z", "0001"),
    ]
    assert uploads == sorted(uploads)


def test_the_report_counts_rows_by_store():
    report = Report("stores.csv", TIME, 100)
    lines = [Row(2, "Berlin", "Tap", 1), Rejected(3, "the item is empty", ",,"), Row(4, "Tokyo", "Tap", 1)]
    assert [row.line for row in report.good_rows(iter(lines))] == [2, 4]
    assert (report.loaded, report.rejected, report.stores) == (2, 1, {"Berlin": 1, "Tokyo": 1})
    assert report.errors == [lines[1]]
