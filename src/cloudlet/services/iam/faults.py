"""IAM's errors."""

from cloudlet.core.errors import AwsError


def no_such_entity(message: str) -> AwsError:
    return AwsError("NoSuchEntity", message, status=404)


def not_found(kind: str, name: str) -> AwsError:
    return no_such_entity(f"The {kind} with name {name} cannot be found.")


def already_exists(message: str) -> AwsError:
    return AwsError("EntityAlreadyExists", message, status=409)


def delete_conflict(message: str) -> AwsError:
    return AwsError("DeleteConflict", message, status=409)


def limit_exceeded(message: str) -> AwsError:
    return AwsError("LimitExceeded", message, status=409)


def malformed_policy(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)


def invalid_input(message: str) -> AwsError:
    return AwsError("InvalidInput", message)


def validation_error(message: str) -> AwsError:
    return AwsError("ValidationError", message)
