"""The parts of a request by which an authorizer tells who asks."""

from cloudlet.services.apigatewayv2.exchange import Exchange
from cloudlet.services.apigatewayv2.expressions import Expression
from cloudlet.services.apigatewayv2.variables import evaluate


def identity_of(sources: tuple[Expression, ...], exchange: Exchange) -> list[str] | None:
    """Their values, None if one of them is missing or empty."""
    found = [evaluate(source, exchange) for source in sources]
    values = [value for value in found if value]
    return values if len(values) == len(found) else None
