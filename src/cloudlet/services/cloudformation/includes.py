"""AWS::Include: parts of a template that are kept in S3, written in where the template names them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.template import INCLUDE, parse

_FUNCTION = "Fn::Transform"

Fetch = Callable[[str], Awaitable[str]]


async def expand(body: dict[str, Any], fetch: Fetch, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The template with its includes written in; itself if there are none.

    `fetch` reads the text at an address (`s3://bucket/key`); parameters are for addresses that are a Ref. Raises
    ValidationError.
    """
    writer = _Writer(fetch, parameters)
    declared = body.get("Transform")
    each = cast("list[Any]", declared) if isinstance(declared, list) else [declared]
    own = [one for one in each if isinstance(one, dict)]
    body = await writer.write(body)
    if not own:
        return body
    body["Transform"] = [one for one in each if isinstance(one, str)]
    for one in own:
        body = _merged(body, await writer.content(one))
    return body


def includes(node: Any) -> bool:
    """Whether there is one anywhere in it."""
    if isinstance(node, dict):
        members = cast("dict[str, Any]", node)
        declared = members.get("Transform")
        each = cast("list[Any]", declared) if isinstance(declared, list) else [declared]
        return (
            _FUNCTION in members
            or any(isinstance(one, dict) and one.get("Name") == INCLUDE for one in each)
            or any(includes(value) for value in members.values())
        )
    return isinstance(node, list) and any(includes(value) for value in cast("list[Any]", node))


class _Writer:
    def __init__(self, fetch: Fetch, parameters: Mapping[str, str]) -> None:
        self._fetch = fetch
        self._parameters = parameters

    async def write(self, node: Any) -> Any:
        """The node without its includes. What an include brings holds no further ones, as on AWS."""
        if isinstance(node, list):
            return [await self.write(each) for each in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        members = cast("dict[str, Any]", node)
        plain = {key: await self.write(value) for key, value in members.items() if key != _FUNCTION}
        if _FUNCTION not in members:
            return plain
        content = await self.content(members[_FUNCTION])
        return _merged(plain, content) if plain else content

    async def content(self, argument: Any) -> Any:
        """What stands at the address that an include names."""
        given = cast("dict[str, Any]", argument) if isinstance(argument, dict) else {}
        if given.get("Name") != INCLUDE:
            raise NotImplementedByCloudlet(f"the transform {given.get('Name')}")
        location = (given.get("Parameters") or {}).get("Location")
        if isinstance(location, dict) and "Ref" in location:
            location = self._parameters.get(location["Ref"])
        if not isinstance(location, str) or not location.startswith("s3://"):
            raise validation_error(
                f"Transform {INCLUDE} failed with: The value of parameter Location under transform Include must resolve"
                " to a string, number, boolean or a list of any of these."
                if not isinstance(location, str)
                else f"Transform {INCLUDE} failed with: The location parameter is not a valid S3 uri."
            )
        return parse(await self._fetch(location))


def _merged(members: dict[str, Any], content: Any) -> dict[str, Any]:
    """Sections that both have are put together; else what is included has the last word."""
    if not isinstance(content, dict):
        raise validation_error(f"Transform {INCLUDE} failed with: what is included beside other members must be a map.")
    merged = dict(members)
    for key, value in cast("dict[str, Any]", content).items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = {**merged[key], **value} if both else value
    return merged
