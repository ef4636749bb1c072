"""The Lambda service: opens its data, starts its queues and pollers, and gathers the operations."""

from typing import Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.service import Params
from cloudlet.services.lambda_.aliases import AliasOperations
from cloudlet.services.lambda_.base import SCHEMA
from cloudlet.services.lambda_.catalog import Catalog
from cloudlet.services.lambda_.code_signing import CodeSigningOperations
from cloudlet.services.lambda_.downloads import PATH, Downloads
from cloudlet.services.lambda_.event_sources import EventSourceOperations
from cloudlet.services.lambda_.events import Events
from cloudlet.services.lambda_.execution import Execution
from cloudlet.services.lambda_.function_urls import FunctionUrlOperations
from cloudlet.services.lambda_.invocation import InvocationOperations
from cloudlet.services.lambda_.layer_names import layer_arn
from cloudlet.services.lambda_.layer_permissions import LayerPermissionOperations, layer_policy
from cloudlet.services.lambda_.layers import LayerOperations
from cloudlet.services.lambda_.names import parse_reference
from cloudlet.services.lambda_.packages import Package, Packages
from cloudlet.services.lambda_.permissions import PermissionOperations, policy_document
from cloudlet.services.lambda_.poller import Surroundings
from cloudlet.services.lambda_.pollers import Pollers
from cloudlet.services.lambda_.provisioned import ProvisionedConcurrencyOperations, Provisioning
from cloudlet.services.lambda_.recursion import RecursionOperations
from cloudlet.services.lambda_.runtime_management import RuntimeManagementOperations
from cloudlet.services.lambda_.settings import SettingOperations
from cloudlet.services.lambda_.tags import TagOperations
from cloudlet.services.lambda_.url_serving import UrlServing, is_for_function
from cloudlet.store import Store


class Lambda(
    CodeSigningOperations,
    LayerOperations,
    LayerPermissionOperations,
    AliasOperations,
    PermissionOperations,
    ProvisionedConcurrencyOperations,
    RecursionOperations,
    RuntimeManagementOperations,
    SettingOperations,
    TagOperations,
    EventSourceOperations,
    InvocationOperations,
    FunctionUrlOperations,
):
    async def start(self) -> None:
        data = self.cloud.settings.data
        self.store = Store(data / "lambda.db", SCHEMA)
        self.catalog = Catalog(self.store)
        self.packages = Packages(self.store, data / "lambda")
        await self.packages.collect(self.layer_folders())
        self.downloads = Downloads(self.packages)
        self.execution = Execution(self.cloud, self.catalog, self.packages, self.roles, self.layers_of)
        self.runtime = self.execution.runtime
        self.runtime.start()
        self.urls = UrlServing(self.cloud, self.catalog, self.execution)
        await self.localhost_names.ask()
        self.events = Events(self.cloud, self.store, self.catalog, self.execution, self.roles)
        around = Surroundings(self.cloud, self.store, self.catalog, self.execution, self.events, self.roles)
        self.pollers = Pollers(around)
        self.provisioning = Provisioning(self.catalog, self.execution)

    async def recover(self) -> None:
        self.events.outbox.start()
        self.pollers.start()
        self.provisioning.start()
        version = self.store.reader.one("SELECT configuration FROM version LIMIT 1")
        if version is not None:
            self.runtime.warm_up(orjson.loads(version[0])["Runtime"])

    async def drain(self) -> None:
        await self.pollers.stop()
        await self.events.outbox.stop()

    async def stop(self) -> None:
        """Whoever still waits for a function hears that the runtime has stopped, and leaves its work for later."""
        await self.provisioning.stop()
        await self.runtime.stop()
        await self.pollers.stop()
        await self.events.outbox.stop()
        await self.execution.logs.stop()
        self.store.close()

    def resource(self, call: Call, params: Params) -> str | None:
        mapping = params.get("UUID")
        if mapping is not None:
            return f"arn:aws:lambda:{call.region}:{call.account}:event-source-mapping:{mapping}"
        name = params.get("FunctionName")
        if name is not None:
            return parse_reference(call, name, params.get("Qualifier")).arn
        layer = params.get("LayerName")
        if layer is not None:
            return layer_arn(call, layer, params.get("VersionNumber"))
        for member in ("Resource", "Arn", "ResourceArn", "CodeSigningConfigArn"):
            if member in params:
                return params[member]
        return "*"

    def resource_policy(self, call: Call, params: Params) -> dict[str, Any] | None:
        if call.operation in ("GetLayerVersion", "GetLayerVersionByArn"):
            return layer_policy(self.store.reader, self.resource(call, params) or "")
        if "FunctionName" not in params:
            return None
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        return policy_document(self.catalog.find(reference.key), reference)

    def condition_keys(self, call: Call, params: Params) -> dict[str, str]:
        keys: dict[str, str] = {}
        if "FunctionName" in params:
            keys["lambda:FunctionArn"] = parse_reference(call, params["FunctionName"], params.get("Qualifier")).arn
        auth_type = params.get("AuthType") or params.get("FunctionUrlAuthType")
        if auth_type is not None:
            keys["lambda:FunctionUrlAuthType"] = auth_type
        if call.operation == "AddPermission":
            keys["lambda:Principal"] = params["Principal"]
        return keys

    def serves_http(self, request: HttpRequest) -> bool:
        return request.path.startswith(PATH) or is_for_function(request)

    async def handle_http(self, request: HttpRequest, request_id: str) -> HttpResponse:
        if is_for_function(request):
            return await self.urls.answer(request, request_id)
        return await self.downloads.answer(request, self.cloud.clock.now())

    def download_url(self, package: Package, now: float) -> str:
        return self.downloads.url(self.cloud.settings.endpoint_url, package, now)
