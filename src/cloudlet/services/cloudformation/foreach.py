"""Fn::ForEach of AWS::LanguageExtensions: one declaration repeated for each value of a collection."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from cloudlet.services.cloudformation.errors import validation_error

_PREFIX = "Fn::ForEach::"
_MOST_REPETITIONS = 5000


def expand(node: Any, parameters: Mapping[str, str]) -> Any:
    """The node with every loop in it written out. `parameters` are the values that a collection may refer to."""
    return _Loops(parameters).expand(node)


class _Loops:
    """Counts the repetitions: loops within loops can stand for more than any machine can hold."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._parameters = parameters
        self._repetitions = 0

    def expand(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.expand(each) for each in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        found: dict[str, Any] = {}
        for key, value in cast("dict[str, Any]", node).items():
            if key.startswith(_PREFIX):
                for name, each in self._repeated(key, value):
                    if name in found:
                        raise validation_error(f"Template error: Fn::ForEach makes {name} more than once")
                    found[name] = each
            else:
                found[key] = self.expand(value)
        return found

    def _repeated(self, key: str, loop: Any) -> Iterator[tuple[str, Any]]:
        parts = cast("list[Any]", loop if isinstance(loop, list) else [])
        if len(parts) != 3 or not isinstance(parts[0], str) or not isinstance(parts[2], dict):
            raise validation_error(
                f"Template error: {key} requires a list of an identifier, a collection and an object"
            )
        identifier, collection, body = parts
        for value in self._values(key, collection):
            self._repetitions += 1
            if self._repetitions > _MOST_REPETITIONS:
                raise validation_error("Template error: the loops of Fn::ForEach make the template too large")
            yield from self.expand(_put(body, identifier, value)).items()

    def _values(self, key: str, collection: Any) -> list[str]:
        if isinstance(collection, dict) and set(cast("dict[str, Any]", collection)) == {"Ref"}:
            name = str(cast("dict[str, Any]", collection)["Ref"])
            if name not in self._parameters:
                raise validation_error(f"Template error: the collection of {key} does not refer to a parameter")
            return [each.strip() for each in self._parameters[name].split(",")]
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
