"""API Gateway as one service: the operations on APIs, and the requests that the APIs answer."""

from cloudlet.services.apigatewayv2.apis import Apis
from cloudlet.services.apigatewayv2.authorizers import Authorizers
from cloudlet.services.apigatewayv2.data_plane import DataPlane
from cloudlet.services.apigatewayv2.deployments import Deployments
from cloudlet.services.apigatewayv2.domains import Domains
from cloudlet.services.apigatewayv2.integrations import Integrations
from cloudlet.services.apigatewayv2.routes import Routes
from cloudlet.services.apigatewayv2.tags import Tags


class ApiGatewayV2(Apis, Routes, Integrations, Authorizers, Deployments, Domains, Tags, DataPlane):
    """HTTP APIs and their data plane."""
