"""SNS's errors, by the codes that its clients see."""

from cloudlet.core.errors import AwsError


def invalid_parameter(what: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {what}")


def parameter_value_invalid(message: str) -> AwsError:
    return AwsError("ParameterValueInvalid", message)


def topic_not_found() -> AwsError:
    return AwsError("NotFound", "Topic does not exist", status=404)


def subscription_not_found() -> AwsError:
    return AwsError("NotFound", "Subscription does not exist", status=404)


def resource_not_found() -> AwsError:
    return AwsError("ResourceNotFound", "Resource does not exist", status=404)


def authorization_error(message: str) -> AwsError:
    return AwsError("AuthorizationError", message, status=403)


def tag_limit_exceeded() -> AwsError:
    return AwsError("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")


def filter_policy_limit_exceeded() -> AwsError:
    return AwsError("FilterPolicyLimitExceeded", "Filter policy limit exceeded", status=403)


def empty_batch() -> AwsError:
    return AwsError("EmptyBatchRequest", "The batch request doesn't contain any entries.")


def too_many_entries() -> AwsError:
    return AwsError("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")


def ids_not_distinct() -> AwsError:
    message = "Two or more batch entries in the request have the same Id."
    return AwsError("BatchEntryIdsNotDistinct", message)


def invalid_batch_entry_id() -> AwsError:
    message = "The Id of a batch entry in a batch request doesn't abide by the specification."
    return AwsError("InvalidBatchEntryId", message)


def batch_too_long() -> AwsError:
    message = "The length of all the batch messages put together is more than the limit."
    return AwsError("BatchRequestTooLong", message)
