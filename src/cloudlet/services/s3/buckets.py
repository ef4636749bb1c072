"""Buckets in memory: what every request asks about them, kept current by the writes that change it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from cloudlet.services.s3.errors import no_such_bucket, s3_error
from cloudlet.store import Reader, Store, Transaction

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_IP = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


@dataclass(frozen=True, slots=True)
class Bucket:
    """`versioning` is '', 'Enabled' or 'Suspended'; `settings` holds its configurations by name."""

    id: int
    name: str
    account: str
    region: str
    created: float
    versioning: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"

    @property
    def ownership(self) -> str:
        """Buckets made before they had this setting do not exist here: one without it had it deleted."""
        return self.settings.get("ownership", "ObjectWriter")

    @property
    def acls_enabled(self) -> bool:
        return self.ownership != "BucketOwnerEnforced"

    def blocks(self, flag: str) -> bool:
        """One of the four switches of the public access block, by its name."""
        return bool(self.settings.get("public_access_block", {}).get(flag))


class Buckets:
    """All buckets of all accounts: their names are one namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_name: dict[str, Bucket] = {}
        settings: dict[int, dict[str, Any]] = {}
        for bucket_id, name, value in store.reader.rows("SELECT bucket, name, value FROM bucket_settings"):
            settings.setdefault(bucket_id, {})[name] = orjson.loads(value)
        for row in store.reader.rows("SELECT id, name, account, region, created, versioning FROM buckets"):
            self._by_name[row[1]] = Bucket(*row, settings=settings.get(row[0], {}))

    def find(self, name: str) -> Bucket | None:
        return self._by_name.get(name)

    def get(self, name: str) -> Bucket:
        """Raises NoSuchBucket."""
        bucket = self._by_name.get(name)
        if bucket is None:
            raise no_such_bucket(name)
        return bucket

    def current(self, bucket: Bucket) -> Bucket:
        """The bucket as it is now; as it was, if it is gone: no write to it will succeed."""
        found = self._by_name.get(bucket.name)
        return found if found is not None and found.id == bucket.id else bucket

    def all(self) -> Iterable[Bucket]:
        return self._by_name.values()

    def of_account(self, account: str) -> list[Bucket]:
        """Ordered by name."""
        return sorted((b for b in self._by_name.values() if b.account == account), key=lambda b: b.name)

    async def create(self, bucket: Bucket) -> Bucket:
        """Raises BucketAlreadyExists or BucketAlreadyOwnedByYou."""

        def write(tx: Transaction) -> Bucket:
            row = tx.one("SELECT account FROM buckets WHERE name = ?", (bucket.name,))
            if row is not None:
                own = row[0] == bucket.account
                raise s3_error("BucketAlreadyOwnedByYou" if own else "BucketAlreadyExists", BucketName=bucket.name)
            id_ = tx.insert(
                "INSERT INTO buckets (name, account, region, created) VALUES (?, ?, ?, ?)",
                (bucket.name, bucket.account, bucket.region, bucket.created),
            )
            for name, value in bucket.settings.items():
                _put_setting(tx, id_, name, value)
            made = replace(bucket, id=id_)
            tx.after_commit(lambda: self._by_name.__setitem__(made.name, made))
            return made

        return await self._store.write(write)

    async def delete(self, bucket: Bucket) -> list[str]:
        """Unfinished uploads go along: returns their blobs. Raises BucketNotEmpty if there is any version or marker."""

        def write(tx: Transaction) -> list[str]:
            for live in (1, 0):
                if tx.one(f"SELECT 1 FROM objects WHERE bucket = ? AND live = {live} LIMIT 1", (bucket.id,)):
                    words = (
                        None
                        if live
                        else "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
                    )
                    raise s3_error("BucketNotEmpty", words, BucketName=bucket.name)
            of_uploads = "upload IN (SELECT id FROM uploads WHERE bucket = ?)"
            freed = [row[0] for row in tx.rows(f"SELECT blob FROM parts WHERE {of_uploads}", (bucket.id,))]
            tx.execute(f"DELETE FROM parts WHERE {of_uploads}", (bucket.id,))
            tx.execute("DELETE FROM uploads WHERE bucket = ?", (bucket.id,))
            if not tx.execute("DELETE FROM buckets WHERE id = ?", (bucket.id,)):
                raise no_such_bucket(bucket.name)
            tx.after_commit(lambda: self._forget(bucket))
            return freed

        return await self._store.write(write)

    async def put_setting(self, bucket: Bucket, name: str, value: Any) -> None:
        """Sets a configuration, or removes it if the value is None. It must survive JSON unchanged."""
        await self.change_setting(bucket, name, lambda _: value)

    async def change_setting(self, bucket: Bucket, name: str, change: Callable[[Any], Any]) -> None:
        """Sets a configuration to what `change` makes of the present one; None stands for none at all."""

        def write(tx: Transaction) -> None:
            if tx.one("SELECT 1 FROM buckets WHERE id = ?", (bucket.id,)) is None:
                raise no_such_bucket(bucket.name)
            row = tx.one("SELECT value FROM bucket_settings WHERE bucket = ? AND name = ?", (bucket.id, name))
            value = change(None if row is None else orjson.loads(row[0]))
            if value is None:
                tx.execute("DELETE FROM bucket_settings WHERE bucket = ? AND name = ?", (bucket.id, name))
            else:
                _put_setting(tx, bucket.id, name, value)
            tx.after_commit(lambda: self._changed(bucket, name, value))

        await self._store.write(write)

    async def put_versioning(self, bucket: Bucket, status: str) -> None:
        def write(tx: Transaction) -> None:
            if not tx.execute("UPDATE buckets SET versioning = ? WHERE id = ?", (status, bucket.id)):
                raise no_such_bucket(bucket.name)
            tx.after_commit(lambda: self._replace(bucket, versioning=status))

        await self._store.write(write)

    def _changed(self, bucket: Bucket, name: str, value: Any) -> None:
        current = self._by_name.get(bucket.name)
        if current is not None and current.id == bucket.id:
            settings = {key: kept for key, kept in current.settings.items() if key != name}
            self._by_name[bucket.name] = replace(
                current, settings=settings if value is None else {**settings, name: value}
            )

    def _replace(self, bucket: Bucket, versioning: str) -> None:
        current = self._by_name.get(bucket.name)
        if current is not None and current.id == bucket.id:
            self._by_name[bucket.name] = replace(current, versioning=versioning)

    def _forget(self, bucket: Bucket) -> None:
        current = self._by_name.get(bucket.name)
        if current is not None and current.id == bucket.id:
            del self._by_name[bucket.name]


def versioning_of(reader: Reader, bucket: Bucket) -> str:
    """What counts inside a write, whatever the request had seen. Raises NoSuchBucket."""
    row = reader.one("SELECT versioning FROM buckets WHERE id = ?", (bucket.id,))
    if row is None:
        raise no_such_bucket(bucket.name)
    return row[0]


def check_name(name: str) -> None:
    """Raises InvalidBucketName unless the name keeps the rules of general purpose buckets."""
    valid = (
        _NAME.fullmatch(name) is not None
        and ".." not in name
        and ".-" not in name
        and "-." not in name
        and not _IP.fullmatch(name)
        and not name.startswith(_RESERVED_PREFIXES)
        and not name.endswith(_RESERVED_SUFFIXES)
    )
    if not valid:
        raise s3_error("InvalidBucketName", BucketName=name)


def _put_setting(tx: Transaction, bucket_id: int, name: str, value: Any) -> None:
    tx.execute(
        "INSERT INTO bucket_settings (bucket, name, value) VALUES (?, ?, ?)"
        " ON CONFLICT (bucket, name) DO UPDATE SET value = excluded.value",
        (bucket_id, name, orjson.dumps(value)),
    )
