"""Makes and changes stacks, each waited for."""

import json
from typing import Any


class Stack:
    """One stack, made and changed."""

    def __init__(self, server: Any, name: str) -> None:
        self.client = server.client("cloudformation")
        self.name = name

    def deploy(self, change: str, template: str | dict[str, Any]) -> dict[str, str]:
        """`change` is create or update; returns the outputs."""
        text = template if isinstance(template, str) else json.dumps(template)
        getattr(self.client, f"{change}_stack")(
            StackName=self.name, TemplateBody=text, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        )
        waiter = self.client.get_waiter(f"stack_{change}_complete")
        waiter.wait(StackName=self.name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
        found = self.client.describe_stacks(StackName=self.name)["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def delete(self) -> None:
        self.client.delete_stack(StackName=self.name)
        waiter = self.client.get_waiter("stack_delete_complete")
        waiter.wait(StackName=self.name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
