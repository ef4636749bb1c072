"""The functions as they are in the database, kept in memory until a write changes them."""

from collections.abc import Callable, Mapping
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

    @property
    def is_traced(self) -> bool:
        return self.configuration["TracingConfig"]["Mode"] == "Active"


@dataclass(slots=True)
class Policy:
    statements: list[dict[str, Any]]
    revision: str


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """`id` is the first label of the host name, `configuration` the FunctionUrlConfig without its address."""

    id: str
    configuration: dict[str, Any]


@dataclass(slots=True)
class Function:
    """What is held by qualifier stands under `$LATEST` for the function itself, but for policies (the empty one)."""

    key: FunctionKey
    next_version: int
    reserved: int | None
    tags: dict[str, str]
    recursion: str = "Terminate"
    code_signing: str | None = None
    versions: dict[str, Version] = field(default_factory=dict[str, Version])
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    policies: dict[str, Policy] = field(default_factory=dict[str, Policy])
    event_invoke: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    urls: dict[str, FunctionUrl] = field(default_factory=dict[str, FunctionUrl])
    provisioned: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    runtime_management: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def latest(self) -> Version:
        return self.versions[LATEST]

    @property
    def provisioned_total(self) -> int:
        return sum(config["RequestedProvisionedConcurrentExecutions"] for config in self.provisioned.values())

    def published(self) -> list[Version]:
        """The numbered versions, in their order."""
        numbered = [version for version in self.versions.values() if version.version != LATEST]
        return sorted(numbered, key=lambda version: int(version.version))


class Catalog:
    """`changed` hears of each function that a write has changed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.changed: Callable[[FunctionKey], None] | None = None
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

    def with_url(self, id_: str) -> Reference | None:
        """The function behind a function URL, with the alias if it is an alias's."""
        row = self.store.reader.one("SELECT account, region, name, qualifier FROM function_url WHERE id = ?", (id_,))
        if row is None:
            return None
        return Reference(FunctionKey(*row[:3]), None if row[3] == LATEST else row[3])

    async def change(self, key: FunctionKey, write: Callable[[Transaction], T]) -> T:
        """A write that changes the function."""

        def run(tx: Transaction) -> T:
            tx.after_commit(lambda: self._forget(key))
            return write(tx)

        return await self.store.write(run)

    def _forget(self, key: FunctionKey) -> None:
        self._functions.pop(key, None)
        self._reserved.pop((key.account, key.region), None)
        if self.changed is not None:
            self.changed(key)

    def reserved(self, account: str, region: str) -> int:
        """Concurrent executions that functions have reserved or provisioned."""
        total = self._reserved.get((account, region))
        if total is None:
            row = self.store.reader.one(
                "SELECT coalesce(sum(reserved), 0) FROM function WHERE account = ? AND region = ?", (account, region)
            )
            provisioned = provisioned_without_reservation(self.store.reader, account, region)
            total = self._reserved[account, region] = provisioned + (row[0] if row is not None else 0)
        return total

    def list(self, account: str, region: str) -> list[Function]:
        rows = self.store.reader.all(
            "SELECT name FROM function WHERE account = ? AND region = ? ORDER BY name", (account, region)
        )
        found = (self.find(FunctionKey(account, region, name)) for (name,) in rows)
        return [function for function in found if function is not None]


def provisioned_without_reservation(reader: Reader, account: str, region: str) -> int:
    """Concurrent executions that are provisioned by functions which reserve none."""
    rows = reader.rows(
        "SELECT provisioned.configuration FROM provisioned JOIN function USING (account, region, name)"
        " WHERE account = ? AND region = ? AND reserved IS NULL",
        (account, region),
    )
    return sum(orjson.loads(text)["RequestedProvisionedConcurrentExecutions"] for (text,) in rows)


def load_function(reader: Reader, key: FunctionKey) -> Function | None:
    """From a reader, or within a write to check what the write depends on."""
    bindings = (key.account, key.region, key.name)
    row = reader.one(
        "SELECT next_version, reserved, tags, recursion, code_signing FROM function"
        " WHERE account = ? AND region = ? AND name = ?",
        bindings,
    )
    if row is None:
        return None
    function = Function(key, row[0], row[1], orjson.loads(row[2]), row[3], row[4])
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
    for qualifier, id_, configuration in reader.rows(
        f"SELECT qualifier, id, configuration FROM function_url {where}", bindings
    ):
        function.urls[qualifier] = FunctionUrl(id_, orjson.loads(configuration))
    for table, found in (
        ("event_invoke", function.event_invoke),
        ("provisioned", function.provisioned),
        ("runtime_management", function.runtime_management),
    ):
        for qualifier, configuration in reader.rows(f"SELECT qualifier, configuration FROM {table} {where}", bindings):
            found[qualifier] = orjson.loads(configuration)
    return function


def loaded(tx: Transaction, reference: Reference) -> Function:
    """The function as the write sees it. Raises ResourceNotFoundException."""
    function = load_function(tx, reference.key)
    if function is None:
        raise function_not_found(reference.arn)
    return function


def save_setting(tx: Transaction, table: str, reference: Reference, configuration: Mapping[str, Any]) -> None:
    """Writes what the table (`event_invoke`, …) holds by qualifier."""
    key = reference.key
    tx.execute(
        f"INSERT INTO {table} (account, region, name, qualifier, configuration) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET configuration = excluded.configuration",
        (key.account, key.region, key.name, reference.qualifier or LATEST, orjson.dumps(configuration)),
    )


def delete_setting(tx: Transaction, table: str, reference: Reference) -> None:
    key = reference.key
    tx.execute(
        f"DELETE FROM {table} WHERE account = ? AND region = ? AND name = ? AND qualifier = ?",
        (key.account, key.region, key.name, reference.qualifier or LATEST),
    )


def save_version(tx: Transaction, key: FunctionKey, version: Version) -> None:
    tx.execute(
        "INSERT INTO version (account, region, name, version, configuration, package) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET configuration = excluded.configuration, package = excluded.package",
        (key.account, key.region, key.name, version.version, orjson.dumps(version.configuration), version.package),
    )
