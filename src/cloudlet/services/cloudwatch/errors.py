"""CloudWatch's errors, in its own words."""

from cloudlet.core.errors import AwsError


def invalid_value(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)


def invalid_combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombinationException", message)


def missing_parameter(message: str) -> AwsError:
    return AwsError("MissingRequiredParameterException", message)


def validation_error(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def invalid_next_token() -> AwsError:
    return AwsError("InvalidNextToken", "Invalid NextToken")


def unknown_alarm(name: str) -> AwsError:
    return AwsError("ResourceNotFound", f"Unknown alarm: {name}")
