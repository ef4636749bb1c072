"""Functions and what belongs to them: URLs, permissions, event source mappings and code signing."""

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.resources.function_code import function_code
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    present,
    removed_tags,
    tag_map,
)

# What the configuration returns to when a property is taken out of the template.
_CONFIGURATION = {
    "DeadLetterConfig": {"TargetArn": ""},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "Handler": None,
    "Layers": [],
    "LoggingConfig": {"LogFormat": "Text"},
    "MemorySize": 128,
    "Role": None,
    "Runtime": None,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}
# What is taken over at creation and by the configuration as it is; the function says what it cannot do.
_PASSED_ON = ("FileSystemConfigs", "ImageConfig", "SnapStart", "VpcConfig")


class Function(ResourceType):
    type = "AWS::Lambda::Function"
    properties = frozenset(
        (
            *_CONFIGURATION,
            *_PASSED_ON,
            "Architectures",
            "Code",
            "CodeSigningConfigArn",
            "FunctionName",
            "KmsKeyArn",
            "PackageType",
            "RecursiveLoop",
            "ReservedConcurrentExecutions",
            "RuntimeManagementConfig",
            "Tags",
        )
    )
    required = frozenset(("Code", "Role"))
    immutable = frozenset(("FunctionName", "PackageType"))
    name_property = "FunctionName"
    longest_name = 64
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        found = await context.call_if_there("lambda", "GetFunctionConfiguration", {"FunctionName": name})
        return name if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = present(
            properties, *_CONFIGURATION, *_PASSED_ON, "Architectures", "CodeSigningConfigArn", "PackageType"
        )
        if "KmsKeyArn" in properties:
            params["KMSKeyArn"] = properties["KmsKeyArn"]
        params |= {"FunctionName": name, "Code": function_code(properties)}
        if "Tags" in properties:
            params["Tags"] = tag_map(properties)
        await context.call("lambda", "CreateFunction", params)
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self._reserve(context, physical_id, {}, properties)
        await self._set_up(context, physical_id, {}, properties)

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Arn": _arn(context, physical_id)}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self._set_up(context, physical_id, before, after)
        if changed(before, after, "Code", "Architectures"):
            params = {"FunctionName": physical_id, **function_code(after), **present(after, "Architectures")}
            await context.call("lambda", "UpdateFunctionCode", params)
        wanted = {
            name: after.get(name, default) for name, default in _CONFIGURATION.items() if changed(before, after, name)
        }
        wanted |= present(after, *(name for name in _PASSED_ON if changed(before, after, name)))
        if changed(before, after, "KmsKeyArn"):
            wanted["KMSKeyArn"] = after.get("KmsKeyArn", "")
        if wanted:
            await context.call("lambda", "UpdateFunctionConfiguration", {"FunctionName": physical_id, **wanted})
        await self._reserve(context, physical_id, before, after)
        arn = _arn(context, physical_id)
        if gone := removed_tags(before, after):
            await context.call("lambda", "UntagResource", {"Resource": arn, "TagKeys": gone})
        if tag_map(before) != tag_map(after) and tag_map(after):
            await context.call("lambda", "TagResource", {"Resource": arn, "Tags": tag_map(after)})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("lambda", "DeleteFunction", {"FunctionName": physical_id})

    async def _set_up(self, context: Context, name: str, before: Properties, after: Properties) -> None:
        """What operations of their own set."""
        function = {"FunctionName": name}
        if changed(before, after, "RecursiveLoop"):
            loop = {"RecursiveLoop": after.get("RecursiveLoop", "Terminate")}
            await context.call("lambda", "PutFunctionRecursionConfig", function | loop)
        if changed(before, after, "RuntimeManagementConfig"):
            management = after.get("RuntimeManagementConfig", {"UpdateRuntimeOn": "Auto"})
            await context.call("lambda", "PutRuntimeManagementConfig", function | management)
        if before and changed(before, after, "CodeSigningConfigArn"):
            if "CodeSigningConfigArn" in after:
                signing = present(after, "CodeSigningConfigArn")
                await context.call("lambda", "PutFunctionCodeSigningConfig", function | signing)
            else:
                await context.call("lambda", "DeleteFunctionCodeSigningConfig", function)

    async def _reserve(self, context: Context, name: str, before: Properties, after: Properties) -> None:
        if not changed(before, after, "ReservedConcurrentExecutions"):
            return
        reserved = after.get("ReservedConcurrentExecutions")
        if reserved is None:
            await context.call("lambda", "DeleteFunctionConcurrency", {"FunctionName": name})
        else:
            params = {"FunctionName": name, "ReservedConcurrentExecutions": reserved}
            await context.call("lambda", "PutFunctionConcurrency", params)


class Permission(ResourceType):
    type = "AWS::Lambda::Permission"
    properties = frozenset(
        (
            "Action",
            "EventSourceToken",
            "FunctionName",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
            "Principal",
            "PrincipalOrgID",
            "SourceAccount",
            "SourceArn",
        )
    )
    required = frozenset(("Action", "FunctionName", "Principal"))
    immutable = properties
    longest_name = 100

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        try:
            await context.call("lambda", "AddPermission", {"StatementId": name, **properties})
        except AwsError as error:
            # The statement's id is ours alone: if it is there, this was begun before a crash.
            if error.code != "ResourceConflictException":
                raise
        return name

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Id": physical_id}

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"FunctionName": properties["FunctionName"], "StatementId": physical_id}
        await context.call("lambda", "RemovePermission", params)


class EventSourceMapping(ResourceType):
    type = "AWS::Lambda::EventSourceMapping"
    _changeable = (
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "Enabled",
        "FilterCriteria",
        "FunctionName",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "ScalingConfig",
        "TumblingWindowInSeconds",
    )
    # Of sources, or of options, that mappings do not have: the API says so.
    _others = (
        "AmazonManagedKafkaEventSourceConfig",
        "DocumentDBEventSourceConfig",
        "KmsKeyArn",
        "LoggingConfig",
        "MetricsConfig",
        "ProvisionedPollerConfig",
        "Queues",
        "SelfManagedEventSource",
        "SelfManagedKafkaEventSourceConfig",
        "SourceAccessConfigurations",
        "Topics",
    )
    properties = frozenset(
        (*_changeable, *_others, "EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "Tags")
    )
    required = frozenset(("FunctionName",))
    immutable = frozenset(("EventSourceArn", "StartingPosition", "StartingPositionTimestamp"))
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        params = present(properties, "EventSourceArn", "FunctionName")
        answer = await context.call("lambda", "ListEventSourceMappings", params)
        return next((each["UUID"] for each in answer.get("EventSourceMappings", [])), None)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = {key: value for key, value in properties.items() if key not in ("KmsKeyArn", "Tags")}
        if "KmsKeyArn" in properties:
            params["KMSKeyArn"] = properties["KmsKeyArn"]
        if "Tags" in properties:
            params["Tags"] = tag_map(properties)
        answer = await context.call("lambda", "CreateEventSourceMapping", params)
        return answer["UUID"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Id": physical_id, "EventSourceMappingArn": self._arn(context, physical_id)}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        wanted = present(after, *(name for name in self._changeable if changed(before, after, name)))
        defaults = {"Enabled": True, "FilterCriteria": {}, "FunctionResponseTypes": [], "DestinationConfig": {}}
        wanted |= {name: value for name, value in defaults.items() if name in before and name not in after}
        if wanted:
            await context.call("lambda", "UpdateEventSourceMapping", {"UUID": physical_id, **wanted})
        arn = self._arn(context, physical_id)
        if gone := removed_tags(before, after):
            await context.call("lambda", "UntagResource", {"Resource": arn, "TagKeys": gone})
        if tag_map(before) != tag_map(after) and tag_map(after):
            await context.call("lambda", "TagResource", {"Resource": arn, "Tags": tag_map(after)})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("lambda", "DeleteEventSourceMapping", {"UUID": physical_id})

    @staticmethod
    def _arn(context: Context, physical_id: str) -> str:
        return f"arn:aws:lambda:{context.region}:{context.account}:event-source-mapping:{physical_id}"


class EventInvokeConfig(ResourceType):
    type = "AWS::Lambda::EventInvokeConfig"
    properties = frozenset(
        ("DestinationConfig", "FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "Qualifier")
    )
    required = frozenset(("FunctionName", "Qualifier"))
    immutable = frozenset(("FunctionName", "Qualifier"))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return await self.create(context, name, properties)  # putting it again changes nothing

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await context.call("lambda", "PutFunctionEventInvokeConfig", properties)
        return f"{properties['FunctionName']}|{properties['Qualifier']}"

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.create(context, physical_id, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call(
            "lambda", "DeleteFunctionEventInvokeConfig", present(properties, "FunctionName", "Qualifier")
        )


class Url(ResourceType):
    type = "AWS::Lambda::Url"
    properties = frozenset(("AuthType", "Cors", "InvokeMode", "Qualifier", "TargetFunctionArn"))
    required = frozenset(("AuthType", "TargetFunctionArn"))
    immutable = frozenset(("Qualifier", "TargetFunctionArn"))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        answer = await context.call_if_there("lambda", "GetFunctionUrlConfig", self._function(properties))
        return answer["FunctionArn"] if answer is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = self._function(properties) | present(properties, "AuthType", "Cors", "InvokeMode")
        answer = await context.call("lambda", "CreateFunctionUrlConfig", params)
        return answer["FunctionArn"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        answer = await context.call("lambda", "GetFunctionUrlConfig", self._function(properties))
        return {"FunctionArn": physical_id, "FunctionUrl": answer["FunctionUrl"]}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        wanted = {"Cors": {}, "InvokeMode": "BUFFERED"} | present(after, "AuthType", "Cors", "InvokeMode")
        await context.call("lambda", "UpdateFunctionUrlConfig", self._function(after) | wanted)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("lambda", "DeleteFunctionUrlConfig", self._function(properties))

    @staticmethod
    def _function(properties: Properties) -> Properties:
        return {"FunctionName": properties["TargetFunctionArn"], **present(properties, "Qualifier")}


class CodeSigningConfig(ResourceType):
    type = "AWS::Lambda::CodeSigningConfig"
    _changeable = ("AllowedPublishers", "CodeSigningPolicies", "Description")
    properties = frozenset((*_changeable, "Tags"))
    required = frozenset(("AllowedPublishers",))
    tags = "list"

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = present(properties, *self._changeable) | {"Tags": tag_map(properties)}
        answer = await context.call("lambda", "CreateCodeSigningConfig", params)
        return answer["CodeSigningConfig"]["CodeSigningConfigArn"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"CodeSigningConfigArn": physical_id, "CodeSigningConfigId": physical_id.rsplit(":", 1)[1]}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        defaults = {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"}, "Description": ""}
        params = defaults | present(after, *self._changeable)
        await context.call("lambda", "UpdateCodeSigningConfig", {"CodeSigningConfigArn": physical_id, **params})
        if gone := removed_tags(before, after):
            await context.call("lambda", "UntagResource", {"Resource": physical_id, "TagKeys": gone})
        if tag_map(before) != tag_map(after) and tag_map(after):
            await context.call("lambda", "TagResource", {"Resource": physical_id, "Tags": tag_map(after)})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("lambda", "DeleteCodeSigningConfig", {"CodeSigningConfigArn": physical_id})


def _arn(context: Context, name: str) -> str:
    return f"arn:aws:lambda:{context.region}:{context.account}:function:{name}"


TYPES = (
    CodeSigningConfig,
    EventInvokeConfig,
    EventSourceMapping,
    Function,
    Permission,
    Url,
)
