"""Reads an inventory file line by line: good rows, and for every bad one its line and the reason."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

COLUMNS = ("store", "item", "count")
LONGEST_LINE = 4_096
LONGEST_STORE = 100
LONGEST_ITEM = 200

_WHOLE_NUMBER = re.compile(r"-?[0-9]+")
_LARGEST_COUNT = 999_999_999


@dataclass(frozen=True, slots=True)
class Row:
    """A level: `count` pieces of `item` are in `store`, says line `line` of the file."""

    line: int
    store: str
    item: str
    count: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is not a level, why not, and the beginning of its text."""

    line: int
    reason: str
    text: str


class _BadRow(Exception):
    """Its message tells the shop what to correct."""


def read_inventory(text: TextIO) -> Iterator[Row | Rejected]:
    """Yields what each line says, in the order of the file; memory holds one line at a time.

    The first line names the columns, in any order and spelling of case; further columns are ignored. A semicolon
    separates as well as a comma (spreadsheets of many countries write it). Every line stands for itself: a quote
    that is never closed spoils its own line, not the rest of the file.
    """
    lines = _numbered_lines(text)
    header = next(lines, None)
    if header is None:
        yield Rejected(1, "the file is empty", "")
        return
    number, line = header
    delimiter = ";" if line.count(";") > line.count(",") else ","
    try:
        columns = _columns(_fields(line, delimiter))
    except _BadRow as error:
        yield Rejected(number, str(error), line[:200])
        return
    for number, line in lines:
        try:
            yield _row(number, _fields(line, delimiter), columns)
        except _BadRow as error:
            yield Rejected(number, str(error), line[:200])


def _numbered_lines(text: TextIO) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, without their ends, numbered from 1. What is too long comes cut off."""
    number = 0
    while line := text.readline(LONGEST_LINE + 1):
        number += 1
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(("\n", "\r")):
            rest = text.readline(LONGEST_LINE + 1)
        line = line.rstrip("\r\n")
        if line.strip():
            yield number, line


def _fields(line: str, delimiter: str) -> list[str]:
    if len(line) > LONGEST_LINE:
        raise _BadRow(f"the line is longer than {LONGEST_LINE} characters")
    if "\ufffd" in line:
        raise _BadRow("the line is not UTF-8 text")
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise _BadRow(f"the quotes are wrong ({error})") from None


def _columns(header: list[str]) -> tuple[int, int, int]:
    """Where store, item and count stand."""
    names = [name.strip().lower() for name in header]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise _BadRow(f"the first line must name the columns store,item,count; missing: {', '.join(missing)}")
    store, item, count = (names.index(column) for column in COLUMNS)
    return store, item, count


def _row(line: int, fields: list[str], columns: tuple[int, int, int]) -> Row:
    if len(fields) <= max(columns):
        raise _BadRow(f"only {len(fields)} of {max(columns) + 1} fields")
    store, item, count = (fields[column].strip() for column in columns)
    return Row(line, _name("store", store, LONGEST_STORE), _name("item", item, LONGEST_ITEM), _count(count))


def _name(column: str, name: str, longest: int) -> str:
    if not name:
        raise _BadRow(f"the {column} is empty")
    if len(name) > longest:
        raise _BadRow(f"the {column} is longer than {longest} characters")
    if not name.isprintable():
        raise _BadRow(f"the {column} contains control characters")
    return name


def _count(text: str) -> int:
    if not text:
        raise _BadRow("the count is empty")
    if not _WHOLE_NUMBER.fullmatch(text):
        raise _BadRow(f"the count is not a whole number: {text[:40]}")
    if text.startswith("-"):
        raise _BadRow(f"the count is negative: {text[:40]}")
    if len(text) > 20 or int(text) > _LARGEST_COUNT:
        raise _BadRow(f"the count is too large: {text[:40]}")
    return int(text)
