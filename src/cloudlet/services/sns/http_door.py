"""What SNS answers without the API's ceremony: the links in its messages, its certificate, the local mailbox."""

from typing import Any
from urllib.parse import parse_qsl

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AccessDenied, AwsError
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.model import operation_model
from cloudlet.core.validation import validate_input
from cloudlet.gateway import sigv4
from cloudlet.gateway.protocols import protocol_for
from cloudlet.services.sns.errors import invalid_parameter
from cloudlet.services.sns.mail import mailbox
from cloudlet.services.sns.subscription_operations import SubscriptionOperations

_LINKS = {"ConfirmSubscription": "TopicArn", "Unsubscribe": "SubscriptionArn"}
_CERTIFICATE = "/SimpleNotificationService-"
_MAIL = "/_cloudlet/mail"
_MOST_MAILS = 500


class HttpDoor(SubscriptionOperations):
    def serves_http(self, request: HttpRequest) -> bool:
        if request.path == _MAIL or (request.path.startswith(_CERTIFICATE) and request.path.endswith(".pem")):
            return request.method == "GET"
        if request.method != "GET" or request.path != "/" or "Action=" not in request.query:
            return False
        signed = "authorization" in request.headers or "X-Amz-Signature=" in request.query
        return not signed and dict(parse_qsl(request.query)).get("Action") in _LINKS

    async def handle_http(self, request: HttpRequest, request_id: str) -> HttpResponse:
        if request.path == _MAIL:
            return await self._answer_mailbox(request)
        if request.path != "/":
            return await self._answer_certificate(request)
        return await self._follow_link(request, request_id)

    async def _follow_link(self, request: HttpRequest, request_id: str) -> HttpResponse:
        """ConfirmSubscription or Unsubscribe by whoever has the link: the token or the ARN is what he knows."""
        params: dict[str, Any] = dict(parse_qsl(request.query, keep_blank_values=True))
        name = params.pop("Action")
        params.pop("Version", None)
        model, protocol = operation_model("sns", name), protocol_for("sns", "query")
        try:
            validate_input("sns", name, params)
            call = self._anonymous_call(name, params[_LINKS[name]], request_id)
            follow: Any = self.confirm_subscription if name == "ConfirmSubscription" else self.unsubscribe
            return protocol.render(model, await follow(call, params), request_id)
        except AwsError as error:
            return protocol.render_error(error, model, request_id, request)

    def _anonymous_call(self, name: str, arn: str, request_id: str) -> Call:
        try:
            region = Arn.parse(arn).region
        except ValueError:
            region = self.cloud.settings.default_region
        account, now = arn.split(":")[4] if arn.count(":") >= 5 else "", self.cloud.clock.now()
        return Call("sns", name, account, region, Principal.anonymous(), request_id, now)

    async def _answer_certificate(self, request: HttpRequest) -> HttpResponse:
        key = await self.signer.key()
        if request.path != key.path:
            return HttpResponse(404, [("Content-Type", "text/plain")], b"There is no such certificate.\n")
        return HttpResponse(200, [("Content-Type", "application/x-pem-file")], key.certificate)

    async def _answer_mailbox(self, request: HttpRequest) -> HttpResponse:
        """The newest mails of the account, newest first, for its root alone."""
        if request.body.length != 0:
            raise invalid_parameter("a GET has no body")
        body, now = b"", self.cloud.clock.now()
        signed = sigv4.verify(request, body, self.cloud.credentials, now, api="sns", protocol="query")
        if signed.principal.kind != "root":
            raise AccessDenied("Only the account's root may read its mailbox")
        account = signed.principal.account
        mails = await self.store.query(lambda reader: mailbox(reader, account, _MOST_MAILS))
        return HttpResponse(200, [("Content-Type", "application/json")], orjson.dumps({"mail": mails}))
