"""The functions as they are in the database, kept in memory until a write changes them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from cloudlet.runtime import FunctionVersion
from cloudlet.services.lambda_.names import LATEST, FunctionKey, Reference, function_not_found
from cloudlet.store import Reader, Store, Transaction

T = TypeVar("T")


@dataclass(slots=True)
class Version:
    """`configuration` is the FunctionConfiguration as stored; `executable` what the runtime needs, once it is known."""

    version: str
    configuration: dict[str, Any]
    package: str
    executable: FunctionVersion | None = None


@dataclass(slots=True)
class Policy:
    statements: list[dict[str, Any]]
    revision: str


@dataclass(slots=True)
class Function:
    key: FunctionKey
    next_version: int
    reserved: int | None
    tags: dict[str, str]
    versions: dict[str, Version] = field(default_factory=dict[str, Version])
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    policies: dict[str, Policy] = field(default_factory=dict[str, Policy])
    event_invoke: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def latest(self) -> Version:
        return self.versions[LATEST]

    def published(self) -> list[Version]:
        """The numbered versions, in their order."""
        numbered = [version for version in self.versions.values() if version.version != LATEST]
        return sorted(numbered, key=lambda version: int(version.version))


class Catalog:
    def __init__(self, store: Store) -> None:
        self.store = store
        self._functions: dict[FunctionKey, Function] = {}
        self._reserved: dict[tuple[str, str], int] = {}

    def find(self, key: FunctionKey) -> Function | None:
        function = self._functions.get(key)
        if function is None:
            function = load_function(self.store.reader, key)
            if function is not None:
                self._functions[key] = function
        return function

    def get(self, reference: Reference) -> Function:
        """Raises ResourceNotFoundException."""
        function = self.find(reference.key)
        if function is None:
            raise function_not_found(reference.arn)
        return function

    async def change(self, key: FunctionKey, write: Callable[[Transaction], T]) -> T:
        """A write that changes the function."""

        def run(tx: Transaction) -> T:
            tx.after_commit(lambda: self._forget(key))
            return write(tx)

        return await self.store.write(run)

    def _forget(self, key: FunctionKey) -> None:
        self._functions.pop(key, None)
        self._reserved.pop((key.account, key.region), None)

    def reserved(self, account: str, region: str) -> int:
        """Concurrent executions that functions have reserved."""
        total = self._reserved.get((account, region))
        if total is None:
            row = self.store.reader.one(
                "SELECT coalesce(sum(reserved), 0) FROM function WHERE account = ? AND region = ?", (account, region)
            )
            total = self._reserved[account, region] = row[0] if row is not None else 0
        return total

    def list(self, account: str, region: str) -> list[Function]:
        rows = self.store.reader.all(
            "SELECT name FROM function WHERE account = ? AND region = ? ORDER BY name", (account, region)
        )
        found = (self.find(FunctionKey(account, region, name)) for (name,) in rows)
        return [function for function in found if function is not None]


def load_function(reader: Reader, key: FunctionKey) -> Function | None:
    """From a reader, or within a write to check what the write depends on."""
    bindings = (key.account, key.region, key.name)
    row = reader.one(
        "SELECT next_version, reserved, tags FROM function WHERE account = ? AND region = ? AND name = ?", bindings
    )
    if row is None:
        return None
    function = Function(key, row[0], row[1], orjson.loads(row[2]))
    where = "WHERE account = ? AND region = ? AND name = ?"
    for version, configuration, package in reader.rows(
        f"SELECT version, configuration, package FROM version {where}", bindings
    ):
        function.versions[version] = Version(version, orjson.loads(configuration), package)
    for alias, configuration in reader.rows(f"SELECT alias, configuration FROM alias {where}", bindings):
        function.aliases[alias] = orjson.loads(configuration)
    for qualifier, statements, revision in reader.rows(
        f"SELECT qualifier, statements, revision FROM policy {where}", bindings
    ):
        function.policies[qualifier] = Policy(orjson.loads(statements), revision)
    for qualifier, configuration in reader.rows(f"SELECT qualifier, configuration FROM event_invoke {where}", bindings):
        function.event_invoke[qualifier] = orjson.loads(configuration)
    return function


def loaded(tx: Transaction, reference: Reference) -> Function:
    """The function as the write sees it. Raises ResourceNotFoundException."""
    function = load_function(tx, reference.key)
    if function is None:
        raise function_not_found(reference.arn)
    return function


def save_version(tx: Transaction, key: FunctionKey, version: Version) -> None:
    tx.execute(
        "INSERT INTO version (account, region, name, version, configuration, package) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET configuration = excluded.configuration, package = excluded.package",
        (key.account, key.region, key.name, version.version, orjson.dumps(version.configuration), version.package),
    )
