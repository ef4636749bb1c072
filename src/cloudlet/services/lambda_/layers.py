"""Operations on layers: packages that functions find unpacked under /opt."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.lambda_.configuration import timestamp
from cloudlet.services.lambda_.functions import FunctionOperations
from cloudlet.services.lambda_.layer_names import VERSION_ARN, arn_of_layer, layer_named
from cloudlet.services.lambda_.packages import Package, layers_name
from cloudlet.services.lambda_.paging import page
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t


class LayerOperations(FunctionOperations):
    @operation("PublishLayerVersion")
    async def publish_layer_version(self, call: Call, params: "t.PublishLayerVersionRequestTypeDef") -> dict[str, Any]:
        account, region, name = layer_named(call, params["LayerName"])
        package = await self._package(call, params["Content"], "PublishLayerVersion")
        published: dict[str, Any] = {
            "CreatedDate": timestamp(call.time),
            "Description": params.get("Description", ""),
            "CompatibleRuntimes": params.get("CompatibleRuntimes", []),
            "CompatibleArchitectures": params.get("CompatibleArchitectures", []),
        }
        if "LicenseInfo" in params:
            published["LicenseInfo"] = params["LicenseInfo"]

        def write(tx: Transaction) -> None:
            self.packages.record(tx, package)
            tx.execute(
                "INSERT INTO layer (account, region, name, next_version) VALUES (?, ?, ?, 2)"
                " ON CONFLICT DO UPDATE SET next_version = next_version + 1",
                (account, region, name),
            )
            row = tx.one(
                "SELECT next_version - 1 FROM layer WHERE account = ? AND region = ? AND name = ?",
                (account, region, name),
            )
            assert row is not None
            published["Version"] = row[0]
            published["LayerVersionArn"] = f"{arn_of_layer(account, region, name)}:{row[0]}"
            tx.execute(
                "INSERT INTO layer_version (account, region, name, version, configuration, package)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (account, region, name, row[0], orjson.dumps(published), package.sha256),
            )

        await self.store.write(write)
        return self._described(published, package, call.time)

    @operation("GetLayerVersion")
    async def get_layer_version(self, call: Call, params: "t.GetLayerVersionRequestTypeDef") -> dict[str, Any]:
        account, region, name = layer_named(call, params["LayerName"])
        return self._get(call, f"{arn_of_layer(account, region, name)}:{params['VersionNumber']}")

    @operation("GetLayerVersionByArn")
    async def get_layer_version_by_arn(
        self, call: Call, params: "t.GetLayerVersionByArnRequestTypeDef"
    ) -> dict[str, Any]:
        return self._get(call, params["Arn"])

    @operation("ListLayers")
    async def list_layers(self, call: Call, params: "t.ListLayersRequestTypeDef") -> dict[str, Any]:
        rows = self.store.reader.all(
            "SELECT name FROM layer WHERE account = ? AND region = ? ORDER BY name", (call.account, call.region)
        )
        layers: list[dict[str, Any]] = []
        for (name,) in rows:
            versions = self._versions(call.account, call.region, name)
            matching = _matching(versions, params.get("CompatibleRuntime"), params.get("CompatibleArchitecture"))
            if matching:
                arn = arn_of_layer(call.account, call.region, name)
                layers.append({"LayerName": name, "LayerArn": arn, "LatestMatchingVersion": matching[0]})
        found, more = page(layers, params, lambda layer: layer["LayerName"])
        return {"Layers": found, **more}

    @operation("ListLayerVersions")
    async def list_layer_versions(self, call: Call, params: "t.ListLayerVersionsRequestTypeDef") -> dict[str, Any]:
        versions = self._versions(*layer_named(call, params["LayerName"]))
        matching = _matching(versions, params.get("CompatibleRuntime"), params.get("CompatibleArchitecture"))
        found, more = page(matching, params, lambda version: str(version["Version"]))
        return {"LayerVersions": found, **more}

    @operation("DeleteLayerVersion")
    async def delete_layer_version(self, call: Call, params: "t.DeleteLayerVersionRequestTypeDef") -> None:
        """Functions that have the version keep it."""
        bindings = (*layer_named(call, params["LayerName"]), params["VersionNumber"])
        await self.store.write(
            lambda tx: tx.execute(
                "UPDATE layer_version SET deleted = 1 WHERE account = ? AND region = ? AND name = ? AND version = ?",
                bindings,
            )
        )

    def layer_package(self, arn: str, *, deleted: bool = False) -> Package | None:
        found = self._find(arn, deleted=deleted)
        return None if found is None else self.packages.find(found[1])

    def layers_of(self, configuration: Mapping[str, Any]) -> list[str]:
        """The packages of a function's layers, in their order."""
        packages = [self.layer_package(layer["Arn"], deleted=True) for layer in configuration.get("Layers", [])]
        return [package.sha256 for package in packages if package is not None]

    def layer_folders(self) -> set[str]:
        """The names of the folders that versions of functions need for their layers."""
        rows = self.store.reader.rows("SELECT configuration FROM version")
        needed = (self.layers_of(orjson.loads(configuration)) for (configuration,) in rows)
        return {layers_name(packages) for packages in needed if packages}

    def _find(self, arn: str, *, deleted: bool = False) -> tuple[dict[str, Any], str] | None:
        match = VERSION_ARN.fullmatch(arn)
        if match is None:
            return None
        row = self.store.reader.one(
            "SELECT configuration, package FROM layer_version"
            " WHERE account = ? AND region = ? AND name = ? AND version = ? AND deleted <= ?",
            (match["account"], match["region"], match["name"], int(match["version"]), deleted),
        )
        return None if row is None else (orjson.loads(row[0]), row[1])

    def _get(self, call: Call, arn: str) -> dict[str, Any]:
        found = self._find(arn)
        package = self.packages.find(found[1]) if found is not None else None
        if found is None or package is None:
            raise AwsError(
                "ResourceNotFoundException",
                "The resource you requested does not exist.",
                status=404,
                fields={"Type": "User"},
            )
        return self._described(found[0], package, call.time)

    def _described(self, version: dict[str, Any], package: Package, now: float) -> dict[str, Any]:
        content = {
            "Location": self.download_url(package, now),
            "CodeSha256": package.code_sha256,
            "CodeSize": package.size,
        }
        return {**version, "LayerArn": version["LayerVersionArn"].rpartition(":")[0], "Content": content}

    def _versions(self, account: str, region: str, name: str) -> list[dict[str, Any]]:
        rows = self.store.reader.all(
            "SELECT configuration FROM layer_version"
            " WHERE account = ? AND region = ? AND name = ? AND NOT deleted ORDER BY version DESC",
            (account, region, name),
        )
        return [orjson.loads(configuration) for (configuration,) in rows]


def _matching(
    versions: Sequence[dict[str, Any]], runtime: str | None, architecture: str | None
) -> list[dict[str, Any]]:
    return [
        version
        for version in versions
        if (runtime is None or runtime in version["CompatibleRuntimes"])
        and (architecture is None or architecture in version["CompatibleArchitectures"])
    ]
