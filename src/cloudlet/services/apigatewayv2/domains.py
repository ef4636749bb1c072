"""The operations on custom domain names and on the mappings of APIs to them."""

import hashlib
import re
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.ids import lower_id
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2.base import GatewayService, bad_request, conflict, not_found, paged
from cloudlet.services.apigatewayv2.stages import stage_body
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t

_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,62}")
_KEY = re.compile(r"(?:[\w.!*'()~+$@=-]+(?:/[\w.!*'()~+$@=-]+)*)?")
# Names that mean Cloudlet itself, and those of its APIs.
_TAKEN = re.compile(r"localhost|.*\.execute-api\..*|.*\.amazonaws\.com")
_MOST_CONFIGURATIONS = 1


class Domains(GatewayService):
    """Names of one's own for APIs."""

    @operation("CreateDomainName")
    async def create_domain_name(self, call: Call, params: "t.CreateDomainNameRequestTypeDef") -> dict[str, Any]:
        given: dict[str, Any] = dict(params)
        name = given["DomainName"]
        if not _NAME.fullmatch(name) or _TAKEN.fullmatch(name):
            raise bad_request(f"Invalid domain name: {name}")
        body = _checked(call, given)

        def write(tx: Transaction) -> dict[str, Any]:
            if tx.one("SELECT 1 FROM domains WHERE name = ?", (name,)) is not None:
                raise conflict("The domain name you provided already exists.")
            tx.execute(
                "INSERT INTO domains VALUES (?, ?, ?, ?, ?)",
                (name, call.account, call.region, orjson.dumps(body), orjson.dumps(given.get("Tags", {}))),
            )
            self._domains_changed(tx)
            return find_domain(tx, call, name)

        return await self.store.write(write)

    @operation("GetDomainName")
    async def get_domain_name(self, call: Call, params: "t.GetDomainNameRequestTypeDef") -> dict[str, Any]:
        return find_domain(self.store.reader, call, params["DomainName"])

    @operation("GetDomainNames")
    async def get_domain_names(self, call: Call, params: "t.GetDomainNamesRequestTypeDef") -> dict[str, Any]:
        rows = self.store.reader.all(
            "SELECT name FROM domains WHERE account = ? AND region = ? ORDER BY name", (call.account, call.region)
        )
        return paged([find_domain(self.store.reader, call, row[0]) for row in rows], dict(params))

    @operation("UpdateDomainName")
    async def update_domain_name(self, call: Call, params: "t.UpdateDomainNameRequestTypeDef") -> dict[str, Any]:
        name = params["DomainName"]

        def write(tx: Transaction) -> dict[str, Any]:
            before = find_domain(tx, call, name)
            kept = {key: before[key] for key in ("DomainNameConfigurations", "RoutingMode")}
            body = _checked(call, kept | dict(params))
            tx.execute("UPDATE domains SET body = ? WHERE name = ?", (orjson.dumps(body), name))
            return find_domain(tx, call, name)

        return await self.store.write(write)

    @operation("DeleteDomainName")
    async def delete_domain_name(self, call: Call, params: "t.DeleteDomainNameRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            find_domain(tx, call, params["DomainName"])
            tx.execute("DELETE FROM domains WHERE name = ?", (params["DomainName"],))
            self._domains_changed(tx)

        await self.store.write(write)

    @operation("CreateApiMapping")
    async def create_api_mapping(self, call: Call, params: "t.CreateApiMappingRequestTypeDef") -> dict[str, Any]:
        domain, key = params["DomainName"], params.get("ApiMappingKey", "")

        def write(tx: Transaction) -> dict[str, Any]:
            find_domain(tx, call, domain)
            self._check_mapping(tx, call, key, params["ApiId"], params["Stage"])
            if tx.one("SELECT 1 FROM mappings WHERE domain = ? AND key = ?", (domain, key)) is not None:
                raise conflict("ApiMapping key already exists for this domain name")
            id_ = lower_id(6)
            tx.execute(
                "INSERT INTO mappings VALUES (?, ?, ?, ?, ?)", (domain, key, id_, params["ApiId"], params["Stage"])
            )
            self._domains_changed(tx)
            return _mapping(tx, domain, id_)

        return await self.store.write(write)

    @operation("GetApiMapping")
    async def get_api_mapping(self, call: Call, params: "t.GetApiMappingRequestTypeDef") -> dict[str, Any]:
        find_domain(self.store.reader, call, params["DomainName"])
        return _mapping(self.store.reader, params["DomainName"], params["ApiMappingId"])

    @operation("GetApiMappings")
    async def get_api_mappings(self, call: Call, params: "t.GetApiMappingsRequestTypeDef") -> dict[str, Any]:
        reader, domain = self.store.reader, params["DomainName"]
        find_domain(reader, call, domain)
        rows = reader.all("SELECT id FROM mappings WHERE domain = ? ORDER BY key", (domain,))
        return paged([_mapping(reader, domain, row[0]) for row in rows], dict(params))

    @operation("UpdateApiMapping")
    async def update_api_mapping(self, call: Call, params: "t.UpdateApiMappingRequestTypeDef") -> dict[str, Any]:
        domain, id_ = params["DomainName"], params["ApiMappingId"]

        def write(tx: Transaction) -> dict[str, Any]:
            find_domain(tx, call, domain)
            after = {"ApiMappingKey": "", **_mapping(tx, domain, id_), **params}
            key, api_id, stage = after["ApiMappingKey"], after["ApiId"], after["Stage"]
            self._check_mapping(tx, call, key, api_id, stage)
            same = tx.one("SELECT id FROM mappings WHERE domain = ? AND key = ?", (domain, key))
            if same is not None and same[0] != id_:
                raise conflict("ApiMapping key already exists for this domain name")
            tx.execute(
                "UPDATE mappings SET key = ?, api = ?, stage = ? WHERE domain = ? AND id = ?",
                (key, api_id, stage, domain, id_),
            )
            self._domains_changed(tx)
            return _mapping(tx, domain, id_)

        return await self.store.write(write)

    @operation("DeleteApiMapping")
    async def delete_api_mapping(self, call: Call, params: "t.DeleteApiMappingRequestTypeDef") -> None:
        domain, id_ = params["DomainName"], params["ApiMappingId"]

        def write(tx: Transaction) -> None:
            find_domain(tx, call, domain)
            _mapping(tx, domain, id_)
            tx.execute("DELETE FROM mappings WHERE domain = ? AND id = ?", (domain, id_))
            self._domains_changed(tx)

        await self.store.write(write)

    def _check_mapping(self, reader: Reader, call: Call, key: str, api_id: str, stage: str) -> None:
        self.api(call, api_id, reader)
        stage_body(reader, api_id, stage)
        if not _KEY.fullmatch(key):
            raise bad_request(f"Invalid API mapping key: {key}")

    def _domains_changed(self, tx: Transaction) -> None:
        tx.after_commit(lambda: self.load_domains(self.store.reader))


def find_domain(reader: Reader, call: Call, name: str) -> dict[str, Any]:
    """The domain name as GetDomainName gives it. Raises NotFoundException."""
    row = reader.one(
        "SELECT body, tags FROM domains WHERE name = ? AND account = ? AND region = ?",
        (name, call.account, call.region),
    )
    if row is None:
        raise not_found("Invalid domain name identifier specified")
    return {
        "DomainName": name,
        "DomainNameArn": f"arn:aws:apigateway:{call.region}::/domainnames/{name}",
        "ApiMappingSelectionExpression": "$request.basepath",
        **orjson.loads(row[0]),
        "Tags": orjson.loads(row[1]),
    }


def _mapping(reader: Reader, domain: str, id_: str) -> dict[str, Any]:
    row = reader.one("SELECT key, api, stage FROM mappings WHERE domain = ? AND id = ?", (domain, id_))
    if row is None:
        raise not_found("Invalid api mapping identifier specified")
    found = {"ApiId": row[1], "ApiMappingId": id_, "Stage": row[2]}
    return found | {"ApiMappingKey": row[0]} if row[0] else found


def _checked(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a domain name's settings, and the names that AWS would give its endpoint."""
    if given.get("MutualTlsAuthentication"):
        raise NotImplementedByCloudlet("mutual TLS of domain names")
    mode = given.get("RoutingMode", "API_MAPPING_ONLY")
    if mode != "API_MAPPING_ONLY":
        raise NotImplementedByCloudlet("routing rules of domain names")
    configurations: list[dict[str, Any]] = given.get("DomainNameConfigurations") or []
    if len(configurations) != _MOST_CONFIGURATIONS:
        raise bad_request("A domain name requires one DomainNameConfiguration")
    declared = configurations[0]
    if declared.get("EndpointType", "REGIONAL") != "REGIONAL":
        raise bad_request("HTTP APIs support the endpoint type REGIONAL only")
    if not declared.get("CertificateArn"):
        raise bad_request("A certificate is required: DomainNameConfigurations.CertificateArn")
    hashed = hashlib.sha256(given["DomainName"].encode()).hexdigest()
    configuration = {
        "EndpointType": "REGIONAL",
        "IpAddressType": "ipv4",
        "SecurityPolicy": "TLS_1_2",
        **declared,
        "ApiGatewayDomainName": f"d-{hashed[:10]}.execute-api.{call.region}.amazonaws.com",
        "DomainNameStatus": "AVAILABLE",
        "HostedZoneId": f"Z{hashed[10:23].upper()}",
    }
    return {"DomainNameConfigurations": [configuration], "RoutingMode": mode}
