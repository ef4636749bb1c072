"""One module per wire protocol of AWS."""

from functools import cache

from cloudlet.gateway.protocols.json import JsonProtocol
from cloudlet.gateway.protocols.protocol import Protocol
from cloudlet.gateway.protocols.query import QueryProtocol
from cloudlet.gateway.protocols.rest_json import RestJsonProtocol
from cloudlet.gateway.protocols.rest_xml import RestXmlProtocol
from cloudlet.gateway.protocols.rpc_cbor import RpcCborProtocol

_PROTOCOLS = {
    protocol.name: protocol
    for protocol in (JsonProtocol, QueryProtocol, RestJsonProtocol, RestXmlProtocol, RpcCborProtocol)
}


@cache
def protocol_for(api: str, name: str) -> Protocol:
    """The protocol by botocore's name (`rest-json`, `smithy-rpc-v2-cbor`) for an API."""
    return _PROTOCOLS[name](api)


__all__ = ["Protocol", "protocol_for"]
