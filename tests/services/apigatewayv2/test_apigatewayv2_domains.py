"""Custom domain names, and APIs under their paths."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/1"
CONFIGURATION = [{"CertificateArn": CERTIFICATE, "EndpointType": "REGIONAL"}]


@pytest.fixture(scope="module")
def domain(api: Any) -> str:
    api.create_domain_name(DomainName="api.shop.example", DomainNameConfigurations=CONFIGURATION, Tags={"a": "1"})
    return "api.shop.example"


def get(server: Any, domain: str, path: str) -> requests.Response:
    return requests.get(f"{server.url}{path}", headers={"host": f"{domain}:{server.port}"}, timeout=20)


def test_apis_answer_under_the_domain(server: Any, api: Any, make_api: Callable[..., Any], domain: str) -> None:
    orders, other = make_api("GET /items/{id}"), make_api("GET /")
    api.create_stage(ApiId=orders.id, StageName="prod", AutoDeploy=True)
    mapping = api.create_api_mapping(DomainName=domain, ApiId=orders.id, Stage="prod", ApiMappingKey="orders/v1")
    api.create_api_mapping(DomainName=domain, ApiId=other.id, Stage="$default")

    event = get(server, domain, "/orders/v1/items/7").json()
    assert event["pathParameters"] == {"id": "7"}
    assert (event["requestContext"]["domainName"], event["requestContext"]["stage"]) == (domain, "prod")
    assert event["rawPath"] == "/orders/v1/items/7"
    assert get(server, domain, "/").json()["requestContext"]["apiId"] == other.id
    assert get(server, domain, "/orders/v1x").status_code == 404
    assert get(server, "else.shop.example", "/orders/v1/items/7").status_code != 200

    api.update_api_mapping(DomainName=domain, ApiId=orders.id, ApiMappingId=mapping["ApiMappingId"], ApiMappingKey="o")
    assert get(server, domain, "/o/items/7").status_code == 200
    with pytest.raises(ClientError, match="remove all base path mappings"):
        api.delete_api(ApiId=orders.id)
    with pytest.raises(ClientError, match="ConflictException"):
        api.create_api_mapping(DomainName=domain, ApiId=orders.id, Stage="prod", ApiMappingKey="o")
    api.delete_api_mapping(DomainName=domain, ApiMappingId=mapping["ApiMappingId"])
    assert [each["ApiId"] for each in api.get_api_mappings(DomainName=domain)["Items"]] == [other.id]


def test_calls_of_other_services_pass_by(server: Any, domain: str) -> None:
    session = server.session()
    for service in ("s3", "sqs"):
        client = session.client(service, endpoint_url=server.url)
        client.meta.events.register("before-sign.*", lambda request, **_: request.headers.add_header("Host", domain))
        assert client.list_buckets() if service == "s3" else client.list_queues()


def test_domain_names_are_kept(api: Any, domain: str) -> None:
    found = api.get_domain_name(DomainName=domain)
    assert found["DomainNameConfigurations"][0]["DomainNameStatus"] == "AVAILABLE"
    assert found["DomainNameConfigurations"][0]["CertificateArn"] == CERTIFICATE
    arn = "arn:aws:apigateway:us-east-1::/domainnames/api.shop.example"
    api.tag_resource(ResourceArn=arn, Tags={"b": "2"})
    assert api.get_tags(ResourceArn=arn)["Tags"] == {"a": "1", "b": "2"}
    assert [each["DomainName"] for each in api.get_domain_names()["Items"]] == [domain]


def test_a_domain_name_ends(server: Any, api: Any, make_api: Callable[..., Any]) -> None:
    made = make_api("GET /")
    api.create_domain_name(DomainName="gone.example", DomainNameConfigurations=CONFIGURATION)
    api.create_api_mapping(DomainName="gone.example", ApiId=made.id, Stage="$default")
    assert get(server, "gone.example", "/").status_code == 200
    api.delete_domain_name(DomainName="gone.example")
    assert get(server, "gone.example", "/").status_code != 200
    with pytest.raises(ClientError, match="NotFoundException"):
        api.get_domain_name(DomainName="gone.example")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"DomainName": "localhost"}, "BadRequestException"),
        ({"DomainName": "x.execute-api.us-east-1.localhost"}, "BadRequestException"),
        ({"DomainName": "127.0.0.1"}, "BadRequestException"),
        ({"DomainName": "api.shop.example"}, "ConflictException"),
        ({"DomainNameConfigurations": []}, "BadRequestException"),
        ({"MutualTlsAuthentication": {"TruststoreUri": "s3://bucket/key"}}, "NotImplemented"),
    ],
)
def test_names_that_cannot_be(api: Any, domain: str, settings: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        api.create_domain_name(**{"DomainName": "new.example", "DomainNameConfigurations": CONFIGURATION, **settings})


def test_domain_names_survive(own_server: Any) -> None:
    api = own_server.client("apigatewayv2")
    target = f"{own_server.url}/_cloudlet/health"
    api_id = api.create_api(Name="health", ProtocolType="HTTP", Target=target)["ApiId"]
    api.create_domain_name(DomainName="kept.example", DomainNameConfigurations=CONFIGURATION)
    api.create_api_mapping(DomainName="kept.example", ApiId=api_id, Stage="$default")
    own_server.restart()
    assert get(own_server, "kept.example", "/").json()["status"] == "ok"
