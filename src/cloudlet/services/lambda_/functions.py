"""Operations on functions: create, update, read, list, delete; their versions, concurrency and tags."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.lambda_ import configuration as rules
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import Function, Version, delete_setting, load_function, loaded, save_version
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.destinations import check_dead_letters
from cloudlet.services.lambda_.layer_permissions import layer_policy
from cloudlet.services.lambda_.names import LATEST, FunctionKey, Reference, function_not_found, parse_reference
from cloudlet.services.lambda_.packages import LARGEST_UNZIPPED, Package, check_upload_size
from cloudlet.services.lambda_.paging import page
from cloudlet.services.lambda_.roles import SERVICE
from cloudlet.services.lambda_.runtimes import check_runtime
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

# What may differ between two versions without a difference in what they do.
_VOLATILE = frozenset({"Version", "LastModified", "RevisionId", "Description"})


class FunctionOperations(LambdaBase):
    @operation("CreateFunction")
    async def create_function(self, call: Call, params: "t.CreateFunctionRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"])
        key = reference.key
        rules.check_name(key.name)
        rules.check_options(params)
        if "Runtime" not in params or "Handler" not in params:
            raise invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
        await check_runtime(self.runtime, params["Runtime"])
        if self.catalog.find(key) is not None:
            raise _already_exists(key)
        self.cloud.authorise_passing(call, params["Role"], SERVICE)
        await self.roles.check(key, params["Role"])
        await check_dead_letters(self.roles, key, params["Role"], params.get("DeadLetterConfig", {}))
        self.runtime.warm_up(params["Runtime"])
        signing = params.get("CodeSigningConfigArn")
        self.check_signature(signing, key.arn)
        package = await self._package(call, params["Code"], "CreateFunction")
        created = rules.new_configuration(key.name, params)
        created["Layers"] = self._layers(call, params.get("Layers", []), package)
        _name_package(created, package)
        rules.touch(created, call.time)

        def write(tx: Transaction) -> dict[str, Any]:
            if load_function(tx, key) is not None:
                raise _already_exists(key)
            self.packages.record(tx, package)
            tx.execute(
                "INSERT INTO function (account, region, name, tags, code_signing) VALUES (?, ?, ?, ?, ?)",
                (key.account, key.region, key.name, orjson.dumps(params.get("Tags", {})), signing),
            )
            save_version(tx, key, Version(LATEST, created, package.sha256))
            if params.get("Publish"):
                return _publish(tx, loaded(tx, reference), None, call.time)
            return created

        return _shown(key, await self.catalog.change(key, write), qualified=bool(params.get("Publish")))

    @operation("UpdateFunctionCode")
    async def update_function_code(self, call: Call, params: "t.UpdateFunctionCodeRequestTypeDef") -> dict[str, Any]:
        reference = _unqualified(parse_reference(call, params["FunctionName"]))
        if "ImageUri" in params:
            raise invalid("Please don't provide ImageUri when updating a function with packageType Zip.")
        self.check_signature(self.catalog.get(reference).code_signing, reference.arn)
        package = await self._package(call, params, "UpdateFunctionCode")

        def change(tx: Transaction, function: Function) -> Version:
            self.packages.record(tx, package)
            _name_package(function.latest.configuration, package)
            if "Architectures" in params:
                function.latest.configuration["Architectures"] = params["Architectures"]
            return Version(LATEST, function.latest.configuration, package.sha256)

        if params.get("DryRun"):
            dry = load_function(self.store.reader, reference.key)
            if dry is None:
                raise function_not_found(reference.arn)
            rules.check_revision(dry.latest.configuration["RevisionId"], params.get("RevisionId"))
            _name_package(dry.latest.configuration, package)
            return _shown(reference.key, dry.latest.configuration)
        return await self._update(call, reference, params, change)

    @operation("UpdateFunctionConfiguration")
    async def update_function_configuration(
        self, call: Call, params: "t.UpdateFunctionConfigurationRequestTypeDef"
    ) -> dict[str, Any]:
        reference = _unqualified(parse_reference(call, params["FunctionName"]))
        rules.check_options(params)
        if "Runtime" in params:
            await check_runtime(self.runtime, params["Runtime"])
        function = self.catalog.get(reference)
        if params.get("Layers"):
            self.check_signature(function.code_signing, reference.arn)
        package = self.packages.find(function.latest.package)
        layers = self._layers(call, params["Layers"], package) if "Layers" in params else None
        if "Role" in params:
            self.cloud.authorise_passing(call, params["Role"], SERVICE)
            await self.roles.check(reference.key, params["Role"])
        role = params.get("Role", function.latest.configuration["Role"])
        await check_dead_letters(self.roles, reference.key, role, params.get("DeadLetterConfig", {}))

        def change(tx: Transaction, function: Function) -> Version:
            rules.apply_options(function.latest.configuration, params)
            if layers is not None:
                function.latest.configuration["Layers"] = layers
            return function.latest

        return await self._update(call, reference, params, change)

    @operation("GetFunction")
    async def get_function(self, call: Call, params: "t.GetFunctionRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        function = self.catalog.get(reference)
        version = resolve(function, reference)
        package = self.packages.find(version.package)
        assert package is not None
        answer: dict[str, Any] = {
            "Configuration": _shown(reference.key, version.configuration, reference.qualifier),
            "Code": {"RepositoryType": "S3", "Location": self.download_url(package, call.time)},
        }
        if function.tags:
            answer["Tags"] = function.tags
        if function.reserved is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return answer

    @operation("GetFunctionConfiguration")
    async def get_function_configuration(
        self, call: Call, params: "t.GetFunctionConfigurationRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        version = resolve(self.catalog.get(reference), reference)
        return _shown(reference.key, version.configuration, reference.qualifier)

    @operation("ListFunctions")
    async def list_functions(self, call: Call, params: "t.ListFunctionsRequestTypeDef") -> dict[str, Any]:
        shown: list[dict[str, Any]] = []
        every = params.get("FunctionVersion") == "ALL"
        for function in self.catalog.list(call.account, call.region):
            versions = [function.latest, *function.published()] if every else [function.latest]
            shown += [
                _shown(function.key, version.configuration, version.version if every else None) for version in versions
            ]
        found, more = page(shown, params, lambda entry: entry["FunctionArn"])
        return {"Functions": [_without_state(entry) for entry in found], **more}

    @operation("DeleteFunction")
    async def delete_function(self, call: Call, params: "t.DeleteFunctionRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        key, qualifier = reference.key, reference.qualifier
        if qualifier == LATEST:
            raise invalid("$LATEST version cannot be deleted without deleting the function.")

        def write(tx: Transaction) -> list[str]:
            function = loaded(tx, reference)
            if qualifier is None:
                tx.execute("DELETE FROM function WHERE account = ? AND region = ? AND name = ?", _bindings(key))
                return list(function.versions)
            if qualifier not in function.versions:
                raise function_not_found(reference.arn)
            _check_no_alias(function, qualifier)
            tx.execute(
                "DELETE FROM version WHERE account = ? AND region = ? AND name = ? AND version = ?",
                (*_bindings(key), qualifier),
            )
            for table in ("policy", "event_invoke", "provisioned", "runtime_management"):
                delete_setting(tx, table, reference)
            return [qualifier]

        for version in await self.catalog.change(key, write):
            self.runtime.retire(f"{key.arn}:{version}")
        return {"StatusCode": 204}

    @operation("PublishVersion")
    async def publish_version(self, call: Call, params: "t.PublishVersionRequestTypeDef") -> dict[str, Any]:
        reference = _unqualified(parse_reference(call, params["FunctionName"]))
        if "PublishTo" in params:
            raise invalid("PublishTo is for functions with a capacity provider only.")

        def write(tx: Transaction) -> dict[str, Any]:
            function = loaded(tx, reference)
            latest = function.latest.configuration
            rules.check_revision(latest["RevisionId"], params.get("RevisionId"))
            wanted = params.get("CodeSha256")
            if wanted and wanted != latest["CodeSha256"]:
                raise invalid(
                    f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({latest['CodeSha256']})."
                    " Please try again with the CodeSHA256 in $LATEST."
                )
            return _publish(tx, function, params.get("Description"), call.time)

        return _shown(reference.key, await self.catalog.change(reference.key, write), qualified=True)

    @operation("ListVersionsByFunction")
    async def list_versions_by_function(
        self, call: Call, params: "t.ListVersionsByFunctionRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"])
        function = self.catalog.get(reference)
        found, more = page([function.latest, *function.published()], params, lambda version: version.version)
        shown = [_without_state(_shown(function.key, v.configuration, v.version)) for v in found]
        return {"Versions": shown, **more}

    def check_signature(self, config_arn: str | None, function_arn: str) -> None:
        """Raises CodeVerificationFailedException where the function's code has to be signed."""
        raise NotImplementedError

    def download_url(self, package: Package, now: float) -> str:
        """Where the zip file can be had for ten minutes."""
        raise NotImplementedError

    async def _package(self, call: Call, code: Mapping[str, Any], name: str) -> Package:
        if "ZipFile" in code:
            check_upload_size(code["ZipFile"], name)
            return await self.packages.add(code["ZipFile"])
        return await self.packages.add(await self._object(call, code))

    async def _object(self, call: Call, code: Mapping[str, Any]) -> bytes:
        """A package in S3, read with the caller's own rights."""
        if "S3Bucket" not in code or "S3Key" not in code:
            raise invalid("Please provide a source for function code.")
        wanted = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
        if "S3ObjectVersion" in code:
            wanted["VersionId"] = code["S3ObjectVersion"]
        try:
            answer = await self.cloud.call("s3", "GetObject", wanted, as_=call.principal, region=call.region)
        except AwsError as error:
            raise invalid(
                f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
            ) from None
        body = answer["Body"]
        return body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])

    def _layers(self, call: Call, arns: Sequence[str], package: Package | None) -> list[dict[str, Any]]:
        """As FunctionConfiguration shows them. Raises InvalidParameterValueException for what does not exist."""
        layers: list[dict[str, Any]] = []
        total = package.unzipped if package is not None else 0
        for arn in arns:
            self._check_layer_access(call, arn)
            layer = self.layer_package(arn)
            if layer is None:
                raise invalid(f"Layer version {arn} does not exist.")
            total += layer.unzipped
            layers.append({"Arn": arn, "CodeSize": layer.size})
        if total > LARGEST_UNZIPPED:
            raise invalid(
                "Function code combined with layers exceeds the maximum allowed size of"
                f" {LARGEST_UNZIPPED} bytes. The actual size is {total} bytes."
            )
        return layers

    def _check_layer_access(self, call: Call, arn: str) -> None:
        """Whoever may change the function may use the layers of its account; another's policy has to allow it."""
        account = arn.split(":")[4]
        if account != call.account:
            asked = replace(call, operation="GetLayerVersion", account=account)
            self.cloud.authoriser.authorise(asked, arn, layer_policy(self.store.reader, arn))

    def layer_package(self, arn: str, *, deleted: bool = False) -> Package | None:
        """The package of a layer version, None if there is none; a deleted one only if asked for."""
        raise NotImplementedError

    async def _update(self, call: Call, reference: Reference, params: Mapping[str, Any], change: Any) -> dict[str, Any]:
        """Changes $LATEST; with Publish, answers with the version that it becomes."""
        publish = bool(params.get("Publish"))

        def write(tx: Transaction) -> dict[str, Any]:
            function = loaded(tx, reference)
            rules.check_revision(function.latest.configuration["RevisionId"], params.get("RevisionId"))
            version = change(tx, function)
            rules.touch(version.configuration, call.time)
            save_version(tx, reference.key, version)
            if publish:
                return _publish(tx, loaded(tx, reference), None, call.time)
            return version.configuration

        changed = await self.catalog.change(reference.key, write)
        self.runtime.warm_up(changed["Runtime"])
        return _shown(reference.key, changed, qualified=publish)


def resolve(function: Function, reference: Reference) -> Version:
    """The version that a qualifier names, through an alias its main one. Raises ResourceNotFoundException."""
    qualifier = reference.qualifier or LATEST
    alias = function.aliases.get(qualifier)
    version = function.versions.get(alias["FunctionVersion"] if alias is not None else qualifier)
    if version is None:
        raise function_not_found(reference.arn)
    return version


def _publish(tx: Transaction, function: Function, description: str | None, now: float) -> dict[str, Any]:
    """A numbered version of $LATEST, or the last one where nothing has changed since."""
    latest, published = function.latest, function.published()
    if published and published[-1].package == latest.package and _same(published[-1], latest):
        return published[-1].configuration
    configuration = {**latest.configuration, "Version": str(function.next_version)}
    if description is not None:
        configuration["Description"] = description
    rules.touch(configuration, now)
    configuration["LastModified"] = latest.configuration["LastModified"]
    save_version(tx, function.key, Version(configuration["Version"], configuration, latest.package))
    tx.execute(
        "UPDATE function SET next_version = next_version + 1 WHERE account = ? AND region = ? AND name = ?",
        _bindings(function.key),
    )
    return configuration


def _same(one: Version, other: Version) -> bool:
    def lasting(version: Version) -> dict[str, Any]:
        return {name: value for name, value in version.configuration.items() if name not in _VOLATILE}

    return lasting(one) == lasting(other)


def _shown(
    key: FunctionKey, configuration: Mapping[str, Any], qualifier: str | None = None, *, qualified: bool = False
) -> dict[str, Any]:
    """FunctionConfiguration as the API answers it, with the ARN by which it was asked for."""
    if qualified:
        qualifier = configuration["Version"]
    shown = {**configuration, "FunctionArn": key.arn if qualifier is None else f"{key.arn}:{qualifier}"}
    if not shown.get("Layers"):
        shown.pop("Layers", None)
    return shown


def _without_state(shown: dict[str, Any]) -> dict[str, Any]:
    """Lists do not tell the state."""
    return {name: value for name, value in shown.items() if name not in ("State", "LastUpdateStatus")}


def _name_package(configuration: dict[str, Any], package: Package) -> None:
    configuration["CodeSize"] = package.size
    configuration["CodeSha256"] = package.code_sha256


def _unqualified(reference: Reference) -> Reference:
    if reference.qualifier not in (None, LATEST):
        raise invalid("This operation is permitted only on the $LATEST version of a function.")
    return Reference(reference.key, None)


def _check_no_alias(function: Function, version: str) -> None:
    for alias in function.aliases.values():
        if version == alias["FunctionVersion"] or version in alias.get("RoutingConfig", {}).get(
            "AdditionalVersionWeights", {}
        ):
            raise AwsError(
                "ResourceConflictException", f"Version {version} is referenced by alias {alias['Name']}.", status=409
            )


def _already_exists(key: FunctionKey) -> AwsError:
    return AwsError("ResourceConflictException", f"Function already exist: {key.name}", status=409)


def _bindings(key: FunctionKey) -> tuple[str, str, str]:
    return key.account, key.region, key.name
