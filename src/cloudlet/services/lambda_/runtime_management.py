"""Operations on when a function's runtime is updated. Here it is what the machine has: the setting is only kept."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import loaded, save_setting
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.functions import resolve
from cloudlet.services.lambda_.names import parse_reference
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t


class RuntimeManagementOperations(LambdaBase):
    @operation("PutRuntimeManagementConfig")
    async def put_runtime_management_config(
        self, call: Call, params: "t.PutRuntimeManagementConfigRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        mode = params["UpdateRuntimeOn"]
        if mode == "Manual":
            if "RuntimeVersionArn" not in params:
                raise invalid("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")
            raise NotImplementedByCloudlet("a choice of the runtime's version")
        if "RuntimeVersionArn" in params:
            raise invalid("RuntimeVersionArn can be given when UpdateRuntimeOn is Manual only.")

        def write(tx: Transaction) -> None:
            resolve(loaded(tx, reference), reference)
            save_setting(tx, "runtime_management", reference, {"UpdateRuntimeOn": mode})

        await self.catalog.change(reference.key, write)
        return {"UpdateRuntimeOn": mode, "FunctionArn": reference.arn}

    @operation("GetRuntimeManagementConfig")
    async def get_runtime_management_config(
        self, call: Call, params: "t.GetRuntimeManagementConfigRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        function = self.catalog.get(reference)
        version = resolve(function, reference)
        found = function.runtime_management.get(version.version, {"UpdateRuntimeOn": "Auto"})
        return {**found, "FunctionArn": reference.arn}
