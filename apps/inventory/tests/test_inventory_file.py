"""What a line of an inventory file may look like, and what is said about one that may not."""

import io
from pathlib import Path

import pytest
from inventory_file import LONGEST_LINE, Rejected, Row, read_inventory

SAMPLES = Path(__file__).parents[1] / "samples"


def read(text: str) -> list[Row | Rejected]:
    return list(read_inventory(io.StringIO(text, newline="")))


def reasons(text: str) -> list[str]:
    return [line.reason for line in read(text) if isinstance(line, Rejected)]


def test_a_file_of_the_lab():
    with open(SAMPLES / "berlin.csv", encoding="utf-8", newline="") as file:
        rows = list(read_inventory(file))
    assert rows == [
        Row(2, "Berlin", "Echo Dot", 12),
        Row(3, "Berlin", "Echo (2nd Gen)", 19),
        Row(4, "Berlin", "Echo Show", 18),
        Row(5, "Berlin", "Echo Plus", 0),
        Row(6, "Berlin", "Echo Look", 10),
        Row(7, "Berlin", "Amazon Tap", 15),
    ]


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.glob("*.csv")))
def test_samples_have_six_good_rows(sample: str):
    with open(SAMPLES / sample, encoding="utf-8", newline="") as file:
        assert [type(line) for line in read_inventory(file)] == [Row] * 6


@pytest.mark.parametrize(
    "text",
    [
        "store,item,count\nBerlin,Echo Dot,12\n",
        "store,item,count\r\nBerlin,Echo Dot,12\r\n",
        "store,item,count\nBerlin,Echo Dot,12",
        " Store , ITEM,Count \n Berlin , Echo Dot , 12 \n",
        'store,item,count\n"Berlin","Echo Dot","12"\n',
        "store;item;count\nBerlin;Echo Dot;12\n",
        "count,comment,item,store\n12,checked twice,Echo Dot,Berlin\n",
        "store,item,count,comment\nBerlin,Echo Dot,12\n",
    ],
)
def test_spellings_of_the_same_level(text: str):
    assert read(text) == [Row(2, "Berlin", "Echo Dot", 12)]


def test_quoted_fields_may_contain_the_separator_and_quotes():
    assert read('store,item,count\nBerlin,"Cable, 3 ""thick"" metres",4\n') == [
        Row(2, "Berlin", 'Cable, 3 "thick" metres', 4)
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Berlin,Echo Dot", "only 2 of 3 fields"),
        (",Echo Dot,1", "the store is empty"),
        ("Berlin,  ,1", "the item is empty"),
        ("Berlin,Echo Dot,", "the count is empty"),
        ("Berlin,Echo Dot,-1", "the count is negative: -1"),
        ("Berlin,Echo Dot,1.5", "the count is not a whole number: 1.5"),
        ("Berlin,Echo Dot,twelve", "the count is not a whole number: twelve"),
        ("Berlin,Echo Dot,1_000", "the count is not a whole number: 1_000"),
        ("Berlin,Echo Dot,١٢", "the count is not a whole number: ١٢"),
        ("Berlin,Echo Dot,1000000000", "the count is too large: 1000000000"),
        ("B" * 101 + ",Echo Dot,1", "the store is longer than 100 characters"),
        ("Berlin," + "E" * 201 + ",1", "the item is longer than 200 characters"),
        ("Berlin,Echo\x00Dot,1", "the item contains control characters"),
        ("Berlin,Echo\ufffdDot,1", "the line is not UTF-8 text"),
    ],
)
def test_a_bad_row_is_rejected_alone(row: str, reason: str):
    lines = read(f"store,item,count\nBerlin,Echo Show,1\n{row}\nBerlin,Echo Look,2\n")
    assert lines == [Row(2, "Berlin", "Echo Show", 1), Rejected(3, reason, row[:200]), Row(4, "Berlin", "Echo Look", 2)]


def test_a_quote_that_is_not_closed_spoils_its_own_line_only():
    lines = read('store,item,count\nBerlin,"Echo Dot,12\nBerlin,Echo Show,18\n')
    assert isinstance(lines[0], Rejected)
    assert lines[0].line == 2
    assert lines[0].reason.startswith("the quotes are wrong")
    assert lines[1:] == [Row(3, "Berlin", "Echo Show", 18)]


def test_a_line_without_end_is_rejected_and_not_kept():
    lines = read("store,item,count\n" + "x" * (3 * LONGEST_LINE) + "\nBerlin,Echo Dot,12\n")
    assert lines == [
        Rejected(2, "the line is longer than 4096 characters", "x" * 200),
        Row(3, "Berlin", "Echo Dot", 12),
    ]


def test_a_line_of_the_greatest_length_is_read():
    comment = "x" * (LONGEST_LINE - len("Berlin,Echo Dot,12,"))
    assert read(f"store,item,count\nBerlin,Echo Dot,12,{comment}\n") == [Row(2, "Berlin", "Echo Dot", 12)]


def test_blank_lines_count_as_lines_but_say_nothing():
    assert read("\nstore,item,count\n\nBerlin,Echo Dot,12\n\n") == [Row(4, "Berlin", "Echo Dot", 12)]


def test_without_the_columns_nothing_is_read():
    assert reasons("shop,item,count\nBerlin,Echo Dot,12\n") == [
        "the first line must name the columns store,item,count; missing: store"
    ]
    assert reasons("Berlin,Echo Dot,12\n") == [
        "the first line must name the columns store,item,count; missing: store, item, count"
    ]


def test_an_empty_file_is_said_to_be_empty():
    assert read("") == [Rejected(1, "the file is empty", "")]
    assert read("\n\n") == [Rejected(1, "the file is empty", "")]
