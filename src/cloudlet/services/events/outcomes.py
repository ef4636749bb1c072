"""How a delivery can fail, under the codes that dead letters tell."""

from cloudlet.core.errors import AwsError

_THROTTLED = frozenset(
    {"LimitExceededException", "RequestThrottled", "ThrottlingException", "Throttling", "TooManyRequestsException"}
)
_NO_PERMISSIONS = ("AccessDenied", "AuthorizationError", "NotAuthorized")
_NO_RESOURCE = ("NotFound", "DoesNotExist", "NonExistent", "NoSuch")


class Failed(Exception):
    """`final` failures are not tried again: another attempt would fare no better."""

    def __init__(self, code: str, message: str, *, final: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.final = final


def failure(error: AwsError) -> Failed:
    """What an error of a target means."""
    if error.code in _THROTTLED:
        return Failed("THROTTLING", error.message, final=False)
    if error.status >= 500 and error.status != 501:
        return Failed("INTERNAL_ERROR", error.message, final=False)
    if any(word in error.code for word in _NO_PERMISSIONS):
        return Failed("NO_PERMISSIONS", error.message, final=True)
    if any(word in error.code for word in _NO_RESOURCE):
        return Failed("NO_RESOURCE", error.message, final=True)
    if error.code == "InvalidRequestContentException":
        return Failed("INVALID_JSON", error.message, final=True)
    return Failed("SDK_CLIENT_ERROR", error.message, final=True)
