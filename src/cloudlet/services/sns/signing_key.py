"""The key with which SNS signs, and its certificate: made, read, used."""

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

_VALID_YEARS = 10


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


def load(private_pem: bytes, certificate: bytes, name: str) -> SigningKey:
    """From what `make` returned."""
    # To check a key again that was made here would take 40 ms, with the interpreter lock held.
    private_key = serialization.load_pem_private_key(private_pem, password=None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(private_key, rsa.RSAPrivateKey)
    return SigningKey(private_key, certificate, f"/{name}")


def make() -> tuple[bytes, bytes, str]:
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
