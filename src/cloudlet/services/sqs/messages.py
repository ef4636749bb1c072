"""What may be sent: the rules for bodies and message attributes, their size, their MD5. Pure functions."""

import base64
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import md5
from typing import Any

import orjson

from cloudlet.services.sqs.errors import invalid_message_contents, invalid_parameter, invalid_value, missing_parameter

Attributes = Mapping[str, Mapping[str, Any]]

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_TYPE = re.compile(r"(String|Number|Binary)(\..+)?")
_IDENTIFIER = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~-]{1,128}")
_MOST_ATTRIBUTES = 10
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message whose form is right, about to be written. `size` is what counts towards the limits, in bytes."""

    body: str
    attributes: Attributes
    trace_header: str | None
    group_id: str | None
    deduplication_id: str | None
    delay: int | None
    size: int

    def encoded_attributes(self) -> bytes | None:
        return encode_attributes(self.attributes) if self.attributes else None


def read_message(entry: Mapping[str, Any], maximum_size: int, trace_id: str | None) -> OutgoingMessage:
    """A SendMessage input or a batch entry. Raises SqsError for what breaks a rule.

    `trace_id` is that of the request: a message has it unless it brings a trace header of its own.
    """
    body: str = entry["MessageBody"]
    if not body:
        raise missing_parameter("MessageBody")
    found = None if body.isascii() and body.isprintable() else _FORBIDDEN.search(body)
    if found is not None:
        raise invalid_message_contents(found[0])
    attributes: Attributes = entry.get("MessageAttributes") or {}
    size = len(body) if body.isascii() else len(body.encode())
    if attributes:
        check_attributes(attributes)
        size += attributes_size(attributes)
    if size > maximum_size:
        raise invalid_parameter(
            f"One or more parameters are invalid. Reason: Message must be shorter than {maximum_size} bytes."
        )
    return OutgoingMessage(
        body,
        attributes,
        _trace_header(entry) or trace_id,
        checked_identifier("MessageGroupId", entry),
        checked_identifier("MessageDeduplicationId", entry),
        _delay(entry),
        size,
    )


def check_attributes(attributes: Attributes) -> None:
    if len(attributes) > _MOST_ATTRIBUTES:
        raise invalid_parameter(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{_MOST_ATTRIBUTES}]."
        )
    for name, value in attributes.items():
        _check_name(name)
        _check_value(name, value)


def attributes_size(attributes: Attributes) -> int:
    return sum(
        len(name.encode()) + len(value["DataType"].encode()) + len(_payload(value))
        for name, value in attributes.items()
    )


def attributes_md5(attributes: Attributes) -> str | None:
    """AWS's digest of message attributes, which SDKs compare with their own; None for none."""
    if not attributes:
        return None
    digest = md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        for part in (name.encode(), value["DataType"].encode()):
            digest.update(_LENGTH.pack(len(part)) + part)
        payload = _payload(value)
        kind = b"\x02" if value["DataType"].startswith("Binary") else b"\x01"
        digest.update(kind + _LENGTH.pack(len(payload)) + payload)
    return digest.hexdigest()


def body_md5(body: str) -> str:
    return md5(body.encode(), usedforsecurity=False).hexdigest()


def trace_header_md5(header: str | None) -> str | None:
    if header is None:
        return None
    return attributes_md5({"AWSTraceHeader": {"DataType": "String", "StringValue": header}})


def encode_attributes(attributes: Attributes) -> bytes:
    return orjson.dumps(attributes, default=lambda blob: base64.b64encode(blob).decode())


def decode_attributes(encoded: bytes | None) -> dict[str, dict[str, Any]]:
    if encoded is None:
        return {}
    attributes: dict[str, dict[str, Any]] = orjson.loads(encoded)
    for value in attributes.values():
        if "BinaryValue" in value:
            value["BinaryValue"] = base64.b64decode(value["BinaryValue"])
    return attributes


def select_attributes(attributes: dict[str, dict[str, Any]], wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Those named: exactly, by a prefix (`order.*`), or all (`All`, `.*`)."""
    names = set(wanted)
    if not names or not attributes:
        return {}
    if names & {"All", ".*"}:
        return attributes
    prefixes = tuple(name[:-2] for name in names if name.endswith(".*"))
    return {name: value for name, value in attributes.items() if name in names or name.startswith(prefixes)}


def _payload(value: Mapping[str, Any]) -> bytes:
    if value["DataType"].startswith("Binary"):
        return value["BinaryValue"]
    return value["StringValue"].encode()


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.startswith(".") or name.endswith(".") or ".." in name:
        raise invalid_parameter(
            f"Message (user) attribute name '{name}' is invalid: it may have letters, digits, _, - and single "
            "periods inside, and at most 256 of them."
        )
    if name.lower().startswith(("aws.", "amazon.")):
        raise invalid_parameter(f"Message (user) attribute name '{name}' starts with a reserved prefix.")


def _check_value(name: str, value: Mapping[str, Any]) -> None:
    if value.get("StringListValues") or value.get("BinaryListValues"):
        raise invalid_parameter("Message attribute list values in SendMessage operation are not supported.")
    data_type: str = value.get("DataType") or ""
    if not data_type:
        raise invalid_parameter(f"The message attribute '{name}' must contain non-empty message attribute type.")
    kind = _TYPE.fullmatch(data_type)
    if kind is None or len(data_type) > 256:
        raise invalid_parameter(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the following supported "
            "type prefixes: Binary, Number, String."
        )
    given = value.get("BinaryValue" if kind[1] == "Binary" else "StringValue")
    if not given:
        raise invalid_parameter(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind[1]}'."
        )
    if kind[1] == "Number":
        _check_number(name, given)
    elif kind[1] == "String" and (found := _FORBIDDEN.search(given)) is not None:
        raise invalid_message_contents(found[0])


def _check_number(name: str, text: str) -> None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise invalid_parameter(f"Can't cast the value of message (user) attribute '{name}' to a number.")


def _trace_header(entry: Mapping[str, Any]) -> str | None:
    system = entry.get("MessageSystemAttributes") or {}
    for name, value in system.items():
        if name != "AWSTraceHeader":
            raise invalid_parameter(f"Message system attribute name '{name}' is invalid.")
        if value.get("DataType") != "String" or not value.get("StringValue"):
            raise invalid_parameter(f"Message system attribute '{name}' must be a non-empty value of type 'String'.")
    return system["AWSTraceHeader"]["StringValue"] if system else None


def checked_identifier(member: str, entry: Mapping[str, Any]) -> str | None:
    """A group, a deduplication or an attempt id, None where there is none."""
    value: str | None = entry.get(member)
    if value is not None and not _IDENTIFIER.fullmatch(value):
        reason = f"{member} can only include alphanumeric and punctuation characters. 1 to 128 in length."
        raise invalid_value(member, value, reason)
    return value


def _delay(entry: Mapping[str, Any]) -> int | None:
    delay: int | None = entry.get("DelaySeconds")
    if delay is not None and not 0 <= delay <= 900:
        raise invalid_value("DelaySeconds", delay, "DelaySeconds must be >= 0 and <= 900.")
    return delay
