"""CloudFormation: stacks made of templates, step by step and durably."""

from cloudlet.services.cloudformation.service import CloudFormation

__all__ = ["CloudFormation"]
