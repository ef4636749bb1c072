"""Cross-origin requests of browsers: S3 by each bucket's own rules, all other APIs open, as AWS's are.

An open API gives nothing away: a request without a valid signature is refused whatever page it comes from.
"""

from typing import Protocol

from cloudlet.core.http import HttpRequest, HttpResponse

_EXPOSED = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-errormessage,x-amz-crc32,x-amz-apigw-id,Date"


class BucketCors(Protocol):
    """What the S3 service answers for its buckets."""

    def preflight(self, request: HttpRequest) -> HttpResponse:
        """The answer to OPTIONS: allowed by a rule of the bucket, or 403."""
        ...

    def cors_headers(self, request: HttpRequest) -> list[tuple[str, str]]:
        """What to add to the answer of a request with an Origin; nothing where no rule matches."""
        ...


def is_preflight(request: HttpRequest) -> bool:
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def open_preflight(request: HttpRequest) -> HttpResponse:
    """Any page may ask the other APIs."""
    headers = [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE, OPTIONS, PATCH"),
        ("Access-Control-Allow-Headers", request.headers.get("access-control-request-headers", "*")),
        ("Access-Control-Expose-Headers", _EXPOSED),
        ("Access-Control-Max-Age", "172800"),
    ]
    return HttpResponse(200, headers)


def open_headers() -> list[tuple[str, str]]:
    return [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", _EXPOSED)]
