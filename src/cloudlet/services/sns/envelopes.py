"""What subscribers see of a message: SNS's JSON envelope, the Lambda event, the text that is signed. Pure."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature, and the address of the certificate that proves it."""

    version: str
    signature: str
    certificate_url: str


def notification(
    message_id: str,
    topic: str,
    subject: str | None,
    body: str,
    published: float,
    sequence_number: str | None = None,
) -> dict[str, Any]:
    """The envelope, not signed yet."""
    envelope: dict[str, Any] = {"Type": "Notification", "MessageId": message_id}
    if sequence_number is not None:
        envelope["SequenceNumber"] = sequence_number
    envelope["TopicArn"] = topic
    if subject is not None:
        envelope["Subject"] = subject
    return envelope | {"Message": body, "Timestamp": timestamp(published)}


def confirmation(message_id: str, topic: str, token: str, endpoint_url: str, time: float) -> dict[str, Any]:
    """What asks a subscriber to confirm, not signed yet."""
    return {
        "Type": "SubscriptionConfirmation",
        "MessageId": message_id,
        "Token": token,
        "TopicArn": topic,
        "Message": (
            f"You have chosen to subscribe to the topic {topic}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message."
        ),
        "SubscribeURL": subscribe_url(endpoint_url, topic, token),
        "Timestamp": timestamp(time),
    }


def end_confirmation(asked: Mapping[str, Any], subscription: str) -> dict[str, Any]:
    """What tells a subscriber that its subscription has ended: a confirmation, which would restore it."""
    message = (
        f"You have chosen to deactivate subscription {subscription}.\n"
        "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
    )
    return {**asked, "Type": "UnsubscribeConfirmation", "Message": message}


def text_to_sign(envelope: Mapping[str, Any]) -> str:
    """AWS's canonical text: names and values of the signed members, a line each."""
    names = _SIGNED[envelope["Type"]]
    return "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)


def with_signature(envelope: Mapping[str, Any], signed: Signed) -> dict[str, Any]:
    return {
        **envelope,
        "SignatureVersion": signed.version,
        "Signature": signed.signature,
        "SigningCertURL": signed.certificate_url,
    }


def for_subscriber(
    envelope: Mapping[str, Any], unsubscribe: str, attributes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A signed notification, completed by what differs between subscribers or is not signed."""
    complete = {**envelope, "UnsubscribeURL": unsubscribe}
    if attributes:
        complete["MessageAttributes"] = shown_attributes(attributes)
    return complete


def lambda_event(
    envelope: Mapping[str, Any], subscription: str, unsubscribe: str, attributes: Mapping[str, Mapping[str, Any]]
) -> bytes:
    """The event that a function gets; some members are spelled differently there."""
    record = {
        "Type": envelope["Type"],
        "MessageId": envelope["MessageId"],
        "TopicArn": envelope["TopicArn"],
        "Subject": envelope.get("Subject"),
        "Message": envelope["Message"],
        "Timestamp": envelope["Timestamp"],
        "SignatureVersion": envelope["SignatureVersion"],
        "Signature": envelope["Signature"],
        "SigningCertUrl": envelope["SigningCertURL"],
        "UnsubscribeUrl": unsubscribe,
        "MessageAttributes": shown_attributes(attributes),
    }
    source = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription, "Sns": record}
    return json.dumps({"Records": [source]}).encode()


def shown_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    return {
        name: {
            "Type": value["DataType"],
            "Value": base64.b64encode(value["BinaryValue"]).decode()
            if value["DataType"].startswith("Binary")
            else value["StringValue"],
        }
        for name, value in attributes.items()
    }


def subscribe_url(endpoint_url: str, topic: str, token: str) -> str:
    return f"{endpoint_url}/?{urlencode({'Action': 'ConfirmSubscription', 'TopicArn': topic, 'Token': token})}"


def unsubscribe_url(endpoint_url: str, subscription: str) -> str:
    return f"{endpoint_url}/?{urlencode({'Action': 'Unsubscribe', 'SubscriptionArn': subscription})}"


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(seconds * 1000) % 1000:03d}Z"


def pretty(envelope: Mapping[str, Any]) -> str:
    """JSON as SNS writes it, a member a line."""
    lines = (f"  {json.dumps(name)} : {json.dumps(value, ensure_ascii=False)}" for name, value in envelope.items())
    return "{\n" + ",\n".join(lines) + "\n}"
