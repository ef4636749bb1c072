"""PostObject: uploads from a browser's form, signed by a policy."""

import hashlib
import hmac
from base64 import b64encode
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import orjson

from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.timestamps import from_text
from cloudlet.core.validation import validate_input
from cloudlet.gateway.protocols.xml_values import MalformedXml, parse_xml
from cloudlet.gateway.sigv4 import ALGORITHM, signing_key
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.checksums import expected_checksum
from cloudlet.services.s3.errors import invalid_argument, no_such_bucket, s3_error
from cloudlet.services.s3.form_data import Form, boundary_of, read_form
from cloudlet.services.s3.headers import check_options
from cloudlet.services.s3.object_operations import ObjectOperations
from cloudlet.services.s3.objects import check_key
from cloudlet.services.s3.post_policy import PostPolicy, parse_policy

# Fields that are headers of PutObject.
_MEMBERS = {
    "key": "Key",
    "acl": "ACL",
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-type": "ContentType",
    "content-md5": "ContentMD5",
    "x-amz-storage-class": "StorageClass",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "x-amz-server-side-encryption-context": "SSEKMSEncryptionContext",
    "x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "x-amz-checksum-algorithm": "ChecksumAlgorithm",
    "x-amz-checksum-crc32": "ChecksumCRC32",
    "x-amz-checksum-crc32c": "ChecksumCRC32C",
    "x-amz-checksum-crc64nvme": "ChecksumCRC64NVME",
    "x-amz-checksum-sha1": "ChecksumSHA1",
    "x-amz-checksum-sha256": "ChecksumSHA256",
}
_METADATA = "x-amz-meta-"


class PostOperations(ObjectOperations):
    def is_post(self, request: HttpRequest) -> bool:
        """A form that a browser posts to a bucket."""
        return (
            request.method == "POST"
            and request.headers.get("content-type", "").startswith("multipart/form-data")
            and "authorization" not in request.headers
            and not request.query
        )

    async def post_object(self, request: HttpRequest, bucket: Bucket | None, request_id: str) -> HttpResponse:
        """Puts the form's file, and answers as the form says."""
        if bucket is None:
            raise no_such_bucket(request.path.strip("/"))
        form = await read_form(aiter(request.body), boundary_of(request.headers["content-type"]))
        fields = {name: value.replace("${filename}", form.file_name) for name, value in form.fields.items()}
        if not fields.get("key"):
            raise invalid_argument(
                "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the "
                "fields.",
                "key",
                "",
            )
        call, policy = self._signed(request, form, bucket, request_id)
        if policy is not None:
            policy.check({**fields, "bucket": bucket.name}, call.time)
        params = _params(bucket, fields)

        async def put(call: Call, params: dict[str, Any]) -> HttpResponse:
            return await self._put(call, bucket, params, fields, form, policy)

        return await self.requests.run("PostObject", put, call, params)

    async def _put(
        self,
        call: Call,
        bucket: Bucket,
        params: dict[str, Any],
        fields: dict[str, str],
        form: Form,
        policy: PostPolicy | None,
    ) -> HttpResponse:
        if form.file is None:
            raise s3_error("InvalidArgument", "POST requires exactly one file upload per request.")
        check_key(params["Key"])
        validate_input("s3", "PutObject", params)
        self.demand(call, "PutObject", params)
        check_options(params)
        new = self.new_object(call, bucket, params)
        body = Body.streamed(form.file, None)
        limit = policy.largest if policy is not None else None
        received = await self.bodies.receive(
            body, expected_checksum(params, ""), md5=params.get("ContentMD5"), largest=limit
        )
        if policy is not None:
            try:
                policy.check_size(received.size)
            except AwsError:
                self.bodies.delete([received.blob] if received.blob is not None else [])
                raise
        new.size, new.etag = received.size, received.md5
        new.content, new.blob = received.content, received.blob
        new.checksum = orjson.dumps(received.checksum.as_list())
        written = await self.write_object(call, bucket, new, "ObjectCreated:Post", {})
        return _answer(call, bucket, params["Key"], f'"{new.etag}"', written.version, fields)

    def _signed(
        self, request: HttpRequest, form: Form, bucket: Bucket, request_id: str
    ) -> tuple[Call, PostPolicy | None]:
        """Who signed the policy; nobody, if there is none."""
        now = self.cloud.clock.now()
        call = Call(
            "s3", "PutObject", bucket.account, bucket.region, Principal.anonymous(), request_id, now, http=request
        )
        fields = form.fields
        if "policy" not in fields:
            return call, None
        policy = parse_policy(fields["policy"])
        principal = self._principal(fields, now)
        return replace(call, principal=principal), policy

    def _principal(self, fields: dict[str, str], now: float) -> Principal:
        """Raises InvalidAccessKeyId, SignatureDoesNotMatch, InvalidArgument."""
        scope = fields.get("x-amz-credential", "").split("/")
        newer = fields.get("x-amz-algorithm") == ALGORITHM
        key_id = scope[0] if newer else fields.get("awsaccesskeyid", "")
        signature = fields.get("x-amz-signature" if newer else "signature")
        if not key_id or signature is None or (newer and len(scope) != 5):
            name = "X-Amz-Signature" if newer else "signature"
            raise invalid_argument(f"Bucket POST must contain a field named '{name}'.", name, "")
        token = fields.get("x-amz-security-token")
        credential = self.cloud.credentials.credential(key_id, token)
        if credential is None or not credential.active or credential.session_token != token:
            raise s3_error("InvalidAccessKeyId", AWSAccessKeyId=key_id)
        if credential.expires is not None and credential.expires <= now:
            raise s3_error("AccessDenied", "The provided token has expired.")
        secret, policy = credential.secret_access_key, fields["policy"].encode()
        if newer:
            expected = hmac.digest(signing_key(secret, scope[1], scope[2], scope[3]), policy, "sha256").hex()
        else:
            expected = b64encode(hmac.digest(secret.encode(), policy, hashlib.sha1)).decode()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise s3_error("SignatureDoesNotMatch", AWSAccessKeyId=key_id)
        return credential.principal


def _params(bucket: Bucket, fields: dict[str, str]) -> dict[str, Any]:
    """The form's fields as PutObject's input."""
    params: dict[str, Any] = {"Bucket": bucket.name}
    params |= {member: fields[name] for name, member in _MEMBERS.items() if name in fields}
    metadata = {name[len(_METADATA) :]: text for name, text in fields.items() if name.startswith(_METADATA)}
    if metadata:
        params["Metadata"] = metadata
    if "x-amz-server-side-encryption-bucket-key-enabled" in fields:
        params["BucketKeyEnabled"] = fields["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
    if "tagging" in fields:
        params["Tagging"] = _tagging(fields["tagging"])
    if "expires" in fields:
        try:
            params["Expires"] = from_text(fields["expires"])
        except ValueError:
            raise invalid_argument("Provided expires is not valid", "Expires", fields["expires"]) from None
    return params


def _tagging(document: str) -> str:
    """The Tagging document of the form, as the header says the same."""
    try:
        root = parse_xml(document.encode())
    except MalformedXml:
        raise s3_error("MalformedXML") from None
    pairs: list[tuple[str, str]] = []
    for tag_set in root.children:
        for tag in tag_set.children:
            texts = {child.name: child.text for child in tag.children}
            if "Key" not in texts or "Value" not in texts:
                raise s3_error("MalformedXML")
            pairs.append((texts["Key"], texts["Value"]))
    return urlencode(pairs)


def _answer(
    call: Call, bucket: Bucket, key: str, etag: str, version: str | None, fields: dict[str, str]
) -> HttpResponse:
    host = call.http.host if call.http is not None else ""
    location = f"http://{host}/{bucket.name}/{quote(key, safe='/')}"
    headers = [("ETag", etag), ("Location", location), ("x-amz-request-id", call.request_id)]
    if version is not None:
        headers.append(("x-amz-version-id", version))
    redirect = fields.get("success_action_redirect") or fields.get("redirect")
    if redirect and urlsplit(redirect).scheme in ("http", "https"):
        parts = urlsplit(redirect)
        query = urlencode([*parse_qsl(parts.query), ("bucket", bucket.name), ("key", key), ("etag", etag)], safe="/")
        headers = [pair for pair in headers if pair[0] != "Location"]
        return HttpResponse(303, [*headers, ("Location", parts._replace(query=query).geturl())])
    status = fields.get("success_action_status")
    if status == "201":
        document = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<PostResponse><Location>{escape(location)}</Location><Bucket>{bucket.name}</Bucket>"
            f"<Key>{escape(key)}</Key><ETag>{escape(etag)}</ETag></PostResponse>"
        )
        return HttpResponse(201, [*headers, ("Content-Type", "application/xml")], document.encode())
    return HttpResponse(200 if status == "200" else 204, headers)
