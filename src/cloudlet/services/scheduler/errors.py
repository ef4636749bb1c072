"""The Scheduler's errors."""

from cloudlet.core.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def schedule_not_found(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Schedule {name} does not exist.")


def group_not_found(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Schedule group {name} does not exist.")


def schedule_exists(name: str) -> AwsError:
    return AwsError("ConflictException", f"Schedule {name} already exists.")


def group_exists(name: str) -> AwsError:
    return AwsError("ConflictException", f"Schedule group {name} already exists.")


def group_is_deleting(name: str) -> AwsError:
    return AwsError("ConflictException", f"Schedule group {name} is being deleted.")


def too_many_groups(most: int) -> AwsError:
    message = f"You have reached the maximum number of schedule groups ({most})."
    return AwsError("ServiceQuotaExceededException", message)


def role_not_assumable() -> AwsError:
    return invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
