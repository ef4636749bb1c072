"""Short messages: to which numbers, from whom, with which attributes. They go into the local mailbox alone."""

import re
from collections.abc import Mapping
from typing import Any

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.sns.errors import invalid_parameter
from cloudlet.services.sns.mail import Mail
from cloudlet.store import Reader, Transaction

DEFAULT_SENDER = "SNS"
_LONGEST = 1600
_PHONE = re.compile(r"\+?[0-9][0-9 .()-]{3,20}")
_SENDER_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}", re.ASCII)
_TYPES = ("Promotional", "Transactional")
# What they stand for has no counterpart here.
_NOT_IMPLEMENTED = ("DeliveryStatusIAMRole", "DeliveryStatusSuccessSamplingRate", "UsageReportS3Bucket")
_PREFIX = "AWS.SNS.SMS."


def check_phone_number(number: str) -> None:
    if not is_phone_number(number):
        raise invalid_parameter("PhoneNumber Reason: input incorrectly formatted")


def is_phone_number(number: str) -> bool:
    return _PHONE.fullmatch(number) is not None


def short_message(number: str, text: str, attributes: Mapping[str, Mapping[str, Any]], default_sender: str) -> Mail:
    """Raises InvalidParameter for a text that is too long, or for attributes that no phone company would take."""
    if len(text) > _LONGEST:
        raise invalid_parameter("Message too long")
    values = {
        name.removeprefix(_PREFIX): value.get("StringValue", "")
        for name, value in attributes.items()
        if name.startswith(_PREFIX)
    }
    for name, value in values.items():
        _check_message_attribute(name, value)
    return Mail("sms", values.get("SenderID", default_sender), number, "", text)


def check_attributes(given: Mapping[str, str]) -> None:
    """The account's attributes. Raises InvalidParameter."""
    for name, value in given.items():
        if name in _NOT_IMPLEMENTED:
            if value:
                raise NotImplementedByCloudlet(f"the SMS attribute {name}")
        elif name == "MonthlySpendLimit":
            if not value.isascii() or not value.isdigit():
                raise invalid_parameter("MonthlySpendLimit")
        elif name == "DefaultSenderID":
            if value and not _SENDER_ID.fullmatch(value):
                raise invalid_parameter("DefaultSenderID")
        elif name == "DefaultSMSType":
            if value and value not in _TYPES:
                raise invalid_parameter("DefaultSMSType")
        else:
            raise invalid_parameter(f"{name} is not a valid attribute")


def set_attributes(tx: Transaction, account: str, region: str, given: Mapping[str, str]) -> None:
    """An empty value unsets."""
    for name, value in given.items():
        if value:
            tx.execute(
                "INSERT OR REPLACE INTO sms_attribute (account, region, name, value) VALUES (?, ?, ?, ?)",
                (account, region, name, value),
            )
        else:
            tx.execute(
                "DELETE FROM sms_attribute WHERE account = ? AND region = ? AND name = ?", (account, region, name)
            )


def attributes_of(reader: Reader, account: str, region: str) -> dict[str, str]:
    return dict(
        reader.all(
            "SELECT name, value FROM sms_attribute WHERE account = ? AND region = ? ORDER BY name", (account, region)
        )
    )


def default_sender(reader: Reader, account: str, region: str) -> str:
    return attributes_of(reader, account, region).get("DefaultSenderID", DEFAULT_SENDER)


def _check_message_attribute(name: str, value: str) -> None:
    if name == "SenderID" and not _SENDER_ID.fullmatch(value):
        raise invalid_parameter("SenderID")
    if name == "SMSType" and value not in _TYPES:
        raise invalid_parameter("SMSType")
