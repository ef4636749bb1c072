"""SNS signs what it sends, with a key that is made at first use and kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.settings import Settings
from cloudlet.services.sns.envelopes import Signed, text_to_sign, with_signature
from cloudlet.store import Store, Transaction

if TYPE_CHECKING:
    from cloudlet.services.sns.signing_key import SigningKey

_REMEMBERED = 64


class Signer:
    """The signing key of this Cloudlet. It remembers what it signed last: subscribers of a message get the same."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._recent: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._key: asyncio.Task[SigningKey] | None = None

    def prepare(self) -> None:
        """Begins to read or make the key, so that the first message need not wait for it."""
        if self._key is None or _has_failed(self._key):
            self._key = asyncio.create_task(self._load_or_make(), name="sns-signing-key")

    async def stop(self) -> None:
        if self._key is not None:
            self._key.cancel()
            await asyncio.wait((self._key,))

    async def key(self) -> "SigningKey":
        self.prepare()
        assert self._key is not None
        return await asyncio.shield(self._key)

    async def signed(self, envelope: Mapping[str, Any], version: str) -> dict[str, Any]:
        """The envelope with its signature and the certificate's address."""
        key = await self.key()
        text = text_to_sign(envelope)
        signature = self._recent.get((text, version))
        if signature is None:
            signature = await asyncio.to_thread(key.sign, text, version)
            self._recent[text, version] = signature
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        address = self._settings.sns_certificate_url or self._settings.endpoint_url
        return with_signature(envelope, Signed(version, signature, f"{address}{key.path}"))

    async def _load_or_make(self) -> "SigningKey":
        row = self._store.reader.one("SELECT private_key, certificate, name FROM signing_key")
        if row is not None:
            return await asyncio.to_thread(_load, row[0], row[1], row[2])
        made = await asyncio.to_thread(_make)
        await self._store.write(lambda tx: _keep(tx, *made))
        return await asyncio.to_thread(_load, *made)


def _make() -> tuple[bytes, bytes, str]:
    # A slow import, because of cryptography: a server that signs nothing does not wait for it at its start.
    from cloudlet.services.sns import signing_key

    return signing_key.make()


def _load(private_key: bytes, certificate: bytes, name: str) -> "SigningKey":
    from cloudlet.services.sns import signing_key

    return signing_key.load(private_key, certificate, name)


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _keep(tx: Transaction, private_key: bytes, certificate: bytes, name: str) -> None:
    tx.execute(
        "INSERT INTO signing_key (private_key, certificate, name) VALUES (?, ?, ?)", (private_key, certificate, name)
    )
