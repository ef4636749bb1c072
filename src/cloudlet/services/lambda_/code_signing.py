"""Operations on code signing configurations: whether functions take code that no trusted publisher has signed.

Signatures of packages cannot be checked here. So every package counts as unsigned: `Warn` takes it, `Enforce` does not.
"""

import logging
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.ids import lower_id
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import loaded
from cloudlet.services.lambda_.configuration import timestamp
from cloudlet.services.lambda_.names import FunctionKey, parse_reference
from cloudlet.services.lambda_.paging import page
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

_log = logging.getLogger(__name__)


class CodeSigningOperations(LambdaBase):
    @operation("CreateCodeSigningConfig")
    async def create_code_signing_config(
        self, call: Call, params: "t.CreateCodeSigningConfigRequestTypeDef"
    ) -> dict[str, Any]:
        id_ = f"csc-{lower_id(17)}"
        created: dict[str, Any] = {
            "CodeSigningConfigId": id_,
            "CodeSigningConfigArn": f"arn:aws:lambda:{call.region}:{call.account}:code-signing-config:{id_}",
            "AllowedPublishers": params["AllowedPublishers"],
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn", **params.get("CodeSigningPolicies", {})},
            "LastModified": timestamp(call.time),
        }
        if description := params.get("Description"):
            created["Description"] = description
        row = (id_, call.account, call.region, orjson.dumps(created), orjson.dumps(params.get("Tags", {})))
        await self.store.write(
            lambda tx: tx.execute(
                "INSERT INTO code_signing_config (id, account, region, configuration, tags) VALUES (?, ?, ?, ?, ?)", row
            )
        )
        return {"CodeSigningConfig": created}

    @operation("GetCodeSigningConfig")
    async def get_code_signing_config(
        self, call: Call, params: "t.GetCodeSigningConfigRequestTypeDef"
    ) -> dict[str, Any]:
        return {"CodeSigningConfig": _found(self.store.reader, params["CodeSigningConfigArn"])}

    @operation("UpdateCodeSigningConfig")
    async def update_code_signing_config(
        self, call: Call, params: "t.UpdateCodeSigningConfigRequestTypeDef"
    ) -> dict[str, Any]:
        arn = params["CodeSigningConfigArn"]
        changes = {name: value for name, value in params.items() if name != "CodeSigningConfigArn"}

        def write(tx: Transaction) -> dict[str, Any]:
            config = {**_found(tx, arn), **changes, "LastModified": timestamp(call.time)}
            tx.execute(
                "UPDATE code_signing_config SET configuration = ? WHERE id = ?", (orjson.dumps(config), _id(arn))
            )
            return config

        return {"CodeSigningConfig": await self.store.write(write)}

    @operation("DeleteCodeSigningConfig")
    async def delete_code_signing_config(
        self, call: Call, params: "t.DeleteCodeSigningConfigRequestTypeDef"
    ) -> dict[str, Any]:
        arn = params["CodeSigningConfigArn"]

        def write(tx: Transaction) -> None:
            _found(tx, arn)
            if tx.one("SELECT 1 FROM function WHERE code_signing = ? LIMIT 1", (arn,)) is not None:
                raise AwsError(
                    "ResourceConflictException",
                    f"The code signing configuration {arn} is attached to functions. Detach it from them first.",
                    status=409,
                    fields={"Type": "User"},
                )
            tx.execute("DELETE FROM code_signing_config WHERE id = ?", (_id(arn),))

        await self.store.write(write)
        return {}

    @operation("ListCodeSigningConfigs")
    async def list_code_signing_configs(
        self, call: Call, params: "t.ListCodeSigningConfigsRequestTypeDef"
    ) -> dict[str, Any]:
        rows = self.store.reader.all(
            "SELECT configuration FROM code_signing_config WHERE account = ? AND region = ? ORDER BY id",
            (call.account, call.region),
        )
        configs = [orjson.loads(configuration) for (configuration,) in rows]
        found, more = page(configs, params, lambda config: config["CodeSigningConfigId"])
        return {"CodeSigningConfigs": found, **more}

    @operation("ListFunctionsByCodeSigningConfig")
    async def list_functions_by_code_signing_config(
        self, call: Call, params: "t.ListFunctionsByCodeSigningConfigRequestTypeDef"
    ) -> dict[str, Any]:
        arn = params["CodeSigningConfigArn"]
        _found(self.store.reader, arn)
        rows = self.store.reader.all(
            "SELECT account, region, name FROM function WHERE code_signing = ? ORDER BY name", (arn,)
        )
        found, more = page([FunctionKey(*row).arn for row in rows], params, lambda function: function)
        return {"FunctionArns": found, **more}

    @operation("PutFunctionCodeSigningConfig")
    async def put_function_code_signing_config(
        self, call: Call, params: "t.PutFunctionCodeSigningConfigRequestTypeDef"
    ) -> dict[str, Any]:
        arn = params["CodeSigningConfigArn"]
        self.check_code_signing_config(arn)
        name = await self._attach(call, params["FunctionName"], arn)
        return {"CodeSigningConfigArn": arn, "FunctionName": name}

    @operation("GetFunctionCodeSigningConfig")
    async def get_function_code_signing_config(
        self, call: Call, params: "t.GetFunctionCodeSigningConfigRequestTypeDef"
    ) -> dict[str, Any]:
        function = self.catalog.get(parse_reference(call, params["FunctionName"]))
        return {"CodeSigningConfigArn": function.code_signing or "", "FunctionName": function.key.name}

    @operation("DeleteFunctionCodeSigningConfig")
    async def delete_function_code_signing_config(
        self, call: Call, params: "t.DeleteFunctionCodeSigningConfigRequestTypeDef"
    ) -> None:
        await self._attach(call, params["FunctionName"], None)

    def check_code_signing_config(self, arn: str) -> dict[str, Any]:
        """Raises CodeSigningConfigNotFoundException."""
        try:
            return _found(self.store.reader, arn)
        except AwsError as error:
            raise AwsError(
                "CodeSigningConfigNotFoundException", error.message, status=404, fields={"Type": "User"}
            ) from None

    def check_signature(self, config_arn: str | None, function_arn: str) -> None:
        """Raises CodeVerificationFailedException where the function's code has to be signed."""
        if config_arn is None:
            return
        config = self.check_code_signing_config(config_arn)
        if config["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"] == "Warn":
            _log.warning("code without a trusted signature is deployed", extra={"function": function_arn})
            return
        raise AwsError(
            "CodeVerificationFailedException",
            "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client"
            f" is not configured to accept. Check the provided signature for {function_arn}.",
            status=400,
            fields={"Type": "User"},
        )

    async def _attach(self, call: Call, name: str, config_arn: str | None) -> str:
        reference = parse_reference(call, name)
        key = reference.key

        def write(tx: Transaction) -> None:
            loaded(tx, reference)
            if config_arn is not None:
                _found(tx, config_arn)
            tx.execute(
                "UPDATE function SET code_signing = ? WHERE account = ? AND region = ? AND name = ?",
                (config_arn, key.account, key.region, key.name),
            )

        await self.catalog.change(key, write)
        return key.name


def _id(arn: str) -> str:
    return arn.rpartition(":")[2]


def _found(reader: Reader, arn: str) -> dict[str, Any]:
    row = reader.one("SELECT configuration FROM code_signing_config WHERE id = ?", (_id(arn),))
    config = orjson.loads(row[0]) if row is not None else None
    if config is None or config["CodeSigningConfigArn"] != arn:
        raise AwsError(
            "ResourceNotFoundException",
            "The code signing configuration cannot be found. Check that the provided configuration is not deleted:"
            f" {arn}.",
            status=404,
            fields={"Type": "User"},
        )
    return config
