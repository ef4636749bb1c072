"""Validation of an operation's input by its model, compiled once per shape."""

from typing import Any


def validate_input(api: str, operation: str, params: dict[str, Any]) -> None:
    """Raises the API's validation error if the parameters break a rule of the model (to be compiled from it)."""
