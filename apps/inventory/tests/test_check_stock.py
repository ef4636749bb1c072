"""When the managers are told, what they read, and that nobody tells them twice."""

from decimal import Decimal
from typing import Any

import check_stock
import pytest
from check_stock import Alert, emptied, message, subject


def level(count: str | None) -> dict[str, Any] | None:
    return None if count is None else {"Store": {"S": "Berlin"}, "Item": {"S": "Echo Plus"}, "Count": {"N": count}}


def change(old: str | None, new: str | None, number: int = 1) -> dict[str, Any]:
    images = {"OldImage": level(old), "NewImage": level(new)}
    return {"dynamodb": {"SequenceNumber": str(number), **{k: v for k, v in images.items() if v is not None}}}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("4", "0", True),
        (None, "0", True),
        ("0", "0", False),
        ("0", "4", False),
        ("4", "3", False),
        (None, "4", False),
        ("4", None, False),
        ("0", None, False),
    ],
)
def test_an_alert_is_for_items_that_become_out_of_stock(old: str | None, new: str | None, told: bool):
    assert (emptied(change(old, new)) is not None) == told


def test_rows_that_somebody_wrote_by_hand_do_no_harm():
    assert emptied({"dynamodb": {"SequenceNumber": "1", "NewImage": {"Store": {"S": "Berlin"}}}}) is None


def alert(store: str = "Berlin", item: str = "Echo Plus", number: int = 1, before: int | None = 4) -> Alert:
    return Alert(store, item, None if before is None else Decimal(before), "2026-11-04T09:05:00.000Z", str(number))


def test_the_subject_says_it_all():
    assert subject(alert()) == "Out of stock: Echo Plus in Berlin"


def test_the_subject_is_what_sns_allows():
    assert subject(alert("Zürich", "Kaffeemaß")) == "Out of stock: Kaffeemass in Zurich"
    assert len(subject(alert("Llanfairpwllgwyngyll" * 3, "Echo" * 30))) == 99


def test_the_message_is_for_people():
    assert message(alert(), "https://example.com/") == (
        "Echo Plus is out of stock in Berlin.\n\n"
        "Counted:   4 November 2026, 09:05 UTC\n"
        "Before:    4 in stock\n"
        "Dashboard: https://example.com/"
    )
    assert "Taken by:  order 17" in message(Alert("Berlin", "Tap", Decimal(1), "", "1", "17"), "")
    assert "Before:    not in the inventory" in message(alert(before=None), "")


class World:
    """The topic and the table of alerts; SNS refuses the items in `refused`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.remembered: dict[tuple[str, str], str] = {}
        self.refused: set[str] = set()

    def tell(self, alerts: list[Alert]) -> tuple[list[Alert], list[Alert]]:
        taken = [alert for alert in alerts if alert.item not in self.refused]
        self.told += [f"{alert.item} {alert.sequence_number}" for alert in taken]
        return taken, [alert for alert in alerts if alert.item in self.refused]

    def remember(self, alerts: list[Alert]) -> None:
        self.remembered.update({alert.key: alert.order for alert in alerts})

    def not_yet_told(self, alerts: list[Alert]) -> list[Alert]:
        return [alert for alert in alerts if alert.order > self.remembered.get(alert.key, "")]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(check_stock, "_tell", made.tell)
    monkeypatch.setattr(check_stock, "_remember", made.remember)
    monkeypatch.setattr(check_stock, "_not_yet_told", made.not_yet_told)
    return made


def emptied_item(item: str, number: int) -> dict[str, Any]:
    record = change("1", "0", number)
    record["dynamodb"]["NewImage"]["Item"] = {"S": item}
    return record


def test_a_batch_that_comes_again_tells_nothing_new(world: World):
    event = {"Records": [emptied_item("Tap", 1), emptied_item("Dot", 2)]}
    assert check_stock.handler(event, None) == {"batchItemFailures": []}
    check_stock.handler(event, None)
    assert world.told == ["Tap 1", "Dot 2"]


def test_an_item_that_runs_out_again_is_told_again(world: World):
    check_stock.handler({"Records": [emptied_item("Tap", 9), emptied_item("Tap", 10)]}, None)
    check_stock.handler({"Records": [emptied_item("Tap", 11)]}, None)
    assert world.told == ["Tap 9", "Tap 10", "Tap 11"]


def test_what_sns_refuses_comes_again_and_only_that(world: World):
    world.refused = {"Dot"}
    event = {"Records": [emptied_item("Tap", 1), emptied_item("Dot", 2), emptied_item("Show", 3)]}
    assert check_stock.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    world.refused = set()
    assert check_stock.handler(event, None) == {"batchItemFailures": []}
    assert world.told == ["Tap 1", "Show 3", "Dot 2"]
