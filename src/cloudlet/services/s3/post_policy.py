"""The policy of a browser's upload: what the form's fields may be, and how large the file."""

from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from cloudlet.services.s3.errors import s3_error

# Fields that no condition needs to name.
_FREE = frozenset({"policy", "x-amz-signature", "signature", "awsaccesskeyid", "file"})


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """`conditions` are (operator, field in lower case, value)."""

    expiration: float
    conditions: tuple[tuple[str, str, str], ...]
    smallest: int | None
    largest: int | None

    def check(self, fields: Mapping[str, str], now: float) -> None:
        """Raises AccessDenied unless the form is what the policy's signer meant."""
        if now >= self.expiration:
            raise _refused("Policy expired.")
        for operator, name, wanted in self.conditions:
            given = fields.get(name, "")
            if not (given.startswith(wanted) if operator == "starts-with" else given == wanted):
                words = orjson.dumps([operator, f"${name}", wanted]).decode()
                raise _refused(f"Policy Condition failed: {words}")
        named = {name for _, name, _ in self.conditions} | _FREE | {"bucket"}
        free = ("x-ignore-", "x-amz-checksum-")
        extra = [name for name in fields if name not in named and not name.startswith(free)]
        if extra:
            raise _refused(f"Extra input fields: {', '.join(extra)}")

    def check_size(self, size: int) -> None:
        if self.largest is not None and size > self.largest:
            raise s3_error("EntityTooLarge", ProposedSize=size, MaxSizeAllowed=self.largest)
        if self.smallest is not None and size < self.smallest:
            raise s3_error("EntityTooSmall", ProposedSize=size, MinSizeAllowed=self.smallest)


def parse_policy(encoded: str) -> PostPolicy:
    """Raises InvalidPolicyDocument."""
    try:
        document = orjson.loads(b64decode(encoded, validate=True))
    except (BadBase64, ValueError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict) or not isinstance(document.get("expiration"), str):
        raise _invalid("Policy missing expiration.")
    if not isinstance(document.get("conditions"), list):
        raise _invalid("Policy missing conditions.")
    conditions: list[tuple[str, str, str]] = []
    smallest = largest = None
    for condition in document["conditions"]:
        if isinstance(condition, list) and condition and str(condition[0]).lower() == "content-length-range":
            smallest, largest = _size_range(condition)
        else:
            conditions += _conditions(condition)
    return PostPolicy(_expiration(document["expiration"]), tuple(conditions), smallest, largest)


def _conditions(condition: Any) -> list[tuple[str, str, str]]:
    if isinstance(condition, dict) and condition:
        return [("eq", name.lower(), str(value)) for name, value in condition.items()]
    if isinstance(condition, list) and len(condition) == 3 and all(isinstance(part, str) for part in condition):
        operator, name, value = condition
        if operator.lower() in ("eq", "starts-with") and name.startswith("$"):
            return [(operator.lower(), name[1:].lower(), value)]
    raise _invalid("Invalid Policy Condition.")


def _size_range(condition: list[Any]) -> tuple[int, int]:
    try:
        _, smallest, largest = condition
        return int(smallest), int(largest)
    except (TypeError, ValueError):
        raise _invalid("Invalid content-length-range.") from None


def _expiration(text: str) -> float:
    for form in ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise _invalid("Invalid expiration.")


def _refused(why: str) -> Exception:
    return s3_error("AccessDenied", f"Invalid according to Policy: {why}")


def _invalid(why: str) -> Exception:
    return s3_error("InvalidPolicyDocument", f"Invalid Policy: {why}")
