"""Answers that API Gateway gives by itself, in place of an integration."""

import orjson

from cloudlet.core.http import HttpResponse


class Refusal(Exception):
    """A request that does not reach its integration, or whose integration gave no answer.

    `kind` is the word for it in access logs (`$context.error.responseType`).
    """

    def __init__(self, status: int, message: str, kind: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = headers

    def response(self) -> HttpResponse:
        headers = [("content-type", "application/json"), *self.headers]
        return HttpResponse(self.status, headers, orjson.dumps({"message": self.message}))


def not_found() -> Refusal:
    return Refusal(404, "Not Found", "RESOURCE_NOT_FOUND")


def unauthorized(*headers: tuple[str, str]) -> Refusal:
    return Refusal(401, "Unauthorized", "UNAUTHORIZED", headers)


def forbidden(*headers: tuple[str, str]) -> Refusal:
    return Refusal(403, "Forbidden", "ACCESS_DENIED", headers)


def too_large() -> Refusal:
    return Refusal(413, "Request Entity Too Large", "REQUEST_TOO_LARGE")


def headers_too_large() -> Refusal:
    return Refusal(431, "Request Header Fields Too Large", "BAD_REQUEST_HEADERS")


def throttled() -> Refusal:
    return Refusal(429, "Too Many Requests", "THROTTLED")


def failed(kind: str = "INTEGRATION_FAILURE") -> Refusal:
    return Refusal(500, "Internal Server Error", kind)


def timed_out() -> Refusal:
    return Refusal(503, "Service Unavailable", "INTEGRATION_TIMEOUT")


def unavailable() -> Refusal:
    return Refusal(503, "Service Unavailable", "INTEGRATION_FAILURE")
