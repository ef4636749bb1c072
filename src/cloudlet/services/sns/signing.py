"""The key with which SNS signs what it sends, and its certificate, made at first use and kept."""

import asyncio
import base64
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from cloudlet.services.sns.envelopes import Signed, text_to_sign, with_signature
from cloudlet.store import Store, Transaction

_VALID_YEARS = 10
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`certificate` is PEM; `path` is where this server offers it."""

    private_key: rsa.RSAPrivateKey
    certificate: bytes
    path: str

    def sign(self, text: str, version: str) -> str:
        """Base64 of the RSA signature, with SHA-1 in version 1 and SHA-256 in version 2, as AWS defines them."""
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()
        return base64.b64encode(self.private_key.sign(text.encode(), padding.PKCS1v15(), digest)).decode()


class Signer:
    """The signing key of this Cloudlet. It remembers what it signed last: subscribers of a message get the same."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._key: SigningKey | None = None
        self._making = asyncio.Lock()

    async def key(self) -> SigningKey:
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

    async def _load_or_make(self) -> SigningKey:
        row = self._store.reader.one("SELECT private_key, certificate, name FROM signing_key")
        if row is None:
            row = await asyncio.to_thread(_make)
            await self._store.write(lambda tx: _keep(tx, *row))
        private_key = serialization.load_pem_private_key(row[0], password=None)
        assert isinstance(private_key, rsa.RSAPrivateKey)
        return SigningKey(private_key, row[1], f"/{row[2]}")


def _keep(tx: Transaction, private_key: bytes, certificate: bytes, name: str) -> None:
    tx.execute(
        "INSERT INTO signing_key (private_key, certificate, name) VALUES (?, ?, ?)", (private_key, certificate, name)
    )


def _make() -> tuple[bytes, bytes, str]:
    """A private key and its self-signed certificate, both PEM, and a file name for the certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365 * _VALID_YEARS))
        .sign(key, hashes.SHA256())
    )
    private_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file_name = f"SimpleNotificationService-{secrets.token_hex(16)}.pem"
    return private_pem, certificate.public_bytes(serialization.Encoding.PEM), file_name
