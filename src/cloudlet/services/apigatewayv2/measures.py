"""What API Gateway measures of each request, for CloudWatch (`AWS/ApiGateway`)."""

from cloudlet.core.metrics import Metrics
from cloudlet.services.apigatewayv2.exchange import Exchange

_NAMESPACE = "AWS/ApiGateway"


def record(metrics: Metrics, exchange: Exchange) -> None:
    """By API and stage, and by route where the stage asks for that."""
    served, route = exchange.served, exchange.route
    place = (served.account, served.region)
    dimensions = served.dimensions if route is None else route.dimensions
    status, now = exchange.status, exchange.time
    metrics.record(place, _NAMESPACE, "Count", dimensions, 1, "Count", now)
    metrics.record(place, _NAMESPACE, "4xx", dimensions, 400 <= status < 500, "Count", now)
    metrics.record(place, _NAMESPACE, "5xx", dimensions, status >= 500, "Count", now)
    metrics.record(place, _NAMESPACE, "Latency", dimensions, round(exchange.latency * 1000), "Milliseconds", now)
    processed = len(exchange.body) + exchange.response_length
    metrics.record(place, _NAMESPACE, "DataProcessed", dimensions, processed, "Bytes", now)
    if exchange.integration_latency is not None:
        latency = round(exchange.integration_latency * 1000)
        metrics.record(place, _NAMESPACE, "IntegrationLatency", dimensions, latency, "Milliseconds", now)
