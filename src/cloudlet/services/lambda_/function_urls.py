"""Operations on function URLs: an HTTP address of a function, or of an alias of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.ids import lower_id
from cloudlet.core.localhost_names import LocalhostNames
from cloudlet.core.service import Cloud, operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import Function, FunctionUrl, delete_setting, loaded
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.names import LATEST, FunctionKey, Reference, function_not_found, parse_reference
from cloudlet.services.lambda_.paging import page
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

PATH_PREFIX = "/_aws/lambda-url/"
_METHODS = frozenset(("GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"))


class FunctionUrlOperations(LambdaBase):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.localhost_names = LocalhostNames()

    @operation("CreateFunctionUrlConfig")
    async def create_function_url_config(
        self, call: Call, params: "t.CreateFunctionUrlConfigRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        _check_cors(params.get("Cors", {}))
        now = _timestamp(call.time)
        created: dict[str, Any] = {
            "FunctionArn": reference.arn,
            "AuthType": params["AuthType"],
            "CreationTime": now,
            "LastModifiedTime": now,
            "InvokeMode": params.get("InvokeMode", "BUFFERED"),
        }
        if cors := params.get("Cors"):
            created["Cors"] = cors
        url = FunctionUrl(lower_id(32), created)

        def write(tx: Transaction) -> None:
            function = loaded(tx, reference)
            _check_qualifier(function, reference)
            if (reference.qualifier or LATEST) in function.urls:
                raise AwsError(
                    "ResourceConflictException",
                    f"Failed to create function url config for [functionArn = {reference.arn}]. Error message: "
                    " FunctionUrlConfig exists for this Lambda function",
                    status=409,
                    fields={"Type": "User"},
                )
            _save(tx, reference, url)

        await self.catalog.change(reference.key, write)
        return _without(self._shown_url(reference.key, url), "LastModifiedTime")

    @operation("GetFunctionUrlConfig")
    async def get_function_url_config(
        self, call: Call, params: "t.GetFunctionUrlConfigRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        return self._shown_url(reference.key, _url(self.catalog.get(reference), reference))

    @operation("UpdateFunctionUrlConfig")
    async def update_function_url_config(
        self, call: Call, params: "t.UpdateFunctionUrlConfigRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        wanted = dict(params)
        _check_cors(params.get("Cors", {}))

        def write(tx: Transaction) -> FunctionUrl:
            url = _url(loaded(tx, reference), reference)
            for member in ("AuthType", "InvokeMode", "Cors"):
                if member in wanted:
                    url.configuration[member] = wanted[member]
            if not url.configuration.get("Cors"):
                url.configuration.pop("Cors", None)
            url.configuration["LastModifiedTime"] = _timestamp(call.time)
            _save(tx, reference, url)
            return url

        return self._shown_url(reference.key, await self.catalog.change(reference.key, write))

    @operation("DeleteFunctionUrlConfig")
    async def delete_function_url_config(self, call: Call, params: "t.DeleteFunctionUrlConfigRequestTypeDef") -> None:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))

        def write(tx: Transaction) -> None:
            _url(loaded(tx, reference), reference)
            delete_setting(tx, "function_url", reference)

        await self.catalog.change(reference.key, write)

    @operation("ListFunctionUrlConfigs")
    async def list_function_url_configs(
        self, call: Call, params: "t.ListFunctionUrlConfigsRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"])
        urls = [url for _, url in sorted(self.catalog.get(reference).urls.items())]
        found, more = page(urls, params, lambda url: url.id)
        return {"FunctionUrlConfigs": [self._shown_url(reference.key, url) for url in found], **more}

    def _shown_url(self, key: FunctionKey, url: FunctionUrl) -> dict[str, Any]:
        return {"FunctionUrl": self._address(url.id, key.region), **url.configuration}

    def _address(self, id_: str, region: str) -> str:
        """By host name where this machine resolves those under localhost, else by path."""
        settings = self.cloud.settings
        if self.localhost_names.resolve:
            return f"http://{id_}.lambda-url.{region}.localhost:{settings.port}/"
        return f"{settings.endpoint_url}{PATH_PREFIX}{id_}/"


def _check_qualifier(function: Function, reference: Reference) -> None:
    qualifier = reference.qualifier
    if qualifier is None or qualifier in function.aliases:
        return
    if qualifier == LATEST or qualifier in function.versions:
        raise invalid("A function URL can be made for a function or for an alias of it, not for a version.")
    raise function_not_found(reference.arn)


def _check_cors(cors: Mapping[str, Any]) -> None:
    for method in cors.get("AllowMethods", []):
        if method not in _METHODS:
            raise invalid(f"The method {method} is not valid in AllowMethods: it takes {', '.join(sorted(_METHODS))}.")


def _save(tx: Transaction, reference: Reference, url: FunctionUrl) -> None:
    key = reference.key
    tx.execute(
        "INSERT INTO function_url (id, account, region, name, qualifier, configuration) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET configuration = excluded.configuration",
        (url.id, key.account, key.region, key.name, reference.qualifier or LATEST, orjson.dumps(url.configuration)),
    )


def _url(function: Function, reference: Reference) -> FunctionUrl:
    url = function.urls.get(reference.qualifier or LATEST)
    if url is None:
        raise AwsError(
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
            status=404,
            fields={"Type": "User"},
        )
    return url


def _without(shown: dict[str, Any], member: str) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name != member}


def _timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
