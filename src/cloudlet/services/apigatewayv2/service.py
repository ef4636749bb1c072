"""API Gateway as one service: the operations on APIs, and the requests that the APIs answer."""

from cloudlet.services.apigatewayv2.apis import Apis
from cloudlet.services.apigatewayv2.data_plane import DataPlane


class ApiGatewayV2(Apis, DataPlane):
    """HTTP APIs: routes, integrations, stages and deployments, and their data plane."""
