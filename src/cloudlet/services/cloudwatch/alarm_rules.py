"""The rules of composite alarms: `ALARM("cpu") AND NOT (OK(disk) OR INSUFFICIENT_DATA(disk))`."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cloudlet.services.cloudwatch.errors import validation_error

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<state>(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^")]*?))\s*\))
    | (?P<sign>[()])
    | (?P<word>\w+)
    )""",
    re.VERBOSE,
)
_MOST_ALARMS = 100
_MOST_ELEMENTS = 500
_DEEPEST = 50

# What state an alarm is in, None for one that is not there.
StateOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """`alarms` are the names or ARNs that it refers to, in their order; `holds` tells whether it does."""

    alarms: tuple[str, ...]
    holds: Callable[[StateOf], bool]


def parse_rule(text: str) -> Rule:
    """Raises ValidationError."""
    tokens = list(_tokens(text))
    if len(tokens) > _MOST_ELEMENTS:
        raise validation_error(f"AlarmRule must not have more than {_MOST_ELEMENTS} elements")
    parser = _Parser(tokens)
    holds = parser.whole()
    alarms = tuple(dict.fromkeys(parser.alarms))
    if len(alarms) > _MOST_ALARMS:
        raise validation_error(f"AlarmRule must not refer to more than {_MOST_ALARMS} alarms")
    return Rule(alarms, holds)


def name_in(reference: str) -> str:
    """The name of an alarm in a reference by name or ARN."""
    return reference.split(":", 6)[6] if reference.startswith("arn:") and reference.count(":") >= 6 else reference


class _Parser:
    def __init__(self, tokens: list[tuple[str, str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self.alarms: list[str] = []

    def whole(self) -> Callable[[StateOf], bool]:
        holds = self._either()
        if self._at < len(self._tokens):
            raise _malformed(self._tokens[self._at][1])
        return holds

    def _either(self) -> Callable[[StateOf], bool]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise validation_error("AlarmRule is nested too deeply")
        parts = [self._all()]
        while self._skip("word", "OR"):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda states: any(part(states) for part in parts)

    def _all(self) -> Callable[[StateOf], bool]:
        parts = [self._one()]
        while self._skip("word", "AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda states: all(part(states) for part in parts)

    def _one(self) -> Callable[[StateOf], bool]:
        if self._at == len(self._tokens):
            raise _malformed("<EOF>")
        kind, token, alarm = self._tokens[self._at]
        self._at += 1
        if kind == "state":
            if not alarm:
                raise _malformed(token)
            self.alarms.append(alarm)
            wanted = token
            return lambda states: states(alarm) == wanted
        if kind == "sign" and token == "(":
            inner = self._either()
            if not self._skip("sign", ")"):
                raise _malformed("<EOF>" if self._at == len(self._tokens) else self._tokens[self._at][1])
            return inner
        if token.upper() == "NOT":
            negated = self._one()
            return lambda states: not negated(states)
        if token.upper() in ("TRUE", "FALSE"):
            always = token.upper() == "TRUE"
            return lambda states: always
        raise _malformed(token)

    def _skip(self, kind: str, token: str) -> bool:
        if self._at < len(self._tokens):
            found = self._tokens[self._at]
            if found[0] == kind and found[1].upper() == token:
                self._at += 1
                return True
        return False


def _tokens(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, token and, for a state, the alarm that it is asked of."""
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _malformed(text[at:].strip()[:1])
        at = found.end()
        if found["state"] is not None:
            quoted = found["quoted"]
            alarm = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found["bare"].strip()
            yield "state", found["state"].partition("(")[0].strip(), alarm
        else:
            kind = "sign" if found["sign"] is not None else "word"
            yield kind, found[kind], ""


def _malformed(token: str) -> Exception:
    return validation_error(f"AlarmRule is not valid: unexpected '{token}'")
