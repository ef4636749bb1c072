"""A deployment worked out: its template with values, over the stack's resources as they are."""

from collections.abc import Callable
from typing import Any

from cloudlet.services.cloudformation import parameters
from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.graph import dependencies
from cloudlet.services.cloudformation.intrinsics import Evaluator, text
from cloudlet.services.cloudformation.records import Deployment, Resource
from cloudlet.services.cloudformation.resources import ResourceType, exists, resource_type
from cloudlet.services.cloudformation.template import Definition, Template, read

Exports = Callable[[str], str]


class Plan:
    """What a stack's resources are to be.

    `resources` holds what exists, by logical id, and grows as the deployer goes on. `exports` gives an export's value;
    the names asked for are kept in `imports`.
    """

    def __init__(
        self,
        deployment: Deployment,
        *,
        stack_id: str,
        stack_name: str,
        account: str,
        region: str,
        resources: dict[str, Resource],
        exports: Exports,
    ) -> None:
        self.deployment = deployment
        self.template: Template = read(deployment.body)
        self.resources = resources
        self.imports: set[str] = set()
        self._exports = exports
        values = parameters.typed(self.template, deployment.parameters)
        self.evaluator = Evaluator(
            self.template,
            {**values, **pseudo_parameters(stack_id, stack_name, account, region)},
            self,
            self._exported,
        )
        check_types(self.template)
        self.graph = dependencies(self.template, self.evaluator)

    def ref(self, logical_id: str) -> Any:
        return self.resources[logical_id].physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        found = self.resources[logical_id].attributes
        if name not in found:
            raise validation_error(
                f"Template error: resource {logical_id} does not support attribute type {name} in Fn::GetAtt"
            )
        return found[name]

    def definition(self, logical_id: str) -> Definition:
        return self.template.resources[logical_id]

    def kind(self, logical_id: str) -> ResourceType:
        return resource_type(self.template.resources[logical_id].type)

    def properties(self, logical_id: str) -> dict[str, Any]:
        """The resource's properties with all functions evaluated; raises AwsError if the type does not take them."""
        kind = self.kind(logical_id)
        values = self.evaluator.value(self.definition(logical_id).properties)
        kind.check(values)
        return kind.with_stack_tags(values, self.deployment.tags)

    def outputs(self) -> list[dict[str, Any]]:
        """The outputs as DescribeStacks gives them, those left out whose condition does not hold."""
        found: list[dict[str, Any]] = []
        for key, declared in self.template.outputs.items():
            if "Condition" in declared and not self.evaluator.condition(declared["Condition"]):
                continue
            value = self.evaluator.value(declared["Value"])
            if isinstance(value, dict | list):
                raise validation_error(
                    f"Template format error: Output {key} is malformed. The Value field of every Outputs member must "
                    "evaluate to a String."
                )
            output = {"OutputKey": key, "OutputValue": text(value)}
            if "Description" in declared:
                output["Description"] = text(declared["Description"])
            if "Export" in declared:
                output["ExportName"] = text(self.evaluator.value(declared["Export"]["Name"]))
            found.append(output)
        return found

    def _exported(self, name: str) -> str:
        value = self._exports(name)
        self.imports.add(name)
        return value


def pseudo_parameters(stack_id: str, stack_name: str, account: str, region: str) -> dict[str, Any]:
    """AWS::URLSuffix stays AWS's own: templates put it into the names of service principals."""
    return {
        "AWS::AccountId": account,
        "AWS::NotificationARNs": [],
        "AWS::Partition": "aws",
        "AWS::Region": region,
        "AWS::StackId": stack_id,
        "AWS::StackName": stack_name,
        "AWS::URLSuffix": "amazonaws.com",
    }


def check_types(template: Template) -> None:
    """Raises ValidationError that names the types which do not exist here."""
    unknown = sorted({each.type for each in template.resources.values() if not exists(each.type)})
    if unknown:
        raise validation_error(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
