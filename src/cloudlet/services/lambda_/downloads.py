"""The addresses at which deployment packages can be downloaded for some minutes, without signing the request."""

import hashlib
import hmac
import secrets
from urllib.parse import parse_qs

from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.services.lambda_.packages import Package, Packages

PATH = "/_cloudlet/lambda/packages/"
_SECONDS = 600


class Downloads:
    """Addresses are signed with a key that lives as long as the process: a restart ends them early."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages
        self._key = secrets.token_bytes(32)

    def url(self, endpoint_url: str, package: Package, now: float) -> str:
        expires = int(now) + _SECONDS
        return f"{endpoint_url}{PATH}{package.sha256}?expires={expires}&signature={self._sign(package.sha256, expires)}"

    async def answer(self, request: HttpRequest, now: float) -> HttpResponse:
        sha256 = request.path.removeprefix(PATH)
        query = {name: values[0] for name, values in parse_qs(request.query).items()}
        expires = query.get("expires", "")
        if not expires.isdigit() or int(expires) < now:
            raise AwsError("AccessDenied", "Request has expired", status=403)
        if not hmac.compare_digest(query.get("signature", ""), self._sign(sha256, int(expires))):
            raise AwsError("AccessDenied", "Access Denied", status=403)
        package = self._packages.find(sha256)
        if package is None:
            raise AwsError("NoSuchKey", "The package does not exist any more.", status=404)
        return HttpResponse(
            headers=[("Content-Type", "application/zip")],
            body=await self._packages.read(package),
            content_length=package.size,
        )

    def _sign(self, sha256: str, expires: int) -> str:
        return hmac.new(self._key, f"{sha256}:{expires}".encode(), hashlib.sha256).hexdigest()
