"""AWS_IAM on routes: who asks, by Signature Version 4; whether they may, by policies on `execute-api:Invoke`."""

from dataclasses import replace

from cloudlet.core.context import Call
from cloudlet.core.errors import AccessDenied, AwsError
from cloudlet.core.http import Body
from cloudlet.core.service import Cloud
from cloudlet.gateway import sigv4
from cloudlet.services.apigatewayv2.exchange import Authorized, Exchange
from cloudlet.services.apigatewayv2.refusal import forbidden

# The model whose signing name is that of all APIs' own endpoints: `execute-api`.
_SIGNED_AS = "apigatewaymanagementapi"


def authorize(cloud: Cloud, exchange: Exchange) -> Authorized:
    """Raises Refusal (403): whoever did not sign, or may not, does not learn which of both it is."""
    request = replace(exchange.request, body=Body.of(exchange.body))
    try:
        signed = sigv4.verify(
            request,
            exchange.body,
            cloud.credentials,
            exchange.time,
            api=_SIGNED_AS,
            protocol="rest-json",
        )
        _check_rights(cloud, exchange, signed)
    except AwsError as error:
        exchange.authorizer_error = error.message
        raise forbidden() from None
    access_key = signed.credential.access_key_id if signed.credential is not None else None
    return Authorized(principal=signed.principal, access_key=access_key)


def _check_rights(cloud: Cloud, exchange: Exchange, signed: sigv4.Signed) -> None:
    served, principal = exchange.served, signed.principal
    if signed.region != served.region:
        raise AccessDenied(f"Credential should be scoped to the region {served.region}.")
    if principal.kind == "root" and principal.account == served.account:
        return
    call = Call(
        api="execute-api",
        operation="Invoke",
        account=served.account,
        region=signed.region,
        principal=principal,
        request_id=exchange.request_id,
        time=exchange.time,
        http=exchange.request,
    )
    cloud.authoriser.authorise(call, exchange.request_arn, None)
