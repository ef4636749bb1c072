"""XML: a parser that refuses document types, and compiled readers and writers of shapes."""

import re
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from botocore.model import Shape

from cloudlet.core import timestamps
from cloudlet.core.model import item_of, key_of, members_of, value_of, wire_name
from cloudlet.gateway.protocols.structured import base64_of, float_words

Write = Callable[[list[str], Any], None]


class MalformedXml(ValueError):
    """Not well-formed, or with a document type (whose entities could grow without bounds)."""


@dataclass(slots=True)
class Element:
    """Names are without their namespaces."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list["Element"])
    text: str = ""


Read = Callable[[Element], Any]


def parse_xml(body: bytes) -> Element:
    """The root element. Raises MalformedXml."""
    root = Element("", {})
    stack = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        stack[-1].children.append(element)
        stack.append(element)
        if len(stack) > 100:
            raise MalformedXml("nested too deeply")

    def end(name: str) -> None:
        stack.pop()

    def text(characters: str) -> None:
        stack[-1].text += characters

    def document_type(*_: object) -> None:
        raise MalformedXml("a document type is not allowed")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, UnicodeDecodeError) as error:
        raise MalformedXml(str(error)) from None
    return root.children[0]


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


class XmlReader:
    """Compiles readers. They raise ValueError for text that is no value of its type."""

    def __init__(self) -> None:
        self._structures: dict[str, Read] = {}

    def read(self, shape: Shape) -> Read:
        kind = shape.type_name
        if kind == "structure":
            return self._structure_once(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        convert = text_reader(shape)
        return lambda element: convert(element.text)

    def _structure_once(self, shape: Shape) -> Read:
        """A structure may hold itself: its reader is looked up when it runs."""
        name = shape.name
        if name not in self._structures:
            self._structures[name] = lambda element: self._structures[name](element)
            self._structures[name] = self.members(members_of(shape))
        return self._structures[name]

    def members(self, members: Mapping[str, Shape]) -> Read:
        """A reader of a structure that has these members."""
        single: dict[str, tuple[str, Read]] = {}
        lists: dict[str, tuple[str, Read]] = {}
        maps: dict[str, tuple[str, Read]] = {}
        attributes: dict[str, str] = {}
        for name, member in members.items():
            if member.serialization.get("xmlAttribute"):
                attributes[wire_name(member, name).rpartition(":")[2]] = name
            elif member.serialization.get("flattened") and member.type_name == "list":
                lists[flattened_name(member, name)] = (name, self.read(item_of(member)))
            elif member.serialization.get("flattened") and member.type_name == "map":
                maps[wire_name(member, name)] = (name, self._entry(member))
            else:
                single[wire_name(member, name)] = (name, self.read(member))

        def read_structure(element: Element) -> dict[str, Any]:
            value: dict[str, Any] = {
                attributes[key]: text for key, text in element.attributes.items() if key in attributes
            }
            for child in element.children:
                if (found := single.get(child.name)) is not None:
                    value[found[0]] = found[1](child)
                elif (found := lists.get(child.name)) is not None:
                    value.setdefault(found[0], []).append(found[1](child))
                elif (found := maps.get(child.name)) is not None:
                    value.setdefault(found[0], {}).update([found[1](child)])
            return value

        return read_structure

    def _list(self, shape: Shape) -> Read:
        read_item = self.read(item_of(shape))
        name = wire_name(item_of(shape), "member")
        return lambda element: [read_item(child) for child in element.children if child.name == name]

    def _map(self, shape: Shape) -> Read:
        read_entry = self._entry(shape)
        return lambda element: dict(read_entry(child) for child in element.children if child.name == "entry")

    def _entry(self, shape: Shape) -> Read:
        key_name, value_name = wire_name(key_of(shape), "key"), wire_name(value_of(shape), "value")
        read_key, read_value = self.read(key_of(shape)), self.read(value_of(shape))

        def read_entry(element: Element) -> tuple[Any, Any]:
            children = {child.name: child for child in element.children}
            if key_name not in children or value_name not in children:
                raise ValueError(f"an entry without {key_name} and {value_name}")
            return read_key(children[key_name]), read_value(children[value_name])

        return read_entry


class XmlWriter:
    """Compiles writers, each of which adds one element to a list of text parts."""

    def __init__(self, *, always_milliseconds: bool = False) -> None:
        self._bodies: dict[str, Write] = {}
        self._always_milliseconds = always_milliseconds

    def element(self, shape: Shape, name: str, namespace: str = "") -> Write:
        """`namespace` is the text of an attribute (` xmlns="…"`) for the start tag."""
        namespace = namespace or _namespace(shape)
        kind = shape.type_name
        if kind == "structure":
            return self._wrapped(shape, name, namespace)
        if kind == "list":
            items = self._items(shape, wire_name(item_of(shape), "member"))
            return items if shape.serialization.get("flattened") else _enclosed(name, namespace, items)
        if kind == "map":
            entries = self._entries(shape, "entry")
            return entries if shape.serialization.get("flattened") else _enclosed(name, namespace, entries)
        return self._text(shape, name, namespace)

    def content(self, members: Mapping[str, Shape]) -> Write:
        """Writes the members of a structure, without an element around them."""
        rows: list[tuple[str, Write]] = []
        for name, member in members.items():
            if not member.serialization.get("xmlAttribute"):
                rows.append((name, self._member(member, name)))

        def write_content(parts: list[str], value: Any) -> None:
            for name, write in rows:
                item = value.get(name)
                if item is not None:
                    write(parts, item)

        return write_content

    def _member(self, member: Shape, name: str) -> Write:
        if member.serialization.get("flattened"):
            if member.type_name == "list":
                return self._items(member, flattened_name(member, name))
            if member.type_name == "map":
                return self._entries(member, wire_name(member, name))
        return self.element(member, wire_name(member, name))

    def _wrapped(self, shape: Shape, name: str, namespace: str) -> Write:
        body = self.body(shape)
        attributes = [
            (member_name, wire_name(member, member_name))
            for member_name, member in members_of(shape).items()
            if member.serialization.get("xmlAttribute")
        ]
        if not attributes:
            return _enclosed(name, namespace, body)

        def write_structure(parts: list[str], value: Any) -> None:
            parts.append(f"<{name}{namespace}")
            for member_name, attribute in attributes:
                if value.get(member_name) is not None:
                    parts.append(f' {attribute}="{escaped(str(value[member_name]))}"')
            parts.append(">")
            body(parts, value)
            parts.append(f"</{name}>")

        return write_structure

    def body(self, shape: Shape) -> Write:
        """Writes a structure's members, without an element around them; compiled once.

        A structure may hold itself: its writer is looked up when it runs.
        """
        name = shape.name
        if name not in self._bodies:
            self._bodies[name] = lambda parts, value: self._bodies[name](parts, value)
            self._bodies[name] = self.content(members_of(shape))
        return self._bodies[name]

    def _items(self, shape: Shape, name: str) -> Write:
        write = self.element(item_of(shape), name)

        def write_items(parts: list[str], value: Any) -> None:
            for item in value:
                write(parts, item)

        return write_items

    def _entries(self, shape: Shape, name: str) -> Write:
        write_key = self.element(key_of(shape), wire_name(key_of(shape), "key"))
        write_value = self.element(value_of(shape), wire_name(value_of(shape), "value"))

        def write_entries(parts: list[str], value: Any) -> None:
            for key, item in value.items():
                if item is None:
                    continue
                parts.append(f"<{name}>")
                write_key(parts, key)
                write_value(parts, item)
                parts.append(f"</{name}>")

        return write_entries

    def _text(self, shape: Shape, name: str, namespace: str) -> Write:
        convert = self._text_of(shape)
        start, end = f"<{name}{namespace}>", f"</{name}>"

        def write_text(parts: list[str], value: Any) -> None:
            parts.append(start)
            parts.append(convert(value))
            parts.append(end)

        return write_text

    def _text_of(self, shape: Shape) -> Callable[[Any], str]:
        kind = shape.type_name
        if kind == "timestamp" and "timestampFormat" not in shape.serialization and self._always_milliseconds:
            return lambda value: timestamps.to_iso8601(value, always_milliseconds=True)
        if kind in ("string", "character"):
            return lambda value: escaped(str(value))
        return text_writer(shape, "iso8601")


def flattened_name(member: Shape, name: str) -> str:
    """A flattened list's items carry their own name if they have one, else that of the list."""
    return wire_name(item_of(member), wire_name(member, name))


def text_reader(shape: Shape, timestamp_format: str = "") -> Callable[[str], Any]:
    """Text to a value of a scalar shape. Raises ValueError."""
    return _READERS.get(shape.type_name, _string)


def text_writer(shape: Shape, timestamp_format: str) -> Callable[[Any], str]:
    """A value of a scalar shape to text, not escaped."""
    if shape.type_name == "timestamp":
        form = str(shape.serialization.get("timestampFormat", timestamp_format)).lower()
        return _TIMESTAMP_WRITERS[form]
    return _WRITERS.get(shape.type_name, str)


def _string(text: str) -> str:
    return text


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise ValueError(f"neither true nor false: {text}")
    return word == "true"


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise ValueError(f"no integer: {text}")
    return int(text)


def _blob(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()), validate=True)
    except BadBase64 as error:
        raise ValueError(str(error)) from None


_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_READERS: Mapping[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "integer": _integer,
    "long": _integer,
    "float": float,
    "double": float,
    "blob": _blob,
    "timestamp": timestamps.from_text,
}
_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "boolean": lambda value: "true" if value else "false",
    "blob": base64_of,
    "float": lambda value: str(float_words(value)),
    "double": lambda value: str(float_words(value)),
}


def _epoch_text(value: Any) -> str:
    seconds = timestamps.epoch(value)
    return str(int(seconds)) if seconds.is_integer() else str(seconds)


_TIMESTAMP_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "iso8601": timestamps.to_iso8601,
    "rfc822": timestamps.to_rfc822,
    "unixtimestamp": _epoch_text,
}

_SPECIAL = re.compile(r'[&<>"\x00-\x08\x0b-\x1f\ufffe\uffff]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escaped(text: str) -> str:
    """For content and attributes. Control characters become references, as S3 writes them in keys."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _ENTITIES.get(found[0]) or f"&#x{ord(found[0]):X};", text)


def _namespace(shape: Shape) -> str:
    namespace: Any = shape.serialization.get("xmlNamespace")
    if namespace is None:
        return ""
    uri = namespace if isinstance(namespace, str) else namespace["uri"]
    prefix = "" if isinstance(namespace, str) or not namespace.get("prefix") else f":{namespace['prefix']}"
    return f' xmlns{prefix}="{uri}"'


def _enclosed(name: str, namespace: str, body: Write) -> Write:
    start, end = f"<{name}{namespace}>", f"</{name}>"

    def write_enclosed(parts: list[str], value: Any) -> None:
        parts.append(start)
        body(parts, value)
        parts.append(end)

    return write_enclosed
