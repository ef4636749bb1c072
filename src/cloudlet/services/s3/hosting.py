"""What S3 answers beside its API: CORS for the gateway, and website endpoints."""

import re
from html import escape
from typing import Any
from urllib.parse import unquote

from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.model import operation_model
from cloudlet.core.timestamps import from_text
from cloudlet.gateway.protocols import protocol_for
from cloudlet.services.s3 import cors, websites
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.errors import no_such_bucket, s3_error
from cloudlet.services.s3.post_object import PostOperations
from cloudlet.services.s3.websites import Redirect

_WEBSITE_HOST = re.compile(r"(?P<bucket>.+)\.s3-website(?:[.-][a-z0-9-]+)?\.(?:localhost|amazonaws\.com)")
_PLAIN_HEADERS = {"range": "Range", "if-match": "IfMatch", "if-none-match": "IfNoneMatch"}
_DATE_HEADERS = {"if-modified-since": "IfModifiedSince", "if-unmodified-since": "IfUnmodifiedSince"}
_REASONS = {403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 412: "Precondition Failed"}


class Hosting(PostOperations):
    def preflight(self, request: HttpRequest) -> HttpResponse:
        """The answer to OPTIONS: allowed by a rule of the bucket, or 403."""
        bucket = self._bucket_of(request)
        try:
            return cors.preflight(bucket.settings.get("cors") if bucket is not None else None, request)
        except AwsError as error:
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                f"<Error><Code>{error.code}</Code><Message>{error.message}</Message></Error>"
            )
            return HttpResponse(error.status, [("Content-Type", "application/xml")], body.encode())

    def cors_headers(self, request: HttpRequest) -> list[tuple[str, str]]:
        """What to add to the answer of a request with an Origin; nothing where no rule matches."""
        bucket = self._bucket_of(request)
        origin = request.headers.get("origin")
        if bucket is None or origin is None or "cors" not in bucket.settings:
            return []
        method = request.headers.get("access-control-request-method", request.method)
        rule = cors.matching_rule(bucket.settings["cors"], origin, method)
        return cors.response_headers(rule, origin) if rule is not None else []

    def serves_http(self, request: HttpRequest) -> bool:
        if ".s3-website" in request.host:
            return _WEBSITE_HOST.fullmatch(_hostname(request)) is not None
        if request.method == "OPTIONS" and "access-control-request-method" not in request.headers:
            return self._bucket_of(request) is not None
        return request.method == "POST" and self.is_post(request)

    async def handle_http(self, request: HttpRequest, request_id: str) -> HttpResponse:
        """A website's page, or its error page; or the answer to a browser's upload."""
        if self.is_post(request):
            return await self._posted(request, request_id)
        if request.method == "OPTIONS":
            return self.preflight(request)
        try:
            response = await self._page(request, request_id)
        except AwsError as error:
            response = _error_page(error, request_id)
        return HttpResponse(
            response.status,
            [*response.headers, *self.cors_headers(request)],
            response.body,
            response.content_length,
        )

    async def _posted(self, request: HttpRequest, request_id: str) -> HttpResponse:
        try:
            response = await self.post_object(request, self._bucket_of(request), request_id)
        except AwsError as error:
            response = protocol_for("s3", "rest-xml").render_error(error, None, request_id, request)
        response.headers += self.cors_headers(request)
        return response

    async def _page(self, request: HttpRequest, request_id: str) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise s3_error("MethodNotAllowed", Method=request.method, ResourceType="OBJECT")
        match = _WEBSITE_HOST.fullmatch(_hostname(request))
        bucket = self.buckets.find(match["bucket"]) if match is not None else None
        if bucket is None:
            raise no_such_bucket(match["bucket"] if match is not None else "")
        site = bucket.settings.get("website")
        if site is None:
            raise s3_error("NoSuchWebsiteConfiguration", BucketName=bucket.name)
        key = unquote(request.path[1:])
        scheme, host = request.scheme, request.host
        redirect = websites.redirect_all(site, key, scheme) or websites.routed(site, key, None, scheme, host)
        if redirect is not None:
            return _redirected(redirect)
        try:
            return await self._object(
                bucket, websites.index_key(key, site["IndexDocument"]["Suffix"]), request, request_id
            )
        except AwsError as error:
            return await self._instead(bucket, site, key, error, request, request_id)

    async def _instead(
        self, bucket: Bucket, site: dict[str, Any], key: str, error: AwsError, request: HttpRequest, request_id: str
    ) -> HttpResponse:
        """A folder's redirect, a routing rule for errors, the error document, or the error."""
        if error.status not in (403, 404):
            raise error
        if key and not key.endswith("/") and self._exists(bucket, f"{key}/{site['IndexDocument']['Suffix']}", request):
            return HttpResponse(302, [("Location", f"/{request.path[1:]}/")])
        redirect = websites.routed(site, key, error.status, request.scheme, request.host)
        if redirect is not None:
            return _redirected(redirect)
        document = (site.get("ErrorDocument") or {}).get("Key")
        if document is None:
            raise error
        try:
            page = await self._object(bucket, document, request, request_id, plain=True)
        except AwsError:
            raise error from None
        page.status = error.status
        page.headers += [("x-amz-error-code", error.code), ("x-amz-error-message", error.message)]
        return page

    async def _object(
        self, bucket: Bucket, key: str, request: HttpRequest, request_id: str, *, plain: bool = False
    ) -> HttpResponse:
        """An object as everybody may read it. `plain` leaves ranges and conditions aside."""
        params: dict[str, Any] = {"Bucket": bucket.name, "Key": key}
        call = self._anonymous_call(bucket, request, request_id)
        self.demand(call, "GetObject", params)
        if not plain:
            params |= _conditions(request)
        output: Any = await self.requests.run("GetObject", self.get_object, call, params)
        if "WebsiteRedirectLocation" in output and not plain:
            return _redirected(Redirect(301, output["WebsiteRedirectLocation"]))
        return protocol_for("s3", "rest-xml").render(operation_model("s3", "GetObject"), output, request_id)

    def _exists(self, bucket: Bucket, key: str, request: HttpRequest) -> bool:
        params = {"Bucket": bucket.name, "Key": key}
        call = self._anonymous_call(bucket, request, "")
        try:
            self.demand(call, "GetObject", params)
            self.existing(call, bucket, params)
        except AwsError:
            return False
        return True

    def _anonymous_call(self, bucket: Bucket, request: HttpRequest, request_id: str) -> Call:
        now = self.cloud.clock.now()
        principal = Principal.anonymous()
        return Call("s3", "GetObject", bucket.account, bucket.region, principal, request_id, now, http=request)

    def _bucket_of(self, request: HttpRequest) -> Bucket | None:
        """The bucket in the host's first labels, or in the path's first segment."""
        host = _hostname(request)
        for marker in (".s3.", ".s3-", ".localhost"):
            name, found, _ = host.partition(marker)
            bucket = self.buckets.find(name) if found else None
            if bucket is not None:
                return bucket
        in_path = unquote(request.path[1:].partition("/")[0])
        return self.buckets.find(host.partition(".")[0]) or self.buckets.find(in_path)


def _hostname(request: HttpRequest) -> str:
    return request.host.rsplit(":", 1)[0].lower()


def _conditions(request: HttpRequest) -> dict[str, Any]:
    """What a browser's headers ask, as GetObject's members; a date that is none does not count."""
    found: dict[str, Any] = {
        member: request.headers[name] for name, member in _PLAIN_HEADERS.items() if name in request.headers
    }
    for name, member in _DATE_HEADERS.items():
        try:
            found[member] = from_text(request.headers[name])
        except (KeyError, ValueError):
            continue
    return found


def _redirected(redirect: Redirect) -> HttpResponse:
    return HttpResponse(redirect.status, [("Location", redirect.location)])


def _error_page(error: AwsError, request_id: str) -> HttpResponse:
    """What S3's website endpoints show where there is no error document."""
    if error.status == 304:
        return HttpResponse(304, list(error.headers.items()))
    title = f"{error.status} {_REASONS.get(error.status, error.code)}"
    items = {"Code": error.code, "Message": error.message, **error.fields, "RequestId": request_id}
    lines = "".join(f"<li>{escape(name)}: {escape(str(value))}</li>\n" for name, value in items.items())
    head = f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n"
    page = f"{head}<ul>\n{lines}</ul>\n<hr/>\n</body>\n</html>\n"
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("x-amz-error-code", error.code),
        ("x-amz-error-message", error.message),
        ("x-amz-request-id", request_id),
    ]
    return HttpResponse(error.status, headers, page.encode())
