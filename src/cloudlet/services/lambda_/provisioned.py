"""Provisioned concurrency: environments of a version that are there before anybody calls."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import (
    Catalog,
    Function,
    delete_setting,
    loaded,
    provisioned_without_reservation,
    save_setting,
)
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.execution import ACCOUNT_CONCURRENCY, LEAST_UNRESERVED, Execution
from cloudlet.services.lambda_.functions import resolve
from cloudlet.services.lambda_.names import LATEST, FunctionKey, Reference, parse_reference
from cloudlet.services.lambda_.paging import page
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

_log = logging.getLogger(__name__)

_REQUESTED = "RequestedProvisionedConcurrentExecutions"


class ProvisionedConcurrencyOperations(LambdaBase):
    execution: Execution

    @operation("PutProvisionedConcurrencyConfig")
    async def put_provisioned_concurrency_config(
        self, call: Call, params: "t.PutProvisionedConcurrencyConfigRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params["Qualifier"])
        wanted = params["ProvisionedConcurrentExecutions"]
        config = {_REQUESTED: wanted, "LastModified": _timestamp(call.time)}

        def write(tx: Transaction) -> None:
            function = loaded(tx, reference)
            _check_qualifier(function, reference)
            _check_room(tx, function, reference, wanted)
            save_setting(tx, "provisioned", reference, config)

        await self.catalog.change(reference.key, write)
        return {
            **config,
            "AllocatedProvisionedConcurrentExecutions": 0,
            "AvailableProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
        }

    @operation("GetProvisionedConcurrencyConfig")
    async def get_provisioned_concurrency_config(
        self, call: Call, params: "t.GetProvisionedConcurrencyConfigRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params["Qualifier"])
        function = self.catalog.get(reference)
        config = function.provisioned.get(params["Qualifier"])
        if config is None:
            resolve(function, reference)
            raise AwsError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
                status=404,
                fields={"Type": "User"},
            )
        return self._status(function, params["Qualifier"], config)

    @operation("ListProvisionedConcurrencyConfigs")
    async def list_provisioned_concurrency_configs(
        self, call: Call, params: "t.ListProvisionedConcurrencyConfigsRequestTypeDef"
    ) -> dict[str, Any]:
        function = self.catalog.get(parse_reference(call, params["FunctionName"]))
        found, more = page(sorted(function.provisioned.items()), params, lambda item: item[0])
        shown = [
            {"FunctionArn": f"{function.key.arn}:{qualifier}", **self._status(function, qualifier, config)}
            for qualifier, config in found
        ]
        return {"ProvisionedConcurrencyConfigs": shown, **more}

    @operation("DeleteProvisionedConcurrencyConfig")
    async def delete_provisioned_concurrency_config(
        self, call: Call, params: "t.DeleteProvisionedConcurrencyConfigRequestTypeDef"
    ) -> None:
        reference = parse_reference(call, params["FunctionName"], params["Qualifier"])

        def write(tx: Transaction) -> None:
            resolve(loaded(tx, reference), reference)
            delete_setting(tx, "provisioned", reference)

        await self.catalog.change(reference.key, write)

    def _status(self, function: Function, qualifier: str, config: Mapping[str, Any]) -> dict[str, Any]:
        version = resolve(function, Reference(function.key, qualifier)).version
        there = self.runtime.provisioned(f"{function.key.arn}:{version}")
        allocated = min(there.allocated, config[_REQUESTED])
        shown: dict[str, Any] = {
            **config,
            "AllocatedProvisionedConcurrentExecutions": allocated,
            "AvailableProvisionedConcurrentExecutions": allocated,
            "Status": "READY" if allocated == config[_REQUESTED] else "IN_PROGRESS",
        }
        if there.failure is not None and allocated < config[_REQUESTED]:
            shown |= {"Status": "FAILED", "StatusReason": there.failure}
        return shown


class Provisioning:
    """Has the runtime keep what functions have provisioned, whenever that or where an alias points changes."""

    def __init__(self, catalog: Catalog, execution: Execution) -> None:
        self._catalog = catalog
        self._execution = execution
        self._versions: dict[FunctionKey, frozenset[str]] = {}
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for row in self._catalog.store.reader.all("SELECT DISTINCT account, region, name FROM provisioned"):
            self._changed(FunctionKey(*row))
        self._catalog.changed = self._changed

    async def stop(self) -> None:
        self._catalog.changed = None
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _changed(self, key: FunctionKey) -> None:
        task = asyncio.create_task(self._provision(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _provision(self, key: FunctionKey) -> None:
        try:
            async with self._turn:
                await self._bring_about(key)
        except Exception:  # noqa: BLE001 - the boundary of a background task: logged, and tried at the next change
            _log.exception("provisioned concurrency is not there", extra={"function": key.arn})

    async def _bring_about(self, key: FunctionKey) -> None:
        function = self._catalog.find(key)
        wanted = _by_version(function) if function is not None else {}
        for name in {*wanted, *self._versions.get(key, ())}:
            version = function.versions.get(name) if function is not None else None
            if function is not None and version is not None:
                executable = await self._execution.executable(function, version)
                self._execution.runtime.provision(executable, wanted.get(name, 0))
        if wanted:
            self._versions[key] = frozenset(wanted)
        else:
            self._versions.pop(key, None)


def _by_version(function: Function) -> dict[str, int]:
    """How many environments each version is to have."""
    wanted: dict[str, int] = {}
    for qualifier, config in function.provisioned.items():
        version = resolve(function, Reference(function.key, qualifier)).version
        wanted[version] = wanted.get(version, 0) + config[_REQUESTED]
    return wanted


def _check_qualifier(function: Function, reference: Reference) -> None:
    version = resolve(function, reference).version
    if version == LATEST:
        raise invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
    alias = function.aliases.get(reference.qualifier or "")
    if alias is None:
        aliases = (function.aliases.get(qualifier) for qualifier in function.provisioned)
        if any(other is not None and other["FunctionVersion"] == version for other in aliases):
            raise invalid("Version is pointed by a Provisioned Concurrency alias")
        return
    if alias.get("RoutingConfig"):
        raise invalid("Alias with weights can not be used with Provisioned Concurrency")
    if version in function.provisioned:
        raise invalid("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")


def _check_room(tx: Transaction, function: Function, reference: Reference, wanted: int) -> None:
    others = {name: config for name, config in function.provisioned.items() if name != reference.qualifier}
    total = wanted + sum(config[_REQUESTED] for config in others.values())
    if function.reserved is not None:
        if total > function.reserved:
            raise invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for"
                " function"
            )
        return
    key = function.key
    row = tx.one(
        "SELECT coalesce(sum(reserved), 0) FROM function WHERE account = ? AND region = ?", (key.account, key.region)
    )
    taken = (row[0] if row is not None else 0) + provisioned_without_reservation(tx, key.account, key.region)
    taken -= function.provisioned_total
    if taken + total > ACCOUNT_CONCURRENCY - LEAST_UNRESERVED:
        raise invalid(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its"
            f" minimum value of [{LEAST_UNRESERVED}]."
        )


def _timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
