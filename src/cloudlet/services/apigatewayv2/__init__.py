"""API Gateway: HTTP APIs in front of functions."""

from cloudlet.services.apigatewayv2.service import ApiGatewayV2

__all__ = ["ApiGatewayV2"]
