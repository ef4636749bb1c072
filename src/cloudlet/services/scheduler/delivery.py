"""Deliveries: attempts at a schedule's target as its role, tried again by its retry policy, given up to its queue."""

import logging
import random

from cloudlet.core.arn import Arn
from cloudlet.core.errors import AwsError
from cloudlet.core.role_sessions import RoleSessions
from cloudlet.core.service import Cloud
from cloudlet.core.timestamps import to_iso8601
from cloudlet.gateway.protocols.sqs_query import QUERY_CODES
from cloudlet.services.scheduler.inputs import rendered
from cloudlet.services.scheduler.invocations import DeadLetter, Due, read
from cloudlet.services.scheduler.schedules import delete_completed, schedule_by_id
from cloudlet.services.scheduler.targets import invocation_of
from cloudlet.store import Completion, Delivery, Outbox, Retry, Store, Transaction

_log = logging.getLogger(__name__)
_NAMESPACE = "AWS/Scheduler"
_LONGEST_PAUSE = 600.0
_LONGEST_ERROR = 1024
# A dead-letter queue that cannot take it is tried again for so long.
_DEAD_LETTER_SECONDS = 86400.0
_THROTTLED = frozenset(
    {"LimitExceededException", "RequestThrottled", "ThrottlingException", "TooManyRequestsException"}
)


class Deliverer:
    """`outbox` is where dead letters go; it is set once the outbox is made."""

    outbox: Outbox

    def __init__(self, cloud: Cloud, store: Store, roles: RoleSessions) -> None:
        self._cloud = cloud
        self._store = store
        self._roles = roles

    async def deliver(self, delivery: Delivery) -> Completion | None:
        found = read(delivery.payload)
        if isinstance(found, DeadLetter):
            return await self._send_dead_letter(found, delivery.attempts)
        if schedule_by_id(self._store.reader, found.schedule) is None:
            return None  # whoever deletes a schedule wants no more of it
        if delivery.attempts == 0 and self._cloud.clock.now() > found.given_up_at:
            late = AwsError("InvocationTimeout", "The invocation was not possible before its maximum age.")
            return self._given_up(found, late, 0, "MaximumEventAgeInSeconds")
        try:
            await self._invoke(found, delivery.attempts + 1)
        except AwsError as error:
            return self._failed(found, error, delivery.attempts)
        return _completion(found)

    async def _invoke(self, due: Due, attempt: int) -> None:
        self._count(due, "InvocationAttemptCount")
        wanted = invocation_of(self._cloud, due.target, due.occasion, attempt)
        answer = await self._cloud.call(
            wanted.api,
            wanted.operation,
            wanted.params,
            as_=await self._roles.principal(due.target["RoleArn"], due.group_arn),
            region=wanted.region,
            account=wanted.account,
        )
        if wanted.operation == "PutEvents" and answer["FailedEntryCount"]:
            entry = answer["Entries"][0]
            raise AwsError(entry["ErrorCode"], entry["ErrorMessage"])

    def _failed(self, due: Due, error: AwsError, retries: int) -> Completion | None:
        """Raises Retry unless the retry policy says that this was the last attempt. `retries` were made until now."""
        self._count(due, "TargetErrorThrottledCount" if error.code in _THROTTLED else "TargetErrorCount")
        if retries >= due.most_retries:
            return self._given_up(due, error, retries, "MaximumRetryAttempts")
        pause = _pause(retries)
        if self._cloud.clock.now() + pause > due.given_up_at:
            return self._given_up(due, error, retries, "MaximumEventAgeInSeconds")
        raise Retry(pause)

    def _given_up(self, due: Due, error: AwsError, retries: int, condition: str) -> Completion:
        self._count(due, "InvocationDroppedCount")
        _log.warning("invocation given up", extra={"schedule": due.schedule_arn, "reason": str(error)})
        completion = _completion(due)
        if due.dead_letter_queue is None:
            return completion
        letter = self._dead_letter(due, due.dead_letter_queue, error, retries, condition)

        def complete(tx: Transaction) -> None:
            self.outbox.put(tx, letter.queue, letter.payload())
            completion(tx)

        return complete

    def _dead_letter(self, due: Due, queue: str, error: AwsError, retries: int, condition: str) -> DeadLetter:
        attributes = {
            "ERROR_CODE": _code(due, error),
            "ERROR_MESSAGE": error.message[:_LONGEST_ERROR] or error.code,
            "EXECUTION_ID": due.execution_id,
            "EXHAUSTED_RETRY_CONDITION": condition,
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": str(retries),
            "SCHEDULED_TIME": to_iso8601(float(int(due.scheduled))),
            "SCHEDULE_ARN": due.schedule_arn,
            "TARGET_ARN": due.target["Arn"],
        }
        body = rendered(due.target.get("Input", "{}"), due.occasion, retries + 1)
        until = self._cloud.clock.now() + _DEAD_LETTER_SECONDS
        return DeadLetter(queue, due.target["RoleArn"], due.group_arn, body, attributes, until)

    async def _send_dead_letter(self, letter: DeadLetter, attempts: int) -> None:
        arn = Arn.parse(letter.queue)
        params = {
            "QueueUrl": f"{self._cloud.settings.endpoint_url}/{arn.account}/{arn.resource}",
            "MessageBody": letter.body,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in letter.attributes.items()
            },
        }
        try:
            principal = await self._roles.principal(letter.role, letter.group_arn)
            await self._cloud.call("sqs", "SendMessage", params, as_=principal, region=arn.region)
        except AwsError as error:
            if (error.status >= 500 or error.code in _THROTTLED) and self._cloud.clock.now() < letter.until:
                raise Retry(_pause(attempts)) from error
            self._count(letter, "InvocationsFailedToBeSentToDeadLetterCount")
            _log.warning("dead letter refused", extra={"queue": letter.queue, "reason": str(error)})
        else:
            self._count(letter, "InvocationsSentToDeadLetterCount")

    def _count(self, of: Due | DeadLetter, name: str) -> None:
        """Once for all schedules of the region, once for those of the group."""
        region, account, resource = of.group_arn.split(":", 5)[3:]
        now = self._cloud.clock.now()
        group = (("ScheduleGroup", resource.rpartition("/")[2]),)
        self._cloud.metrics.record((account, region), _NAMESPACE, name, ((), group), 1.0, "Count", now)


def _completion(due: Due) -> Completion:
    def complete(tx: Transaction) -> None:
        if due.modified is not None:
            delete_completed(tx, due.schedule, due.modified)

    return complete


def _code(due: Due, error: AwsError) -> str:
    """As the SDKs name it: SQS's by the codes of its older protocol."""
    return QUERY_CODES.get(error.code, error.code) if ":sqs:" in due.target["Arn"] else error.code


def _pause(retries: int) -> float:
    return min(2.0 ** min(retries, 10), _LONGEST_PAUSE) * random.uniform(0.5, 1.0)
