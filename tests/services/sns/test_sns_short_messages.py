"""Short messages: from whom they are, what the account sets for all of them, what is said of phones."""

from typing import Any

import pytest

from cloudlet.core.errors import AwsError

PHONE = "+49301234567"


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


async def test_a_message_says_from_whom_it_is(sns: Any) -> None:
    attributes = {"AWS.SNS.SMS.SenderID": text("Shop"), "AWS.SNS.SMS.SMSType": text("Transactional")}
    await sns("Publish", PhoneNumber=PHONE, Message="hello", MessageAttributes=attributes)
    assert [(mail["from"], mail["body"]) for mail in await sns.mails()] == [("Shop", "hello")]


async def test_the_account_may_set_a_sender_for_all(sns: Any) -> None:
    await sns("SetSMSAttributes", attributes={"DefaultSenderID": "MyShop", "MonthlySpendLimit": "1"})
    assert (await sns("GetSMSAttributes"))["attributes"] == {"DefaultSenderID": "MyShop", "MonthlySpendLimit": "1"}
    assert (await sns("GetSMSAttributes", attributes=["MonthlySpendLimit"]))["attributes"] == {"MonthlySpendLimit": "1"}
    topic = await sns.topic()
    await sns.subscribe(topic, "sms", PHONE)
    await sns("Publish", TopicArn=topic, Message="by topic")
    await sns.settled()
    await sns("Publish", PhoneNumber=PHONE, Message="directly")
    assert {mail["from"] for mail in await sns.mails()} == {"MyShop"}
    await sns("SetSMSAttributes", attributes={"DefaultSenderID": "", "DefaultSMSType": "Promotional"})
    assert "DefaultSenderID" not in (await sns("GetSMSAttributes"))["attributes"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"DefaultSenderID": "no spaces"},
        {"DefaultSMSType": "Urgent"},
        {"MonthlySpendLimit": "a lot"},
        {"Unknown": "x"},
        {"UsageReportS3Bucket": "reports"},
    ],
)
async def test_what_cannot_be_set(sns: Any, attributes: dict[str, str]) -> None:
    with pytest.raises(AwsError) as refusal:
        await sns("SetSMSAttributes", attributes=attributes)
    assert refusal.value.code in ("InvalidParameter", "NotImplemented")
    assert (await sns("GetSMSAttributes"))["attributes"] == {}


@pytest.mark.parametrize("attribute", [{"AWS.SNS.SMS.SMSType": text("Urgent")}, {"AWS.SNS.SMS.SenderID": text("a b")}])
async def test_attributes_that_no_phone_company_takes(sns: Any, attribute: dict[str, Any]) -> None:
    with pytest.raises(AwsError, match="InvalidParameter"):
        await sns("Publish", PhoneNumber=PHONE, Message="hello", MessageAttributes=attribute)


async def test_nobody_has_opted_out_and_there_is_no_sandbox(sns: Any) -> None:
    assert await sns("CheckIfPhoneNumberIsOptedOut", phoneNumber=PHONE) == {"isOptedOut": False}
    assert await sns("ListPhoneNumbersOptedOut") == {"phoneNumbers": []}
    assert await sns("OptInPhoneNumber", phoneNumber=PHONE) == {}
    assert await sns("GetSMSSandboxAccountStatus") == {"IsInSandbox": False}
    assert await sns("ListSMSSandboxPhoneNumbers") == {"PhoneNumbers": []}
    assert await sns("ListOriginationNumbers") == {"PhoneNumbers": []}
    with pytest.raises(AwsError, match="PhoneNumber"):
        await sns("OptInPhoneNumber", phoneNumber="somebody")


async def test_queues_get_aws_own_attributes_in_envelopes_only(sns: Any) -> None:
    topic = await sns.topic()
    raw, wrapped = await sns.queue("raw", topic), await sns.queue("wrapped", topic)
    await sns.subscribe(topic, "sqs", sns.arn(raw), RawMessageDelivery="true")
    await sns.subscribe(topic, "sqs", sns.arn(wrapped))
    attributes = {"AWS.SNS.SMS.SMSType": text("Promotional"), "kind": text("news")}
    await sns("Publish", TopicArn=topic, Message="hello", MessageAttributes=attributes)
    assert set((await sns.received(raw))["MessageAttributes"]) == {"kind"}
    assert "AWS.SNS.SMS.SMSType" in (await sns.received(wrapped))["Body"]
