"""SQS's errors. Each has two names: the model's shape, and the code of the older query protocol that clients see."""

from cloudlet.core.errors import AwsError

_PREFIX = "AWS.SimpleQueueService."


class SqsError(AwsError):
    """`code` is the shape's name, as in JSON's `__type`; `query_code` is what SDKs put into `Error.Code`."""

    def __init__(self, shape: str, message: str, query_code: str | None = None) -> None:
        super().__init__(shape, message)
        self.query_code = query_code or shape


def queue_does_not_exist() -> SqsError:
    return SqsError("QueueDoesNotExist", "The specified queue does not exist.", f"{_PREFIX}NonExistentQueue")


def queue_name_exists(attribute: str) -> SqsError:
    message = f"A queue already exists with the same name and a different value for attribute {attribute}"
    return SqsError("QueueNameExists", message, "QueueAlreadyExists")


def invalid_address(url: str) -> SqsError:
    return SqsError("InvalidAddress", f"The address {url} is not valid for this endpoint.")


def invalid_attribute_name(name: str) -> SqsError:
    return SqsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid_attribute_value(name: str) -> SqsError:
    return SqsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def invalid_parameter(message: str) -> SqsError:
    return SqsError("InvalidParameterValue", message)


def invalid_value(parameter: str, value: object, reason: str) -> SqsError:
    return invalid_parameter(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def missing_parameter(name: str) -> SqsError:
    return SqsError("MissingParameter", f"The request must contain the parameter {name}.")


def receipt_handle_is_invalid(handle: str) -> SqsError:
    return SqsError("ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.')


def message_not_in_flight(handle: str) -> SqsError:
    message = (
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not "
        "available for visibility timeout change."
    )
    return SqsError("MessageNotInflight", message, f"{_PREFIX}MessageNotInflight")


def invalid_message_contents(character: str) -> SqsError:
    message = (
        f"Invalid binary character '#x{ord(character):X}' was found in the message body, the set of allowed "
        "characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )
    return SqsError("InvalidMessageContents", message)


def empty_batch(entry: str) -> SqsError:
    message = f"There should be at least one {entry} in the request."
    return SqsError("EmptyBatchRequest", message, f"{_PREFIX}EmptyBatchRequest")


def too_many_entries(count: int) -> SqsError:
    message = f"Maximum number of entries per request are 10. You have sent {count}."
    return SqsError("TooManyEntriesInBatchRequest", message, f"{_PREFIX}TooManyEntriesInBatchRequest")


def ids_not_distinct(id_: str) -> SqsError:
    return SqsError("BatchEntryIdsNotDistinct", f"Id {id_} repeated.", f"{_PREFIX}BatchEntryIdsNotDistinct")


def invalid_batch_entry_id() -> SqsError:
    message = (
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
        "It can be at most 80 letters long."
    )
    return SqsError("InvalidBatchEntryId", message, f"{_PREFIX}InvalidBatchEntryId")


def batch_too_long(limit: int, size: int) -> SqsError:
    message = f"Batch requests cannot be longer than {limit} bytes. You have sent {size} bytes."
    return SqsError("BatchRequestTooLong", message, f"{_PREFIX}BatchRequestTooLong")


def over_limit() -> SqsError:
    return SqsError("OverLimit", "The maximum number of in flight messages is reached.")


def resource_not_found(message: str) -> SqsError:
    return SqsError("ResourceNotFoundException", message)


def unsupported_operation(message: str) -> SqsError:
    return SqsError("UnsupportedOperation", message, f"{_PREFIX}UnsupportedOperation")
