"""What an event pattern wants of one field: values, and tests of values."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cloudlet.core.wildcards import ANY, expression

# A value of an event: a scalar of JSON.
Scalar = str | int | float | bool | None
# Whether a value is wanted.
Test = Callable[[Scalar], bool]
_IPV6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")


@dataclass(slots=True)
class Condition:
    """What is wanted of one field: one of some values, a value that passes a test, or that there is no such field."""

    strings: set[str] = field(default_factory=set[str])
    numbers: set[float] = field(default_factory=set[float])
    constants: list[bool | None] = field(default_factory=list[bool | None])
    tests: list[Test] = field(default_factory=list[Test])
    absent: bool = False

    def accepts(self, value: Scalar) -> bool:
        if isinstance(value, str):
            found = value in self.strings
        elif value is None or isinstance(value, bool):
            found = any(value is constant for constant in self.constants)
        else:
            found = value in self.numbers
        return found or any(test(value) for test in self.tests)

    @property
    def only_strings(self) -> bool:
        return not (self.numbers or self.constants or self.tests or self.absent)


COMPARISONS: dict[str, Callable[[float], Callable[[Any], bool]]] = {
    "=": lambda bound: lambda value: value == bound,
    "<": lambda bound: lambda value: value < bound,
    "<=": lambda bound: lambda value: value <= bound,
    ">": lambda bound: lambda value: value > bound,
    ">=": lambda bound: lambda value: value >= bound,
}


def add_string(condition: Condition, text: str) -> None:
    """An IPv6 address stands for all the ways to write it."""
    if _IPV6.fullmatch(text) and (address := _address(text)) is not None:
        condition.tests.append(on_text(lambda value: _address(value) == address))
    condition.strings.add(text)


def number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() and len(text) < 20 else float(text)


def is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def on_text(test: Callable[[str], bool]) -> Test:
    return lambda value: isinstance(value, str) and test(value)


def affix_ignoring_case(name: str, text: str) -> Test:
    folded = text.lower()
    if name == "prefix":
        return on_text(lambda value: value.lower().startswith(folded))
    return on_text(lambda value: value.lower().endswith(folded))


def _prefix(text: str) -> Callable[[str], bool]:
    return lambda value: value.startswith(text)


def _suffix(text: str) -> Callable[[str], bool]:
    return lambda value: value.endswith(text)


def _equals_ignore_case(text: str) -> Callable[[str], bool]:
    folded = text.lower()
    return lambda value: value.lower() == folded


def _wildcard(text: str) -> Callable[[str], bool]:
    r"""`*` stands for any text; `\*` for a star and `\\` for a backslash. Raises ValueError."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        character, following = text[position], text[position + 1 : position + 2]
        # AWS counts the quote before the text as well.
        if character == "*":
            if following == "*":
                raise ValueError(f"Consecutive wildcard characters at pos {position + 1}")
            parts.append(ANY)
        elif character == "\\":
            if following not in ("*", "\\"):
                raise ValueError(f"Invalid escape character at pos {position + 1}")
            parts.append(re.escape(following))
            position += 1
        else:
            parts.append(re.escape(character))
        position += 1
    compiled = re.compile(expression(parts), re.DOTALL)
    return lambda value: compiled.fullmatch(value) is not None


def _cidr(text: str) -> Callable[[str], bool]:
    """Raises ValueError."""
    address, slash, bits = text.partition("/")
    if not slash or "/" in bits:
        raise ValueError("Malformed CIDR, one '/' required")
    if not bits.lstrip("-").isdigit():
        raise ValueError("Malformed CIDR, mask bits must be an integer")
    if bits.startswith("-"):
        raise ValueError("Malformed CIDR, mask bits must not be negative")
    parsed = _address(address)
    if parsed is None:
        raise ValueError(f"Nonstandard IP address: {address}")
    if int(bits) >= parsed.max_prefixlen:
        raise ValueError(f"IPv{parsed.version} mask bits must be < {parsed.max_prefixlen}")
    network = ipaddress.ip_network(f"{parsed}/{int(bits)}", strict=False)
    return lambda value: (found := _address(value)) is not None and found in network


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


TEXT_TESTS: dict[str, Callable[[str], Callable[[str], bool]]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "cidr": _cidr,
}
