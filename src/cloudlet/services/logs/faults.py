"""The errors of CloudWatch Logs."""

from cloudlet.core.errors import AwsError


def invalid_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def no_such_group() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def no_such_stream() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")


def invalid_token() -> AwsError:
    return invalid_parameter("The specified nextToken is invalid.")
