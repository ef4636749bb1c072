"""Operations on what is done about recursive loops in which a function takes part."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import loaded
from cloudlet.services.lambda_.names import parse_reference
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t


class RecursionOperations(LambdaBase):
    @operation("PutFunctionRecursionConfig")
    async def put_function_recursion_config(
        self, call: Call, params: "t.PutFunctionRecursionConfigRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"])
        key = reference.key

        def write(tx: Transaction) -> None:
            loaded(tx, reference)
            tx.execute(
                "UPDATE function SET recursion = ? WHERE account = ? AND region = ? AND name = ?",
                (params["RecursiveLoop"], key.account, key.region, key.name),
            )

        await self.catalog.change(key, write)
        return {"RecursiveLoop": params["RecursiveLoop"]}

    @operation("GetFunctionRecursionConfig")
    async def get_function_recursion_config(
        self, call: Call, params: "t.GetFunctionRecursionConfigRequestTypeDef"
    ) -> dict[str, Any]:
        return {"RecursiveLoop": self.catalog.get(parse_reference(call, params["FunctionName"])).recursion}
