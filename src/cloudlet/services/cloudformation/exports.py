"""Values that stacks export by name, and which stacks import them."""

from collections.abc import Iterable
from typing import Any

from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.records import Stack
from cloudlet.store.transaction import Reader, Transaction


def value(reader: Reader, account: str, region: str, name: str) -> str:
    """Raises ValidationError if nobody exports the name."""
    row = reader.one("SELECT value FROM exports WHERE account = ? AND region = ? AND name = ?", (account, region, name))
    if row is None:
        raise validation_error(f"No export named {name} found.")
    return row[0]


def replace(tx: Transaction, stack: Stack, outputs: Iterable[dict[str, Any]], imports: Iterable[str]) -> None:
    """Makes these the stack's exports and imports. Raises ValidationError for a name of another, or a value in use."""
    wanted = {each["ExportName"]: each["OutputValue"] for each in outputs if "ExportName" in each}
    for name, user in users(tx, stack):
        old = tx.one("SELECT value FROM exports WHERE stack = ? AND name = ?", (stack.id, name))
        if name not in wanted:
            raise validation_error(f"Cannot delete export {name} as it is in use by {user}.")
        if old is not None and old[0] != wanted[name]:
            raise validation_error(f"Cannot update export {name} as it is in use by {user}")
    tx.execute("DELETE FROM exports WHERE stack = ?", (stack.id,))
    for name, text in wanted.items():
        taken = tx.one(
            "SELECT stack FROM exports WHERE account = ? AND region = ? AND name = ?",
            (stack.account, stack.region, name),
        )
        if taken is not None:
            other = taken[0].split("/")[1]
            raise validation_error(f"Export with name {name} is already exported by stack {other}")
        tx.execute("INSERT INTO exports VALUES (?, ?, ?, ?, ?)", (stack.account, stack.region, name, text, stack.id))
    tx.execute("DELETE FROM imports WHERE stack = ?", (stack.id,))
    for name in imports:
        tx.execute("INSERT INTO imports VALUES (?, ?, ?, ?)", (stack.id, stack.account, stack.region, name))


def forget(tx: Transaction, stack: Stack) -> None:
    tx.execute("DELETE FROM exports WHERE stack = ?", (stack.id,))
    tx.execute("DELETE FROM imports WHERE stack = ?", (stack.id,))


def users(reader: Reader, stack: Stack) -> list[tuple[str, str]]:
    """The stack's exports that are in use, each with the name of a stack that imports it."""
    return [
        (row[0], row[1])
        for row in reader.all(
            "SELECT imports.name, stacks.name FROM imports JOIN stacks ON stacks.id = imports.stack"
            " JOIN exports ON exports.account = imports.account AND exports.region = imports.region"
            " AND exports.name = imports.name WHERE exports.stack = ? ORDER BY imports.name, stacks.name",
            (stack.id,),
        )
    ]


def importers(reader: Reader, account: str, region: str, name: str) -> list[str]:
    """The names of the stacks that import the name."""
    rows = reader.all(
        "SELECT stacks.name FROM imports JOIN stacks ON stacks.id = imports.stack"
        " WHERE imports.account = ? AND imports.region = ? AND imports.name = ? ORDER BY stacks.name",
        (account, region, name),
    )
    return [row[0] for row in rows]
