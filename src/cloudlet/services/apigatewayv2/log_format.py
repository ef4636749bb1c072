"""The format of access logs: one line with `$context` variables, in CLF, JSON, XML or any other shape."""

import re
from collections.abc import Callable

import orjson

_VARIABLE = re.compile(r"\$context\.(\w+(?:\.\w+)*)")
_REQUIRED = frozenset(("requestId", "extendedRequestId"))
_ABSENT = "-"


class LogFormat:
    def __init__(self, text: str) -> None:
        self._parts = _VARIABLE.split(text)
        # In JSON a value must not end the text that it stands in.
        self._is_json = text.lstrip().startswith("{")

    @property
    def names_request(self) -> bool:
        """Whether each line tells which request it is about, as it must."""
        return not _REQUIRED.isdisjoint(self._parts[1::2])

    def line(self, variable: Callable[[str], str | None]) -> str:
        """`variable` gives the value of a variable by its name (`identity.sourceIp`)."""
        parts = self._parts.copy()
        for at in range(1, len(parts), 2):
            value = variable(parts[at])
            if value is None or value == "":
                parts[at] = _ABSENT
            elif self._is_json and parts[at] != "error.messageString":
                parts[at] = orjson.dumps(value)[1:-1].decode()
            else:
                parts[at] = value.replace("\n", " ").replace("\r", " ")
        return "".join(parts)
