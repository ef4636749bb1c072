"""Identifiers in AWS's formats."""

import os
import random
import secrets
import string

_UPPER = string.ascii_uppercase + "234567"
_LOWER_ALPHANUMERIC = string.ascii_lowercase + string.digits
_SECRET = string.ascii_letters + string.digits + "+/"

# Request ids only need to be unique: the generator is seeded by the kernel once, not asked each time.
_fast = random.Random(os.urandom(32))


def request_id() -> str:
    """A version 4 UUID, cheap enough for every request."""
    text = _fast.randbytes(15).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-a{text[15:18]}-{text[18:]}"


def unique_id(prefix: str, length: int = 17) -> str:
    """An IAM unique id: `AIDA`, `AROA`, `AKIA`, … and `length` characters of base 32."""
    return prefix + "".join(secrets.choice(_UPPER) for _ in range(length))


def lower_id(length: int) -> str:
    """Lower-case letters and digits, as in API ids."""
    return "".join(secrets.choice(_LOWER_ALPHANUMERIC) for _ in range(length))


def secret_key() -> str:
    """A secret access key: 40 characters."""
    return "".join(secrets.choice(_SECRET) for _ in range(40))
