"""The operations on short messages: the account's attributes, and what a local mailbox can say about phones."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.sns import short_messages
from cloudlet.services.sns.base import SnsBase

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as t


class SmsOperations(SnsBase):
    """No phone is reached from here, so none can opt out, and there is no sandbox to leave."""

    @operation("SetSMSAttributes")
    async def set_sms_attributes(self, call: Call, params: "t.SetSMSAttributesInputTypeDef") -> dict[str, Any]:
        given = dict(params["attributes"])
        short_messages.check_attributes(given)
        await self.store.write(lambda tx: short_messages.set_attributes(tx, call.account, call.region, given))
        return {}

    @operation("GetSMSAttributes")
    async def get_sms_attributes(self, call: Call, params: "t.GetSMSAttributesInputTypeDef") -> dict[str, Any]:
        found = short_messages.attributes_of(self.store.reader, call.account, call.region)
        wanted = params.get("attributes") or found
        return {"attributes": {name: value for name, value in found.items() if name in wanted}}

    @operation("CheckIfPhoneNumberIsOptedOut")
    async def check_if_phone_number_is_opted_out(
        self, call: Call, params: "t.CheckIfPhoneNumberIsOptedOutInputTypeDef"
    ) -> dict[str, Any]:
        short_messages.check_phone_number(params["phoneNumber"])
        return {"isOptedOut": False}

    @operation("ListPhoneNumbersOptedOut")
    async def list_phone_numbers_opted_out(
        self, call: Call, params: "t.ListPhoneNumbersOptedOutInputTypeDef"
    ) -> dict[str, Any]:
        return {"phoneNumbers": []}

    @operation("OptInPhoneNumber")
    async def opt_in_phone_number(self, call: Call, params: "t.OptInPhoneNumberInputTypeDef") -> dict[str, Any]:
        """Every number is opted in already."""
        short_messages.check_phone_number(params["phoneNumber"])
        return {}

    @operation("GetSMSSandboxAccountStatus")
    async def get_sms_sandbox_account_status(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"IsInSandbox": False}

    @operation("ListSMSSandboxPhoneNumbers")
    async def list_sms_sandbox_phone_numbers(
        self, call: Call, params: "t.ListSMSSandboxPhoneNumbersInputTypeDef"
    ) -> dict[str, Any]:
        return {"PhoneNumbers": []}

    @operation("ListOriginationNumbers")
    async def list_origination_numbers(
        self, call: Call, params: "t.ListOriginationNumbersRequestTypeDef"
    ) -> dict[str, Any]:
        return {"PhoneNumbers": []}
