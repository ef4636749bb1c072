"""What S3 answers beside its API: CORS for the gateway, and website endpoints."""

from urllib.parse import unquote

from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.services.s3 import cors
from cloudlet.services.s3.base import S3Base
from cloudlet.services.s3.buckets import Bucket


class Hosting(S3Base):
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
        rule = cors.matching_rule(bucket.settings["cors"], origin, request.method)
        return cors.response_headers(rule, origin) if rule is not None else []

    def _bucket_of(self, request: HttpRequest) -> Bucket | None:
        """The bucket in the host's first labels, or in the path's first segment."""
        host = request.host.rpartition(":")[0] or request.host
        for marker in (".s3.", ".s3-", ".localhost"):
            name, found, _ = host.partition(marker)
            bucket = self.buckets.find(name) if found else None
            if bucket is not None:
                return bucket
        return self.buckets.find(host.partition(".")[0]) or self.buckets.find(
            unquote(request.path[1:].partition("/")[0])
        )
