"""Operations on what surrounds a function: reserved concurrency, asynchronous invocation, tags, the account."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import (
    Function,
    delete_setting,
    loaded,
    provisioned_without_reservation,
    save_setting,
)
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.destinations import check_destination, check_right
from cloudlet.services.lambda_.execution import ACCOUNT_CONCURRENCY, LEAST_UNRESERVED
from cloudlet.services.lambda_.names import LATEST, Reference, function_not_found, parse_reference
from cloudlet.services.lambda_.packages import LARGEST_UNZIPPED, LARGEST_UPLOAD
from cloudlet.services.lambda_.paging import page
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

# The services that take records, of what went well and of what did not.
_DESTINATIONS = {"OnSuccess": ("sqs", "sns", "lambda", "events"), "OnFailure": ("sqs", "sns", "lambda", "events", "s3")}
_TOTAL_CODE_SIZE = 80_530_636_800


class SettingOperations(LambdaBase):
    @operation("PutFunctionConcurrency")
    async def put_function_concurrency(
        self, call: Call, params: "t.PutFunctionConcurrencyRequestTypeDef"
    ) -> dict[str, Any]:
        wanted = params["ReservedConcurrentExecutions"]

        def check(tx: Transaction, function: Function) -> None:
            row = tx.one(
                "SELECT coalesce(sum(reserved), 0) FROM function WHERE account = ? AND region = ? AND name != ?",
                (function.key.account, function.key.region, function.key.name),
            )
            if wanted < function.provisioned_total:
                raise invalid(
                    f"ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned"
                    f" concurrency [{function.provisioned_total}]."
                )
            others = row[0] if row is not None else 0
            others += provisioned_without_reservation(tx, function.key.account, function.key.region)
            if function.reserved is None:
                others -= function.provisioned_total
            if others + wanted > ACCOUNT_CONCURRENCY - LEAST_UNRESERVED:
                raise invalid(
                    "Specified ReservedConcurrentExecutions for function decreases account's"
                    f" UnreservedConcurrentExecution below its minimum value of [{LEAST_UNRESERVED}]."
                )

        await self._reserve(call, params["FunctionName"], wanted, check)
        return {"ReservedConcurrentExecutions": wanted}

    @operation("GetFunctionConcurrency")
    async def get_function_concurrency(
        self, call: Call, params: "t.GetFunctionConcurrencyRequestTypeDef"
    ) -> dict[str, Any]:
        function = self.catalog.get(parse_reference(call, params["FunctionName"]))
        return {} if function.reserved is None else {"ReservedConcurrentExecutions": function.reserved}

    @operation("DeleteFunctionConcurrency")
    async def delete_function_concurrency(
        self, call: Call, params: "t.DeleteFunctionConcurrencyRequestTypeDef"
    ) -> None:
        await self._reserve(call, params["FunctionName"], None, lambda tx, function: None)

    @operation("PutFunctionEventInvokeConfig")
    async def put_function_event_invoke_config(
        self, call: Call, params: "t.PutFunctionEventInvokeConfigRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._save_event_invoke(call, params, keep=False)

    @operation("UpdateFunctionEventInvokeConfig")
    async def update_function_event_invoke_config(
        self, call: Call, params: "t.UpdateFunctionEventInvokeConfigRequestTypeDef"
    ) -> dict[str, Any]:
        return await self._save_event_invoke(call, params, keep=True)

    @operation("GetFunctionEventInvokeConfig")
    async def get_function_event_invoke_config(
        self, call: Call, params: "t.GetFunctionEventInvokeConfigRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        return _event_invoke(self.catalog.get(reference), reference)

    @operation("ListFunctionEventInvokeConfigs")
    async def list_function_event_invoke_configs(
        self, call: Call, params: "t.ListFunctionEventInvokeConfigsRequestTypeDef"
    ) -> dict[str, Any]:
        function = self.catalog.get(parse_reference(call, params["FunctionName"]))
        every = [config for _, config in sorted(function.event_invoke.items())]
        found, more = page(every, params, lambda config: config["FunctionArn"])
        return {"FunctionEventInvokeConfigs": found, **more}

    @operation("DeleteFunctionEventInvokeConfig")
    async def delete_function_event_invoke_config(
        self, call: Call, params: "t.DeleteFunctionEventInvokeConfigRequestTypeDef"
    ) -> None:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        key = reference.key

        def write(tx: Transaction) -> None:
            _event_invoke(loaded(tx, reference), reference)
            delete_setting(tx, "event_invoke", reference)

        await self.catalog.change(key, write)

    @operation("GetAccountSettings")
    async def get_account_settings(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        functions = self.catalog.list(call.account, call.region)
        versions = [version for function in functions for version in function.versions.values()]
        unreserved = ACCOUNT_CONCURRENCY - self.catalog.reserved(call.account, call.region)
        return {
            "AccountLimit": {
                "TotalCodeSize": _TOTAL_CODE_SIZE,
                "CodeSizeUnzipped": LARGEST_UNZIPPED,
                "CodeSizeZipped": LARGEST_UPLOAD,
                "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
                "UnreservedConcurrentExecutions": unreserved,
            },
            "AccountUsage": {
                "TotalCodeSize": sum(version.configuration["CodeSize"] for version in versions),
                "FunctionCount": len(functions),
            },
        }

    async def _reserve(self, call: Call, name: str, reserved: int | None, check: Any) -> None:
        reference = parse_reference(call, name)
        key = reference.key

        def write(tx: Transaction) -> None:
            check(tx, loaded(tx, reference))
            tx.execute(
                "UPDATE function SET reserved = ? WHERE account = ? AND region = ? AND name = ?",
                (reserved, key.account, key.region, key.name),
            )

        await self.catalog.change(key, write)

    async def _check_destinations(self, function: Function, config: Mapping[str, Any]) -> None:
        for kind, allowed in _DESTINATIONS.items():
            arn = config.get(kind, {}).get("Destination")
            if arn:
                check_destination(arn, function.key.arn, allowed)
                await check_right(self.roles, function.key, function.latest.configuration["Role"], arn)

    async def _save_event_invoke(self, call: Call, params: Mapping[str, Any], *, keep: bool) -> dict[str, Any]:
        """`keep` leaves what the request does not name as it was."""
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        key, qualifier = reference.key, reference.qualifier or LATEST
        await self._check_destinations(self.catalog.get(reference), params.get("DestinationConfig", {}))

        def write(tx: Transaction) -> dict[str, Any]:
            function = loaded(tx, reference)
            if qualifier not in function.versions and qualifier not in function.aliases:
                raise function_not_found(reference.arn)
            current = _event_invoke(function, reference) if keep else {}
            saved: dict[str, Any] = {
                "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
                **current,
                "LastModified": call.time,
                "FunctionArn": f"{key.arn}:{qualifier}",
            }
            for member in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds"):
                if member in params:
                    saved[member] = params[member]
            if "DestinationConfig" in params:
                saved["DestinationConfig"] = {"OnSuccess": {}, "OnFailure": {}, **params["DestinationConfig"]}
            save_setting(tx, "event_invoke", reference, saved)
            return saved

        return await self.catalog.change(key, write)


def _event_invoke(function: Function, reference: Reference) -> dict[str, Any]:
    arn = f"{reference.key.arn}:{reference.qualifier or LATEST}"
    found = function.event_invoke.get(reference.qualifier or LATEST)
    if found is None:
        raise AwsError(
            "ResourceNotFoundException",
            f"The function {arn} doesn't have an EventInvokeConfig",
            status=404,
            fields={"Type": "User"},
        )
    return found
