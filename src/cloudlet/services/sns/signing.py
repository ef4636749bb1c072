"""SNS signs what it sends, with a key that is made at first use and kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.services.sns.envelopes import Signed, text_to_sign, with_signature
from cloudlet.store import Store, Transaction

if TYPE_CHECKING:
    from cloudlet.services.sns.signing_key import SigningKey

_REMEMBERED = 64


class Signer:
    """The signing key of this Cloudlet. It remembers what it signed last: subscribers of a message get the same."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._key: SigningKey | None = None
        self._making = asyncio.Lock()

    async def key(self) -> "SigningKey":
        if self._key is None:
            async with self._making:
                self._key = self._key or await self._load_or_make()
        return self._key

    async def signed(self, envelope: Mapping[str, Any], version: str, endpoint_url: str) -> dict[str, Any]:
        """The envelope with its signature and the certificate's address."""
        key = await self.key()
        text = text_to_sign(envelope)
        signature = self._recent.get((text, version))
        if signature is None:
            signature = await asyncio.to_thread(key.sign, text, version)
            self._recent[text, version] = signature
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        return with_signature(envelope, Signed(version, signature, f"{endpoint_url}{key.path}"))

    async def _load_or_make(self) -> "SigningKey":
        # A slow import, because of cryptography: a server that signs nothing does not wait for it at its start.
        from cloudlet.services.sns import signing_key

        row = self._store.reader.one("SELECT private_key, certificate, name FROM signing_key")
        if row is None:
            row = await asyncio.to_thread(signing_key.make)
            await self._store.write(lambda tx: _keep(tx, *row))
        return signing_key.load(row[0], row[1], row[2])


def _keep(tx: Transaction, private_key: bytes, certificate: bytes, name: str) -> None:
    tx.execute(
        "INSERT INTO signing_key (private_key, certificate, name) VALUES (?, ?, ?)", (private_key, certificate, name)
    )
