"""Reads event patterns, by the rules and in the words of AWS's Event Ruler."""

from collections.abc import Callable
from typing import Any, NoReturn

from cloudlet.core.event_conditions import (
    COMPARISONS,
    TEXT_TESTS,
    Condition,
    Test,
    add_string,
    affix_ignoring_case,
    is_number,
    number,
    on_text,
)
from cloudlet.core.located_json import KEY, NUMBER, SCALARS, STRING, LocatedJson

# The conditions by the paths of their fields, all of which must hold.
Alternative = dict[str, Condition]

_OR = "$or"
_MOST_ALTERNATIVES = 1000
# What cannot be the name of a field in an alternative of $or: a match expression that has lost its array.
_RESERVED = (
    frozenset(
        ("exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr")
    )
    | frozenset(
        ("=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case", "date-after", "date-on-or-after")
    )
    | frozenset(("date-before", "date-on-or-before", "in-date-range", "ip-address-in-range", "ip-address-not-in-range"))
)
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_ONE_KEY = "Only one key allowed in match expression"
_TOO_MANY = "Too many elements in numeric expression"
_NO_TEXTS = {
    "equals-ignore-case": "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    "wildcard": "wildcard match pattern must be a string",
}


class PatternReader:
    """Reads a pattern's tokens into alternatives, by the rules and in the words of AWS's Event Ruler."""

    def __init__(self, source: LocatedJson) -> None:
        self._json = source
        self._steps: set[str] = set()

    def read(self) -> tuple[list[Alternative], set[str]]:
        """The alternatives, and the names in their paths. Raises LocatedError, ValueError."""
        if self._json.next() != "{":
            self._fail("Filter is not an object")
        alternatives = self._object([{}], "", in_or=False)
        self._json.next()  # there is nothing else
        return alternatives, self._steps

    def _object(self, rules: list[Alternative], path: str, *, in_or: bool) -> list[Alternative]:
        """The alternatives, each with what the object demands added."""
        empty = True
        while self._json.next() == KEY:
            empty = False
            name = self._json.text
            if name == _OR:
                rules = self._either(rules, path)
                continue
            if in_or and name in _RESERVED:
                self._fail(f"{name} is Ruler reserved fieldName which cannot be used inside $or.")
            self._steps.update(name.split("."))
            inner = f"{path}.{name}" if path else name
            kind = self._json.next()
            if kind == "{":
                rules = self._object(rules, inner, in_or=in_or)
            elif kind == "[":
                condition = self._condition()
                rules = [{**rule, inner: condition} for rule in rules]
            else:
                self._fail(f'"{name}" must be an object or an array')
        if empty:
            self._fail("Empty objects are not allowed")
        return rules

    def _either(self, rules: list[Alternative], path: str) -> list[Alternative]:
        if self._json.next() != "[":
            self._fail("It must be an Array followed with $or.")
        found: list[Alternative] = []
        count = 0
        while (kind := self._json.next()) != "]":
            count += 1
            if kind != "{":
                self._fail("Only JSON object is allowed in array of $or relationship.")
            found += self._object(rules, path, in_or=True)
            if len(found) > _MOST_ALTERNATIVES:
                self._fail(f"Rule is too complex - more than {_MOST_ALTERNATIVES} combinations of $or")
        if count < 2:
            self._fail("There must have at least 2 Objects in $or relationship.")
        return found

    def _condition(self) -> Condition:
        condition = Condition()
        empty = True
        while (kind := self._json.next()) != "]":
            empty = False
            if kind == "{":
                self._expression(condition)
            elif kind == STRING:
                add_string(condition, self._json.text)
            elif kind == NUMBER:
                condition.numbers.add(number(self._json.text))
            elif kind in _CONSTANTS:
                condition.constants.append(_CONSTANTS[kind])
            else:
                self._fail("Match value must be String, number, true, false, or null")
        if empty:
            self._fail("Empty arrays are not allowed")
        return condition

    def _expression(self, condition: Condition) -> None:
        if self._json.next() != KEY:
            self._fail("Match expression name not found")
        name = self._json.text
        if name == "exists":
            self._exists(condition)
        elif name == "exactly":
            condition.strings.add(self._string("exact match pattern must be a string"))
            self._close()
        elif name == "numeric":
            condition.tests.append(self._numeric())
        elif name == "anything-but":
            condition.tests.append(self._anything_but())
        elif name in ("prefix", "suffix"):
            condition.tests.append(self._affix(name))
        elif name in TEXT_TESTS:
            kind = "prefix" if name == "cidr" else name
            condition.tests.append(self._text_test(name, self._string(f"{kind} match pattern must be a string")))
            self._close()
        else:
            self._fail(f"Unrecognized match type {name}")

    def _exists(self, condition: Condition) -> None:
        kind = self._json.next()
        if kind == "true":
            condition.tests.append(lambda _: True)
        elif kind == "false":
            condition.absent = True
        else:
            self._fail("exists match pattern must be either true or false.")
        self._close()

    def _affix(self, name: str) -> Test:
        """A prefix or suffix: `"a"` or `{"equals-ignore-case": "a"}`."""
        kind = self._json.next()
        if kind == "{":
            if self._json.next() != KEY:
                self._fail(f"{name.capitalize()} expression name not found")
            if self._json.text != "equals-ignore-case":
                self._fail(f"Unsupported {name} pattern: {self._json.text}")
            test = affix_ignoring_case(name, self._string("equals-ignore-case match pattern must be a string"))
            self._close()
        elif kind == STRING:
            test = self._text_test(name, self._json.text)
        else:
            self._fail(f"{name} match pattern must be a string")
        self._close()
        return test

    def _text_test(self, name: str, operand: str) -> Test:
        try:
            return on_text(TEXT_TESTS[name](operand))
        except ValueError as error:
            if name == "cidr":
                raise  # AWS says of these not where they are
            self._fail(str(error))

    def _anything_but(self) -> Test:
        kind = self._json.next()
        excluded = self._anything_but_like() if kind == "{" else self._anything_but_values(kind)
        if self._json.next() != "}":
            self._fail(_TOO_MANY)
        return lambda value: not excluded(value)

    def _anything_but_like(self) -> Test:
        """`{"prefix": "a"}`, `{"wildcard": ["a*", "b*"]}` and so on."""
        if self._json.next() != KEY:
            self._fail("Anything-But expression name not found")
        name = self._json.text
        if name not in ("equals-ignore-case", "prefix", "suffix", "wildcard"):
            self._fail(f"Unsupported anything-but pattern: {name}")
        tests: list[Test] = []
        kind = self._json.next()
        if kind == "[":
            while (kind := self._json.next()) != "]":
                tests.append(self._excluded_text(name, kind))
        elif kind in (STRING, NUMBER):
            tests.append(self._excluded_text(name, kind))
        else:
            self._fail("Value of anything-but must be an array or single string/number value.")
        if self._json.next() != "}":
            self._fail(_TOO_MANY)
        return lambda value: any(test(value) for test in tests)

    def _excluded_text(self, name: str, kind: str) -> Test:
        if kind != STRING:
            self._fail(_NO_TEXTS.get(name, "prefix/suffix match pattern must be a string"))
        text = self._json.text
        if not text and name in ("prefix", "suffix"):
            self._fail("Null prefix/suffix not allowed")
        return self._text_test(name, text)

    def _anything_but_values(self, kind: str) -> Test:
        excluded = Condition()
        if kind == "[":
            while (kind := self._json.next()) != "]":
                if kind not in (STRING, NUMBER):
                    self._fail("Inside anything but list, start|null|boolean is not supported.")
                self._exclude(excluded, kind)
            if bool(excluded.numbers) == bool(excluded.strings):
                self._fail(
                    "Inside anything but list, either all values are number or string, mixed type is not supported"
                )
        elif kind in (STRING, NUMBER):
            self._exclude(excluded, kind)
        else:
            self._fail("Value of anything-but must be an array or single string/number value.")
        return excluded.accepts

    def _exclude(self, excluded: Condition, kind: str) -> None:
        if kind == NUMBER:
            excluded.numbers.add(number(self._json.text))
        else:
            excluded.strings.add(self._json.text)

    def _numeric(self) -> Test:
        """`["=", 1]`, one bound, or a lower and an upper one: `[">", 0, "<=", 150]`."""
        if self._json.next() != "[":
            self._fail("Value of numeric must be an array.")
        kind = self._json.next()
        if kind != STRING:
            self._fail(f"Invalid member in numeric match: {self._json.text if kind in SCALARS else kind}")
        operator = self._json.text
        if operator not in COMPARISONS:
            self._fail(f"Unrecognized numeric range operator: {operator}")
        bound = self._bound("equals" if operator == "=" else operator)
        tests = [COMPARISONS[operator](bound)]
        kind = self._json.next()
        if kind != "]":
            if operator not in (">", ">="):
                self._fail(_TOO_MANY)
            tests.append(self._upper_bound(kind, bound))
        if self._json.next() != "}":
            self._fail(_TOO_MANY)
        return lambda value: is_number(value) and all(test(value) for test in tests)

    def _upper_bound(self, kind: str, bottom: float) -> Callable[[Any], bool]:
        if kind != STRING:
            self._fail(f"Bad value in numeric range: {self._json.text if kind in SCALARS else kind}")
        operator = self._json.text
        if operator not in ("<", "<="):
            self._fail(f"Bad numeric range operator: {operator}")
        top = self._bound(operator)
        if self._json.next() != "]":
            self._fail("Too many terms in numeric range expression")
        if bottom >= top:
            self._fail("Bottom must be less than top")
        return COMPARISONS[operator](top)

    def _bound(self, operator: str) -> float:
        if self._json.next() != NUMBER:
            self._fail(f"Value of {operator} must be numeric")
        return number(self._json.text)

    def _string(self, otherwise: str) -> str:
        if self._json.next() != STRING:
            self._fail(otherwise)
        return self._json.text

    def _close(self) -> None:
        if self._json.next() != "}":
            self._fail(_ONE_KEY)

    def _fail(self, reason: str) -> NoReturn:
        self._json.fail(reason)
