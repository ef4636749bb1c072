"""What a file of orders may look like, and what is said about orders that are refused."""

import json
from pathlib import Path

import pytest
from order_file import Order, Refused, read_orders

SAMPLES = Path(__file__).parents[1] / "samples" / "orders"
HEADER = "order,store,item,count\n"


def csv(text: str) -> list[Order | Refused]:
    return read_orders("orders/a.csv", text.encode())


def of_json(content: object) -> list[Order | Refused]:
    return read_orders("orders/a.json", json.dumps(content).encode())


@pytest.mark.parametrize("sample", sorted(SAMPLES.iterdir()), ids=lambda sample: sample.name)
def test_samples_have_good_orders_only(sample: Path):
    assert {type(entry) for entry in read_orders(sample.name, sample.read_bytes())} == {Order}


def test_lines_of_an_order_are_gathered_wherever_they_stand():
    assert csv(f"{HEADER}1,Berlin,Dot,2\n2,Tokyo,Tap,1\n1,Berlin,Tap,3\n") == [
        Order(2, "1", "Berlin", (("Dot", 2), ("Tap", 3))),
        Order(3, "2", "Tokyo", (("Tap", 1),)),
    ]


def test_an_item_that_is_named_twice_is_wanted_in_sum():
    assert csv(f"{HEADER}1,Berlin,Dot,2\n1,Berlin,Dot,5\n") == [Order(2, "1", "Berlin", (("Dot", 7),))]


def test_semicolons_order_of_columns_a_mark_and_a_customer():
    text = "\ufeffCustomer;Count;Item;Store;Order\r\nA. Weber;2;Dot;Berlin;1\r\n"
    assert csv(text) == [Order(2, "1", "Berlin", (("Dot", 2),), "A. Weber")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",Berlin,Dot,1", "the order is empty"),
        ("1,,Dot,1", "order 1: the store is empty"),
        ("1,Berlin,,1", "order 1: the item is empty"),
        ("1,Berlin,Dot", "order 1: the count is empty"),
        ("1,Berlin,Dot,0", "order 1: the count must be at least 1: 0"),
        ("1,Berlin,Dot,-2", "order 1: the count must be at least 1: -2"),
        ("1,Berlin,Dot,1.5", "order 1: the count is not a whole number: 1.5"),
        ("1,Berlin,Dot,1000000000", "order 1: the count is too large: 1000000000"),
    ],
)
def test_a_bad_line_refuses_its_order_alone(line: str, reason: str):
    assert csv(f"{HEADER}{line}\n2,Berlin,Dot,1\n") == [
        Refused(2, reason, line),
        Order(3, "2", "Berlin", (("Dot", 1),)),
    ]


def test_one_bad_line_refuses_the_whole_order():
    assert csv(f"{HEADER}1,Berlin,Dot,1\n1,Berlin,Tap,x\n") == [
        Refused(3, "order 1: the count is not a whole number: x", "1,Berlin,Tap,x")
    ]


def test_an_order_is_for_one_store():
    [refused] = csv(f"{HEADER}1,Berlin,Dot,1\n1,Tokyo,Dot,1\n")
    assert isinstance(refused, Refused)
    assert refused.reason == "order 1: an order is for one store, this one names Berlin and Tokyo"


def test_an_order_has_at_most_99_items():
    lines = "".join(f"1,Berlin,Part {number},1\n" for number in range(100))
    assert csv(HEADER + lines) == [Refused(2, "order 1: an order has at most 99 different items, this one has 100", "")]


def test_json_has_an_order_or_a_list():
    order = {"order": 17, "store": "Berlin", "items": [{"item": "Dot", "count": 2}], "customer": "A. Weber"}
    read = Order(1, "17", "Berlin", (("Dot", 2),), "A. Weber")
    assert of_json(order) == of_json([order]) == [read]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("hello", "an order is an object"),
        ({"store": "Berlin"}, "the order is empty"),
        ({"order": "1", "store": "Berlin"}, "order 1: items must be a list"),
        ({"order": "1", "store": "Berlin", "items": []}, "order 1: items must be a list"),
        ({"order": "1", "store": "Berlin", "items": ["Dot"]}, "order 1: an item is an object"),
        ({"order": "1", "store": "Berlin", "items": [{"item": "Dot"}]}, "order 1: the count is empty"),
        ({"order": "1", "store": ["Berlin"], "items": []}, "order 1: the store must be text or a number"),
        (
            {"order": "1", "store": "Berlin", "items": [{"item": "Dot", "count": True}]},
            "order 1: the count must be text",
        ),
    ],
)
def test_a_bad_entry_is_refused_with_its_place(entry: object, reason: str):
    good = {"order": "9", "store": "Berlin", "items": [{"item": "Dot", "count": 1}]}
    refused, order = of_json([entry, good])
    assert isinstance(refused, Refused)
    assert (refused.line, refused.reason[: len(reason)]) == (1, reason)
    assert isinstance(order, Order)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.json", b"[]", "the list is empty"),
        ("a.json", b"{", "the file is not JSON"),
        ("a.csv", b"\xff\xfe", "the file is not UTF-8 text"),
        ("a.txt", b"hello", "the file's name must end in .csv or .json"),
        ("a.csv", b"store,item,count\n", "the first line must name the columns order,store,item,count; missing: order"),
    ],
)
def test_files_that_are_none(name: str, content: bytes, reason: str):
    [refused] = read_orders(name, content)
    assert isinstance(refused, Refused)
    assert refused.reason.startswith(reason)
