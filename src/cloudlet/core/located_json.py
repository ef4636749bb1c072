"""JSON read token by token, with the place of each in the text: errors say where, in the words of Jackson (AWS)."""

import re
from json import JSONDecoder
from typing import NoReturn

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[^\s,:\[\]{}\"]*")
_WORDS = ("true", "false", "null")
_SOURCE_SHOWN = 500
_DECODER = JSONDecoder()

KEY, STRING, NUMBER = "key", "string", "number"
SCALARS = frozenset((STRING, NUMBER, *_WORDS))


class LocatedError(ValueError):
    """What is wrong, and on a second line where."""


class LocatedJson:
    """The tokens of a text.

    `next` goes to the next one and returns its kind: a bracket, `key`, `string`, `number`, `true`, `false` or `null`,
    or an empty text at the end. `text` is what the current key, string or number is.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._open: list[str] = []
        self._kind = ""
        self._text = ""
        # A string's end is behind the position that errors name until somebody has asked for its text.
        self._string_end: int | None = None
        # Whether a comma, or a value behind a key, comes next.
        self._after_value = False
        self._key_read = False

    def next(self) -> str:
        """Raises LocatedError for what is not JSON."""
        self._finish_string()
        self._skip_space()
        if self._key_read:
            self._key_read = False
            return self._value()
        if self._open:
            return self._member()
        if self._kind == "":
            return self._value()
        if self._peek():
            self._unexpected("was expecting the end of the text")
        return ""

    @property
    def text(self) -> str:
        self._finish_string()
        return self._text

    def fail(self, reason: str) -> NoReturn:
        """Raises LocatedError with the current place."""
        raise LocatedError(f"{reason}\n at {self._where(self._place())}")

    def _place(self) -> int:
        """Behind a key, the place is where its value has been recognised: behind a bracket, a quote, a number."""
        if not self._key_read:
            return self._position
        found = _SPACE.match(self._source, self._position)
        start = found.end() if found else self._position
        if self._source[start : start + 1] in ('"', "{", "["):
            return start + 1
        word = _WORD.match(self._source, start)
        return word.end() if word else start

    def _where(self, position: int) -> str:
        line = self._source.count("\n", 0, position) + 1
        column = position - (self._source.rfind("\n", 0, position) + 1) + 1
        shown = self._source[:_SOURCE_SHOWN]
        cut = len(self._source) - len(shown)
        rest = f"[truncated {cut} chars]" if cut else ""
        return f'[Source: (String)"{shown}"{rest}; line: {line}, column: {column}]'

    def _member(self) -> str:
        """What comes next within an object or an array."""
        closing = "}" if self._open[-1] == "{" else "]"
        if self._peek() == closing:
            self._position += 1
            self._open.pop()
            self._after_value = True
            return self._found(closing)
        if self._after_value:
            if self._peek() != ",":
                kind = "Object" if closing == "}" else "Array"
                self._unexpected(f"was expecting comma to separate {kind} entries")
            self._position += 1
            self._after_value = False
            self._skip_space()
        return self._key() if closing == "}" else self._value()

    def _key(self) -> str:
        if self._peek() != '"':
            self._unexpected("was expecting double-quote to start field name")
        self._scan_string()
        self._finish_string()
        self._skip_space()
        if self._peek() != ":":
            self._unexpected("was expecting a colon to separate field name and value")
        self._position += 1
        self._key_read = True
        return self._found(KEY)

    def _value(self) -> str:
        character = self._peek()
        if character in ("{", "["):
            self._position += 1
            self._open.append(character)
            self._after_value = False
            return self._found(character)
        self._after_value = True
        if character == '"':
            self._scan_string()
            return self._found(STRING)
        if not character:
            return self._end()
        return self._found(self._word(character))

    def _word(self, character: str) -> str:
        number = _NUMBER.match(self._source, self._position)
        if number is not None:
            self._text = number[0]
            self._position = number.end()
            return NUMBER
        word = _WORD.match(self._source, self._position)
        self._text = word[0] if word else ""
        if not self._text:
            self._unexpected(
                "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            )
        self._position += len(self._text)
        if self._text not in _WORDS:
            expected = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            self.fail(f"Unrecognized token '{self._text}': {expected}")
        return self._text

    def _scan_string(self) -> None:
        try:
            self._text, self._string_end = _DECODER.raw_decode(self._source, self._position)
        except ValueError:
            self._position = len(self._source)
            self.fail("Unexpected end-of-input: was expecting closing quote for a string value")
        self._position += 1

    def _finish_string(self) -> None:
        if self._string_end is not None:
            self._position = self._string_end
            self._string_end = None

    def _end(self) -> str:
        if not self._open:
            return ""
        kind = "Object" if self._open[-1] == "{" else "Array"
        return self.fail(f"Unexpected end-of-input: expected close marker for {kind}")

    def _unexpected(self, expected: str) -> NoReturn:
        character = self._peek()
        if not character:
            self._end()
        self._position += 1
        self.fail(f"Unexpected character ('{character}' (code {ord(character or ' ')})): {expected}")

    def _found(self, kind: str) -> str:
        self._kind = kind
        return kind

    def _peek(self) -> str:
        return self._source[self._position : self._position + 1]

    def _skip_space(self) -> None:
        found = _SPACE.match(self._source, self._position)
        self._position = found.end() if found else self._position
