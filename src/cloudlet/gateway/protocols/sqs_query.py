"""SQS as it was before it spoke JSON: names in forms and XML, and error codes, that today's model no longer has."""

from copy import deepcopy
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from cloudlet.core.http import HttpRequest

# The name of an item of each list: `AttributeName.1=All`, `<QueueUrl>…</QueueUrl>`.
_ITEMS = {
    "AWSAccountIdList": "AWSAccountId",
    "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName",
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "BinaryList": "BinaryListValue",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "QueueUrlList": "QueueUrl",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
    "StringList": "StringListValue",
    "TagKeyList": "TagKey",
}
# The name of an entry of each map, and of its key and value: `Attribute.1.Name=…&Attribute.1.Value=…`.
_ENTRIES = {
    "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
    "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
    "MessageSystemAttributeMap": ("Attribute", "Name", "Value"),
    "QueueAttributeMap": ("Attribute", "Name", "Value"),
    "TagMap": ("Tag", "Key", "Value"),
}
# Error codes where they are not the names of the shapes.
QUERY_CODES = {
    "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    "BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong",
    "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
    "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
    "KmsAccessDenied": "KMS.AccessDeniedException",
    "KmsDisabled": "KMS.DisabledException",
    "KmsInvalidKeyUsage": "KMS.InvalidKeyUsageException",
    "KmsInvalidState": "KMS.InvalidStateException",
    "KmsNotFound": "KMS.NotFoundException",
    "KmsOptInRequired": "KMS.OptInRequired",
    "KmsThrottled": "KMS.ThrottlingException",
    "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
    "PurgeQueueInProgress": "AWS.SimpleQueueService.PurgeQueueInProgress",
    "QueueDeletedRecently": "AWS.SimpleQueueService.QueueDeletedRecently",
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
}
SHAPE_OF_QUERY_CODE = {code: name for name, code in QUERY_CODES.items()}


@cache
def sqs_query_model() -> ServiceModel:
    """Today's model with the names of the query protocol put back."""
    model: dict[str, Any] = deepcopy(Loader().load_service_model("sqs", "service-2"))  # type: ignore[no-untyped-call]
    model["metadata"] |= {"protocol": "query", "xmlNamespace": "http://queue.amazonaws.com/doc/2012-11-05/"}
    shapes = model["shapes"]
    for list_name, item in _ITEMS.items():
        shapes[list_name]["flattened"] = True
        shapes[list_name]["member"]["locationName"] = item
    for map_name, (_, key, value) in _ENTRIES.items():
        shapes[map_name]["key"]["locationName"] = key
        shapes[map_name]["value"]["locationName"] = value
    for shape in shapes.values():
        for member in shape.get("members", {}).values():
            if member["shape"] in _ENTRIES:
                member |= {"locationName": _ENTRIES[member["shape"]][0], "flattened": True}
    for name, operation in model["operations"].items():
        if "output" in operation:
            operation["output"]["resultWrapper"] = f"{name}Result"
    return ServiceModel(model, service_name="sqs")


def takes_queue_url(operation: OperationModel) -> bool:
    return operation.input_shape is not None and "QueueUrl" in operation.input_shape.members


def queue_url_of_path(request: HttpRequest) -> dict[str, str]:
    """A form that is sent to a queue's own address need not name the queue again."""
    _, *segments = request.path.split("/")
    return {"QueueUrl": f"{request.scheme}://{request.host}{request.path}"} if len(segments) == 2 else {}
