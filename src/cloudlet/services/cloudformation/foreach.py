"""Fn::ForEach of AWS::LanguageExtensions: one declaration repeated for each value of a collection."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from cloudlet.services.cloudformation.template import validation_error

_PREFIX = "Fn::ForEach::"


def expand(node: Any, parameters: Mapping[str, str]) -> Any:
    """The node with every loop in it written out. `parameters` are the values that a collection may refer to."""
    if isinstance(node, list):
        return [expand(each, parameters) for each in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    found: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", node).items():
        if key.startswith(_PREFIX):
            for name, each in _repeated(key, value, parameters):
                if name in found:
                    raise validation_error(f"Template error: Fn::ForEach makes {name} more than once")
                found[name] = each
        else:
            found[key] = expand(value, parameters)
    return found


def _repeated(key: str, loop: Any, parameters: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    parts = cast("list[Any]", loop if isinstance(loop, list) else [])
    if len(parts) != 3 or not isinstance(parts[0], str) or not isinstance(parts[2], dict):
        raise validation_error(f"Template error: {key} requires a list of an identifier, a collection and an object")
    identifier, collection, body = parts
    for value in _values(key, collection, parameters):
        yield from expand(_put(body, identifier, value), parameters).items()


def _values(key: str, collection: Any, parameters: Mapping[str, str]) -> list[str]:
    if isinstance(collection, dict) and set(cast("dict[str, Any]", collection)) == {"Ref"}:
        name = str(cast("dict[str, Any]", collection)["Ref"])
        if name not in parameters:
            raise validation_error(f"Template error: the collection of {key} does not refer to a parameter")
        return [each.strip() for each in parameters[name].split(",")]
    if not isinstance(collection, list):
        raise validation_error(f"Template error: the collection of {key} is not a list")
    return [str(each) for each in cast("list[Any]", collection)]


def _put(node: Any, identifier: str, value: str) -> Any:
    """The node with the value in each place of the identifier: `${Name}`, `&{Name}` and Ref."""
    if isinstance(node, str):
        plain = "".join(each for each in value if each.isalnum())
        return node.replace("${" + identifier + "}", value).replace("&{" + identifier + "}", plain)
    if isinstance(node, list):
        return [_put(each, identifier, value) for each in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    members = cast("dict[str, Any]", node)
    if members == {"Ref": identifier}:
        return value
    return {_put(key, identifier, value): _put(each, identifier, value) for key, each in members.items()}
