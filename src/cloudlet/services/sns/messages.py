"""What may be published: the rules for messages, subjects and message attributes. Pure functions."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.core.errors import AwsError
from cloudlet.services.sns.errors import invalid_parameter, parameter_value_invalid
from cloudlet.services.sns.topics import Topic

Attributes = Mapping[str, Mapping[str, Any]]

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_TYPE = re.compile(r"(String\.Array|String|Number|Binary)(\..+)?")
_IDENTIFIER = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~-]{1,128}")
_LONGEST_SUBJECT = 100
# AWS's own attributes, for short messages and mobile push.
_KNOWN_PREFIXES = ("AWS.SNS.", "AWS.MM.")


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose form is right. `body` is JSON of bodies by protocol if `structured`; `size` in bytes."""

    body: str
    structured: bool
    subject: str | None
    attributes: Attributes
    group_id: str | None
    deduplication_id: str | None
    size: int

    def body_for(self, protocol: str) -> str:
        return body_for(self.body, self.structured, protocol)


def body_for(body: str, structured: bool, protocol: str) -> str:
    """The protocol's own body of a structured message, or its default."""
    if not structured:
        return body
    bodies = orjson.loads(body)
    found = bodies.get(protocol)
    return found if isinstance(found, str) else bodies["default"]


def read_message(params: Mapping[str, Any], topic: Topic | None) -> Message:
    """A Publish input or a batch entry; `topic` None for a message straight to a phone. Raises AwsError."""
    body: str = params["Message"]
    if not body:
        raise invalid_parameter("Empty message")
    structured = _structured(params.get("MessageStructure"), body)
    subject = params.get("Subject")
    if subject is not None:
        _check_subject(subject)
    attributes: Attributes = params.get("MessageAttributes") or {}
    size = _utf8_size(body) + check_attributes(attributes)
    if topic is not None and size > topic.maximum_size:
        raise invalid_parameter("Message too long")
    return Message(
        body,
        structured,
        subject,
        attributes,
        _identifier("MessageGroupId", params),
        _identifier("MessageDeduplicationId", params),
        size,
    )


def check_for_topic(topic: Topic, message: Message) -> None:
    """The rules that depend on the topic's type. Raises InvalidParameter."""
    if topic.fifo:
        if message.group_id is None:
            raise invalid_parameter("The MessageGroupId parameter is required for FIFO topics")
        if message.deduplication_id is None and not topic.content_based_deduplication:
            reason = "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
            raise invalid_parameter(reason + "provided explicitly")
    elif message.deduplication_id is not None:
        reason = "The request includes MessageDeduplicationId parameter that is not valid for this topic type"
        raise invalid_parameter(f"MessageDeduplicationId Reason: {reason}")


def check_attributes(attributes: Attributes) -> int:
    """Returns their size in bytes. Raises ParameterValueInvalid."""
    size = 0
    for name, value in attributes.items():
        _check_name(name)
        payload = _payload(name, value)
        size += len(name.encode()) + len(value["DataType"].encode()) + len(payload)
    return size


def encode_attributes(attributes: Attributes) -> bytes | None:
    if not attributes:
        return None
    return orjson.dumps(attributes, default=lambda blob: base64.b64encode(blob).decode())


def decode_attributes(encoded: bytes | None) -> dict[str, dict[str, Any]]:
    """As in Publish; binary values as bytes."""
    if encoded is None:
        return {}
    attributes: dict[str, dict[str, Any]] = orjson.loads(encoded)
    for value in attributes.values():
        if "BinaryValue" in value:
            value["BinaryValue"] = base64.b64decode(value["BinaryValue"])
    return attributes


def _structured(structure: str | None, body: str) -> bool:
    # `raw` stands in no documentation, but AWS takes it, and AWS's own courses write it.
    if structure in (None, "", "raw"):
        return False
    if structure != "json":
        raise invalid_parameter("MessageStructure")
    try:
        bodies = orjson.loads(body)
    except ValueError:
        bodies = None
    if not isinstance(bodies, dict):
        raise invalid_parameter("Message Structure - JSON message body failed to parse")
    if not isinstance(bodies.get("default"), str):
        raise invalid_parameter("Message Structure - No default entry in JSON message body")
    for text in bodies.values():
        if isinstance(text, str):
            _utf8_size(text)
    return True


def _utf8_size(text: str) -> int:
    """In bytes. Half a surrogate pair, which JSON's escapes can smuggle in, is no text."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise invalid_parameter("Message Reason: it is not valid UTF-8") from None


def _check_subject(subject: str) -> None:
    """As AWS documents it: text without line breaks and control characters, of less than 100 characters."""
    if not subject or len(subject) > _LONGEST_SUBJECT or not subject.isprintable() or subject[0] == " ":
        raise invalid_parameter("Subject")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.startswith(".") or name.endswith(".") or ".." in name:
        raise parameter_value_invalid(f"Invalid attribute name: {name}")
    if name.lower().startswith(("aws.", "amazon.")) and not name.startswith(_KNOWN_PREFIXES):
        raise parameter_value_invalid(f"The message attribute name '{name}' has a reserved prefix.")


def _payload(name: str, value: Mapping[str, Any]) -> bytes:
    data_type: str = value.get("DataType") or ""
    kind = _TYPE.fullmatch(data_type)
    if not data_type:
        raise parameter_value_invalid(f"The message attribute '{name}' must contain non-empty message attribute type.")
    if kind is None:
        raise parameter_value_invalid(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
            "prefixes is Binary, Number, and String."
        )
    binary = kind[1] == "Binary"
    given: Any = value.get("BinaryValue" if binary else "StringValue")
    if not given:
        raise _empty_value(name, data_type)
    if kind[1] == "Number":
        _check_number(name, given)
    elif kind[1] == "String.Array":
        _check_array(name, given)
    return given if binary else given.encode()


def _empty_value(name: str, data_type: str) -> AwsError:
    return parameter_value_invalid(
        f"The message attribute '{name}' must contain non-empty message attribute value for message attribute type "
        f"'{data_type}'."
    )


def _check_number(name: str, text: str) -> None:
    try:
        finite = float(text) not in (float("inf"), float("-inf")) and float(text) == float(text)
    except ValueError:
        finite = False
    if not finite:
        raise parameter_value_invalid(f"Could not cast message attribute '{name}' value to number.")


def _check_array(name: str, text: str) -> None:
    try:
        values = orjson.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, list) or any(isinstance(value, dict | list) for value in values):
        raise parameter_value_invalid(
            f"The message attribute '{name}' of type String.Array must be a JSON array of strings, numbers, true, "
            "false or null."
        )


def _identifier(member: str, params: Mapping[str, Any]) -> str | None:
    value: str | None = params.get(member)
    if value is not None and not _IDENTIFIER.fullmatch(value):
        reason = f"{member} can only include alphanumeric and punctuation characters. 1 to 128 in length."
        raise invalid_parameter(f"{member} Reason: {reason}")
    return value
