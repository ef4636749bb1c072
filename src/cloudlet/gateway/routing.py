"""Which service and which operation a request means: by target header, path, form, credential scope and host."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.http import HttpRequest
from cloudlet.core.model import api_model, known_apis
from cloudlet.core.remembering import remembered
from cloudlet.gateway.rest_routes import rest_routes

_FORM = "application/x-www-form-urlencoded"
_SCOPE = re.compile(r"Credential=[^/,]+/\d{8}/([^/,]*)/([^/,]+)/aws4_request")
_RPC_PATH = re.compile(r"/service/(\w+)/operation/(\w+)$")
_S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3[.-].+")
# Paths that only these REST APIs have, for requests that carry no signature to tell.
_REST_PATHS = (("/2015-03-31/", "lambda"), ("/2018-10-31/layers", "lambda"), ("/v2/apis", "apigatewayv2"))


class Target(NamedTuple):
    """Which API a request is for, and by which protocol; told by the headers alone."""

    api: str
    protocol: str
    operation: str | None = None


class Routed(NamedTuple):
    """An operation, with the path's labels where the protocol has them."""

    api: str
    protocol: str
    operation: str
    labels: dict[str, str]


class Router:
    """Knows the APIs that this Cloudlet serves. `is_bucket` tells whether a bucket of that name exists."""

    def __init__(self, apis: Iterable[str], is_bucket: Callable[[str], bool]) -> None:
        self._apis = frozenset(apis)
        self._is_bucket = is_bucket
        self._targets: dict[str, tuple[str, str]] = {}
        self._by_scope: dict[str, list[str]] = {}

    def target(self, request: HttpRequest) -> Target:
        """Names the API from what the headers and the path say."""
        headers = request.headers
        target = headers.get("x-amz-target")
        if target is not None:
            return self._json_target(target, headers.get("content-type", ""))
        if headers.get("smithy-protocol") == "rpc-v2-cbor":
            return self._rpc_target(request.path)
        api = self._signed_api(request)
        if api is None:
            api = self._unsigned_api(request)
        return Target(api, _protocol(api))

    def operation(self, target: Target, request: HttpRequest, body: bytes | None) -> Routed:
        """Names the operation. `body` is for forms. Raises NotImplementedByCloudlet (501) if there is none."""
        if target.operation is not None:
            return Routed(target.api, target.protocol, target.operation, {})
        if target.protocol == "query":
            action = _form_value("Action", request, body)
            if action is None:
                raise AwsError("MissingAction", "The request must contain the parameter Action.", status=400)
            return Routed(target.api, "query", action, {})
        path = self._path_style(request) if target.api == "s3" else request.path
        query = dict(parse_qsl(request.query, keep_blank_values=True)) if request.query else {}
        found = rest_routes(target.api).find(request.method, path, query, request.headers)
        if found is None:
            raise NotImplementedByCloudlet(f"{request.method} {request.path} of {target.api}")
        return Routed(target.api, target.protocol, found.operation, found.labels)

    def _json_target(self, target: str, content_type: str) -> Target:
        found = self._targets.get(target)
        if found is None:
            prefix, _, name = target.rpartition(".")
            api = next((api for api in self._apis if api_model(api).metadata.get("targetPrefix") == prefix), None)
            if api is None:
                raise NotImplementedByCloudlet(f"the operation {target}")
            found = api, name
            if name in api_model(api).operation_names:  # others are not remembered: there is no end to them
                self._targets[target] = found
        return Target(found[0], "json", found[1])

    def _rpc_target(self, path: str) -> Target:
        found = _RPC_PATH.search(path)
        if found is None:
            raise NotImplementedByCloudlet(f"the path {path} of rpc-v2-cbor")
        for api in self._apis:
            model = api_model(api)
            names = {str(model.service_id).replace(" ", ""), str(model.metadata.get("targetPrefix", ""))}
            if found[1] in names:
                return Target(api, "smithy-rpc-v2-cbor", found[2])
        raise NotImplementedByCloudlet(f"the service {found[1]}")

    def _signed_api(self, request: HttpRequest) -> str | None:
        """The API whose name stands in the signature's credential scope."""
        scope = _credential_scope(request)
        if scope is None:
            return None
        names = self._by_scope.get(scope)
        if names is None:
            names = [api for api in self._apis if api_model(api).signing_name == scope]
            self._by_scope[scope] = names
        if not names:
            raise NotImplementedByCloudlet(f"the service {scope}")
        return names[0]

    def _unsigned_api(self, request: HttpRequest) -> str:
        """Without a signature: by path, by the form's Version, by host; what is left is S3's."""
        for prefix, api in _REST_PATHS:
            if request.path.startswith(prefix) and api in self._apis:
                return api
        first_label = request.host.split(".", 1)[0].split(":")[0]
        for api in self._apis:
            if api_model(api).endpoint_prefix == first_label:
                return api
        content = request.body.content
        if request.headers.get("content-type", "").startswith(_FORM) or "Action=" in request.query:
            version = _form_value("Version", request, content)
            for api in self._apis:
                if version is not None and api_model(api).api_version == version:
                    return api
        return "s3"

    def _path_style(self, request: HttpRequest) -> str:
        """The path with the bucket in front, from wherever the bucket stands."""
        bucket = self.bucket_of_host(request)
        return f"/{bucket}{request.path}" if bucket else request.path

    def bucket_of_host(self, request: HttpRequest) -> str | None:
        """The bucket in a virtual-host style Host, None where the path has it.

        `bucket.s3.anything` and `bucket.localhost` say it by their form. Under any other name of this machine, the
        first label is a bucket if one of that name exists, or if the request makes no sense without one.
        """
        named, label = _bucket_in_name(request.host)
        if label is None:
            return named
        if self._is_bucket(label) or (request.path == "/" and request.method not in ("GET", "OPTIONS")):
            return label
        return None


@cache
def _protocol(api: str) -> str:
    """What is spoken by whoever names no operation in a header: some have an older protocol beside their model's."""
    metadata = api_model(api).metadata
    return "query" if api == "sqs" or "query" in metadata.get("protocols", ()) else str(metadata["protocol"])


@remembered(1024)
def _bucket_in_name(host: str) -> tuple[str | None, str | None]:
    """The bucket that a Host names by its form, or the first label, which may be one."""
    host = host.rsplit(":", 1)[0].lower()
    aws = _S3_HOST.fullmatch(host)
    if aws is not None:
        return aws["bucket"], None
    if host.endswith(".localhost"):
        return host.removesuffix(".localhost") or None, None
    label, dot, _ = host.partition(".")
    return (None, None) if not dot or host.replace(".", "").isdigit() else (None, label)


def presumed_target(request: HttpRequest) -> Target:
    """The API that a request we cannot route was for, so that its client can read the error: maybe none of ours."""
    scope = _credential_scope(request)
    api = scope if scope is not None and scope in known_apis() else "s3"
    if "x-amz-target" in request.headers:
        return Target(api, "json")
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return Target(api, "smithy-rpc-v2-cbor")
    protocol = api_model(api).metadata["protocol"]
    return Target(api, "query" if is_form(request) or protocol == "ec2" else protocol)


def is_form(request: HttpRequest) -> bool:
    return request.headers.get("content-type", "").startswith(_FORM)


def _credential_scope(request: HttpRequest) -> str | None:
    authorization = request.headers.get("authorization")
    if authorization is not None:
        # What usually stands before the list of headers is the same in all requests of a client on one day.
        service = _service_in(authorization.partition(", SignedHeaders=")[0]) or _service_in(authorization)
        if service is not None:
            return service
    if "X-Amz-Credential=" in request.query:
        credential = dict(parse_qsl(request.query)).get("X-Amz-Credential", "")
        parts = credential.split("/")
        return parts[3] if len(parts) == 5 else None
    return None


@remembered(1024)
def _service_in(authorization: str) -> str | None:
    found = _SCOPE.search(authorization)
    return found[2] if found is not None else None


def _form_value(name: str, request: HttpRequest, body: bytes | None) -> str | None:
    """A member of the form in the body or, for GET, in the query."""
    for text in (body.decode("utf-8", "replace") if body else "", request.query):
        if f"{name}=" in text:
            value = dict(parse_qsl(text, keep_blank_values=True)).get(name)
            if value is not None:
                return value
    return None
