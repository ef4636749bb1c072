"""Errors that reach clients in the words of AWS."""

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """An error answer: raised where the rule is broken, rendered once by the gateway in the service's protocol.

    `code` is AWS's (`ResourceNotFoundException`), `status` the HTTP status where the API model does not fix one,
    `fields` further members of the error shape (`{"CancellationReasons": [...]}`) or, for S3, further XML elements.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})


class NotImplementedByCloudlet(AwsError):
    """501: an operation of the model, or an option of one, that Cloudlet does not have yet."""

    def __init__(self, what: str) -> None:
        super().__init__("NotImplemented", f"Cloudlet does not implement {what}.", status=501)


class AccessDenied(AwsError):
    """403, in the spelling that the service's protocol uses (the gateway knows it)."""

    def __init__(self, message: str = "Access Denied") -> None:
        super().__init__("AccessDenied", message, status=403)


class InternalError(AwsError):
    """500: a defect of ours; the traceback is in the log under the same request id."""

    def __init__(self) -> None:
        super().__init__(
            "InternalFailure", "The request processing has failed because of an unknown error.", status=500
        )
