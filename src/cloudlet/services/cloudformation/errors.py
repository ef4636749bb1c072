"""CloudFormation's error for nearly all that is wrong with a request or a template."""

from cloudlet.core.errors import AwsError


def validation_error(message: str) -> AwsError:
    return AwsError("ValidationError", message)
