"""What follows from an account's number alone."""

import hashlib
from functools import cache


@cache
def canonical_owner_id(account_id: str) -> str:
    """The account's canonical user id, by which S3 names owners: 64 hexadecimal digits, always the same."""
    return hashlib.sha256(f"cloudlet canonical user {account_id}".encode()).hexdigest()
