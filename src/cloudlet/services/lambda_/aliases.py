"""Operations on aliases: names for versions, which may spread invocations over two of them."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import Function, delete_setting, loaded
from cloudlet.services.lambda_.configuration import check_revision, invalid
from cloudlet.services.lambda_.names import LATEST, FunctionKey, Reference, function_not_found, parse_reference
from cloudlet.services.lambda_.paging import page
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t


class AliasOperations(LambdaBase):
    @operation("CreateAlias")
    async def create_alias(self, call: Call, params: "t.CreateAliasRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"])
        name = params["Name"]

        def write(tx: Transaction) -> dict[str, Any]:
            function = loaded(tx, reference)
            if name in function.aliases:
                arn = f"{reference.key.arn}:{name}"
                raise AwsError("ResourceConflictException", f"Alias already exists: {arn}", status=409)
            alias: dict[str, Any] = {"Name": name, "Description": "", "AliasArn": f"{reference.key.arn}:{name}"}
            return _save(tx, function, alias, params)

        return await self.catalog.change(reference.key, write)

    @operation("UpdateAlias")
    async def update_alias(self, call: Call, params: "t.UpdateAliasRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"])

        def write(tx: Transaction) -> dict[str, Any]:
            function = loaded(tx, reference)
            alias = _alias(function, reference.key, params["Name"])
            check_revision(alias["RevisionId"], params.get("RevisionId"))
            return _save(tx, function, alias, params)

        return await self.catalog.change(reference.key, write)

    @operation("GetAlias")
    async def get_alias(self, call: Call, params: "t.GetAliasRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"])
        return _alias(self.catalog.get(reference), reference.key, params["Name"])

    @operation("ListAliases")
    async def list_aliases(self, call: Call, params: "t.ListAliasesRequestTypeDef") -> dict[str, Any]:
        function = self.catalog.get(parse_reference(call, params["FunctionName"]))
        version = params.get("FunctionVersion")
        aliases = [
            alias
            for _, alias in sorted(function.aliases.items())
            if version is None or version == alias["FunctionVersion"] or version in _weights(alias)
        ]
        found, more = page(aliases, params, lambda alias: alias["Name"])
        return {"Aliases": found, **more}

    @operation("DeleteAlias")
    async def delete_alias(self, call: Call, params: "t.DeleteAliasRequestTypeDef") -> None:
        """No error for an alias that does not exist, as on AWS."""
        reference, name = parse_reference(call, params["FunctionName"]), params["Name"]

        def write(tx: Transaction) -> None:
            loaded(tx, reference)
            bindings = (reference.key.account, reference.key.region, reference.key.name, name)
            tx.execute("DELETE FROM alias WHERE account = ? AND region = ? AND name = ? AND alias = ?", bindings)
            for table in ("policy", "event_invoke", "function_url", "provisioned"):
                delete_setting(tx, table, Reference(reference.key, name))

        await self.catalog.change(reference.key, write)


def _save(tx: Transaction, function: Function, alias: dict[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    key = function.key
    for member in ("FunctionVersion", "Description"):
        if member in params:
            alias[member] = params[member]
    if "RoutingConfig" in params:
        alias["RoutingConfig"] = params["RoutingConfig"]
    if not _weights(alias):
        alias.pop("RoutingConfig", None)
    _check_versions(function, alias)
    alias["RevisionId"] = str(uuid.uuid4())
    tx.execute(
        "INSERT INTO alias (account, region, name, alias, configuration) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET configuration = excluded.configuration",
        (key.account, key.region, key.name, alias["Name"], orjson.dumps(alias)),
    )
    return alias


def _check_versions(function: Function, alias: dict[str, Any]) -> None:
    weights = _weights(alias)
    for version in (alias["FunctionVersion"], *weights):
        if version not in function.versions:
            raise function_not_found(f"{function.key.arn}:{version}")
    if not weights:
        return
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if LATEST in (alias["FunctionVersion"], *weights):
        raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    if alias["FunctionVersion"] in weights:
        raise invalid(
            f"Invalid function version {alias['FunctionVersion']}. Function version {alias['FunctionVersion']} is"
            " already included in routing configuration."
        )
    if not all(0.0 <= weight <= 1.0 for weight in weights.values()):
        raise invalid("The weight of a version must be between 0.0 and 1.0")


def _weights(alias: Mapping[str, Any]) -> dict[str, float]:
    return alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})


def _alias(function: Function, key: FunctionKey, name: str) -> dict[str, Any]:
    alias = function.aliases.get(name)
    if alias is None:
        arn = Reference(key, name).arn
        raise AwsError(
            "ResourceNotFoundException", f"Cannot find alias arn: {arn}", status=404, fields={"Type": "User"}
        )
    return alias
