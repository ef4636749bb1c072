"""Notification configurations: read, and set once every destination has been tried."""

from typing import Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.s3 import notification_configuration as configuration
from cloudlet.services.s3.base import S3Base
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.notifications import test_event

Params = dict[str, Any]
Output = dict[str, Any]


class NotificationOperations(S3Base):
    @operation("GetBucketNotificationConfiguration")
    async def get_bucket_notification_configuration(self, call: Call, params: Params) -> Output:
        bucket = self.bucket_of(params)
        return configuration.document(bucket.settings.get("notification", []))

    @operation("PutBucketNotificationConfiguration")
    async def put_bucket_notification_configuration(self, call: Call, params: Params) -> None:
        bucket = self.bucket_of(params)
        destinations = configuration.destinations_to_keep(params["NotificationConfiguration"], bucket)
        if not params.get("SkipDestinationValidation"):
            await self._validate(call, bucket, {destination["arn"] for destination in destinations})
        await self.buckets.put_setting(bucket, "notification", destinations or None)

    async def _validate(self, call: Call, bucket: Bucket, arns: set[str]) -> None:
        """Tries every destination: a test event for queues and topics, the permission for functions."""
        known = {destination["arn"] for destination in bucket.settings.get("notification", [])}
        refused: dict[str, str] = {}
        for number, arn in enumerate(sorted(arns - known), 1):
            service = Arn.parse(arn).service
            if service == "events":
                continue
            try:
                if service == "lambda":
                    await self.notifier.may_invoke(arn, bucket)
                else:
                    message = test_event(bucket, call.time, call.request_id)
                    await self.notifier.send(arn, message, bucket.arn, bucket.account)
            except AwsError as error:
                refused[f"ArgumentName{number}"] = arn
                refused[f"ArgumentValue{number}"] = _reason(service, arn, error)
        if refused:
            words = "Unable to validate the following destination configurations"
            raise AwsError("InvalidArgument", words, fields=refused)


def _reason(service: str, arn: str, error: AwsError) -> str:
    if service == "lambda":
        return f"Not authorized to invoke function [{arn}]"
    kind = "queue" if service == "sqs" else "topic"
    if "Access" in error.code or "Authorization" in error.code:
        return f"Permissions on the destination {kind} do not allow S3 to publish notifications from this bucket"
    return f"The destination {kind} does not exist"
