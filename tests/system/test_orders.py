"""Orders in the flagship application: reserved once, back-ordered with a reason, filled when stock comes."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from inventory_application import APPLICATION, Application, eventually

Order = dict[str, Any]


class Shop(Application):
    """The application, to which orders are sent as well."""

    def order(self, name: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.outputs["BucketName"], Key=f"orders/{name}", Body=content)

    def orders(self) -> dict[str, Order]:
        found = requests.get(f"{self.url}api/orders", timeout=30).json()["orders"]
        return {order["order"]: order for order in found}

    def decided(self, name: str) -> Order:
        """What became of an order, once something did."""
        return eventually(lambda: self.orders().get(name))

    def process_again(self, name: str) -> None:
        """What S3 does when it delivers an event a second time."""
        record = {
            "eventTime": "2020-01-01T00:00:00.000Z",
            "s3": {
                "bucket": {"name": self.outputs["BucketName"]},
                "object": {"key": f"orders/{name}", "sequencer": "00"},
            },
        }
        answer = self.server.client("lambda").invoke(
            FunctionName="inventory-process-orders", Payload=json.dumps({"Records": [record]})
        )
        assert "FunctionError" not in answer, answer["Payload"].read()


def deployed(server: Any, cloudlet: Any) -> Shop:
    result = cloudlet("deploy", str(APPLICATION))
    assert result.returncode == 0, result.stdout + result.stderr
    return Shop(server)


@pytest.fixture(scope="module")
def shop(server: Any, cloudlet: Any) -> Shop:
    return deployed(server, cloudlet)


def csv(*lines: str) -> bytes:
    return "\n".join(["order,store,item,count", *lines, ""]).encode()


def test_an_order_is_reserved_as_a_whole_or_back_ordered_with_the_reason(shop: Shop):
    shop.load("berlin.csv", b"store,item,count\nBerlin,Dot,5\nBerlin,Tap,1\n")
    shop.order("one.csv", csv("B-1,Berlin,Dot,2", "B-2,Berlin,Dot,1", "B-2,Berlin,Tap,3", "B-2,Berlin,Show,1"))
    assert shop.decided("B-1")["status"] == "RESERVED"
    waiting = shop.decided("B-2")
    assert waiting["status"] == "BACK_ORDERED"
    assert waiting["short"] == [
        {"item": "Tap", "wanted": 3, "available": 1},
        {"item": "Show", "wanted": 1, "available": 0},
    ]
    assert (shop.levels()["Berlin", "Dot"], shop.levels()["Berlin", "Tap"]) == (3, 1)


def test_an_order_comes_as_json_too(shop: Shop):
    order = {"order": 7, "store": "Berlin", "items": [{"item": "Dot", "count": 1}], "customer": "A. Weber"}
    shop.order("one.json", json.dumps(order).encode())
    assert shop.decided("7")["items"] == [{"item": "Dot", "count": 1}]
    assert shop.levels()["Berlin", "Dot"] == 2


def test_neither_a_repeated_event_nor_a_repeated_upload_reserves_twice(shop: Shop):
    shop.process_again("one.csv")
    shop.order("again.csv", csv("B-1,Berlin,Dot,2"))
    assert eventually(lambda: shop.upload_of("orders/again.csv"))["loaded"] == 1
    assert shop.levels()["Berlin", "Dot"] == 2


def test_an_order_that_names_something_else_the_second_time_is_refused(shop: Shop):
    shop.order("other.csv", csv("B-1,Berlin,Dot,1"))
    result = eventually(lambda: shop.upload_of("orders/other.csv"))
    assert (result["loaded"], result["rejected"]) == (0, 1)
    assert "order B-1 was taken before and wanted something else" in result["errors"][0]["reason"]


def test_bad_lines_refuse_their_order_and_no_other(shop: Shop):
    shop.order("bad.csv", csv("X-1,Berlin,Dot,many", "X-1,Berlin,Tap,1", "X-2,Berlin,Dot,1"))
    result = eventually(lambda: shop.upload_of("orders/bad.csv"))
    assert (result["loaded"], result["rejected"]) == (1, 1)
    assert result["errors"] == [
        {"line": 2, "reason": "order X-1: the count is not a whole number: many", "text": "X-1,Berlin,Dot,many"}
    ]
    assert "X-1" not in shop.orders()


def test_an_order_of_a_hundred_items_is_more_than_one_transaction_takes(shop: Shop):
    shop.load("hall.csv", ("store,item,count\n" + "".join(f"Hall,Part {n},1\n" for n in range(100))).encode())
    shop.order(
        "hall.csv", csv(*(f"H-1,Hall,Part {n},1" for n in range(100)), *(f"H-2,Hall,Part {n},1" for n in range(99)))
    )
    assert shop.decided("H-2")["status"] == "RESERVED"
    result = eventually(lambda: shop.upload_of("orders/hall.csv"))
    assert "at most 99 different items, this one has 100" in result["errors"][0]["reason"]


def test_an_order_that_empties_a_shelf_is_told_once(shop: Shop):
    shop.load("ulm.csv", b"store,item,count\nUlm,Dot,3\n")
    shop.order("ulm.csv", csv("U-1,Ulm,Dot,3"))
    shop.wait_for_alert("Ulm", "Dot")
    shop.load("end.csv", b"store,item,count\nEnd,Thing,0\n")
    shop.wait_for_alert("End", "Thing")
    assert shop.alerts["Ulm", "Dot"] == 1


def test_stock_that_comes_fills_back_orders_the_oldest_first(shop: Shop):
    shop.order("kiel.csv", csv("K-1,Kiel,Dot,2", "K-2,Kiel,Dot,9", "K-3,Kiel,Dot,2", "K-4,Kiel,Dot,2"))
    assert shop.decided("K-4")["status"] == "BACK_ORDERED"
    shop.load("kiel.csv", b"store,item,count\nKiel,Dot,5\n")
    eventually(lambda: shop.orders()["K-3"]["waited"])

    def statuses() -> list[str]:
        return [order["status"] for name, order in sorted(shop.orders().items()) if name.startswith("K-")]

    assert statuses() == ["RESERVED", "BACK_ORDERED", "RESERVED", "BACK_ORDERED"]
    assert shop.levels()["Kiel", "Dot"] == 1
    expected = [{"item": "Dot", "wanted": 2, "available": 1}]
    eventually(lambda: True if shop.orders()["K-4"]["short"] == expected else None)


def test_a_count_that_was_on_its_way_when_an_order_came_is_less_that_order(shop: Shop):
    """A file that was uploaded before the order and is loaded after it."""
    shop.load("jena.csv", b"store,item,count\nJena,Dot,5\n")
    between = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".999Z"
    time.sleep(1.1)
    shop.order("jena.csv", csv("J-1,Jena,Dot,4"))
    assert shop.decided("J-1")["status"] == "RESERVED"
    late = "store,item,count\nJena,Dot,20\n"
    shop.s3.put_object(Bucket=shop.outputs["BucketName"], Key="inventory/late.txt", Body=late.encode())
    record = {
        "eventTime": between,
        "s3": {
            "bucket": {"name": shop.outputs["BucketName"]},
            "object": {"key": "inventory/late.txt", "sequencer": "00"},
        },
    }
    for _ in range(2):  # and again
        answer = shop.server.client("lambda").invoke(
            FunctionName="inventory-load-inventory", Payload=json.dumps({"Records": [record]})
        )
        assert "FunctionError" not in answer, answer["Payload"].read()
        assert shop.levels()["Jena", "Dot"] == 16


def test_the_report_says_what_is_there_and_what_is_waited_for(shop: Shop):
    shop.load("report.csv", b"store,item,count\nMainz,Dot,0\nMainz,Tap,4\n")
    shop.order("report.csv", csv("M-1,Mainz,Dot,6"))
    assert shop.decided("M-1")["status"] == "BACK_ORDERED"
    event = {"scheduled": "2026-11-24T23:30:00Z"}
    answer = shop.server.client("lambda").invoke(FunctionName="inventory-stock-report", Payload=json.dumps(event))
    assert json.load(answer["Payload"]) == {"csv": "reports/2026-11-24.csv", "json": "reports/2026-11-24.json"}
    text = requests.get(f"{shop.url}reports/2026-11-24", timeout=30).content.decode("utf-8-sig")
    assert "Mainz,Dot,0,out of stock,6,M-1" in text.splitlines()
    assert "Mainz,Tap,4,in stock,0," in text.splitlines()
    body = shop.s3.get_object(Bucket=shop.outputs["BucketName"], Key="reports/2026-11-24.json")["Body"]
    report = json.load(body)
    assert {"store": "Mainz", "item": "Dot"} in report["out_of_stock"]
    assert "M-1" in [order["order"] for order in report["back_orders"]]


def test_the_report_is_scheduled_for_the_night_of_the_shops(shop: Shop):
    schedule = shop.server.client("scheduler").get_schedule(Name="inventory-stock-report")
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (
        "cron(30 23 * * ? *)",
        "Etc/UTC",
    )
    assert schedule["State"] == "ENABLED"


def test_the_schedule_has_the_report_written(shop: Shop):
    """By its role, with its input; only its time is brought forward."""
    scheduler = shop.server.client("scheduler")
    schedule = scheduler.get_schedule(Name="inventory-stock-report")
    kept = {name: schedule[name] for name in ("Name", "FlexibleTimeWindow", "Target", "ScheduleExpressionTimezone")}
    soon = datetime.now(UTC) + timedelta(seconds=2)
    scheduler.update_schedule(**kept, ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})")
    key = f"reports/{soon:%Y-%m-%d}.csv"
    since = datetime.now(UTC).replace(microsecond=0)

    def written() -> list[Any] | None:
        found = shop.s3.list_objects_v2(Bucket=shop.outputs["BucketName"], Prefix=key).get("Contents", [])
        return [each for each in found if each["LastModified"] >= since] or None

    assert eventually(written)


def test_forty_orders_for_the_last_ten_pieces_at_once(shop: Shop):
    shop.load("bonn.csv", b"store,item,count\nBonn,Dot,10\n")
    with ThreadPoolExecutor(20) as customers:
        list(customers.map(lambda n: shop.order(f"bonn-{n}.csv", csv(f"F-{n},Bonn,Dot,1")), range(40)))

    def all_decided() -> list[str] | None:
        found = [order["status"] for name, order in shop.orders().items() if name.startswith("F-")]
        return found if len(found) == 40 else None

    statuses = eventually(all_decided, 120)
    assert (statuses.count("RESERVED"), statuses.count("BACK_ORDERED")) == (10, 30)
    assert shop.levels()["Bonn", "Dot"] == 0
    shop.wait_for_alert("Bonn", "Dot")
    shop.load("last.csv", b"store,item,count\nLast,Thing,0\n")
    shop.wait_for_alert("Last", "Thing")
    assert shop.alerts["Bonn", "Dot"] == 1


def test_a_server_that_is_killed_takes_every_order_exactly_once(own_server: Any, command_line: Any):
    shop = deployed(own_server, command_line(own_server))
    shop.load("big.csv", b"store,item,count\nBig,Dot,300\n")
    shop.order("big.csv", csv(*(f"N-{n},Big,Dot,{2 if n % 2 else 1}" for n in range(300))))
    for pause in (0.3, 0.6, 0.2):  # before the file is opened, or in the middle of it
        time.sleep(pause)
        own_server.restart()
    eventually(lambda: shop.upload_of("orders/big.csv"), 180)
    rows = own_server.client("dynamodb").get_paginator("scan").paginate(TableName=shop.outputs["OrdersTableName"])
    orders = [row for page in rows for row in page["Items"]]
    reserved = sum(int(row["Items"]["L"][0]["M"]["Count"]["N"]) for row in orders if row["Status"]["S"] == "RESERVED")
    assert len(orders) == 300
    assert reserved == 300
    assert shop.levels()["Big", "Dot"] == 0
    shop.wait_for_alert("Big", "Dot")
