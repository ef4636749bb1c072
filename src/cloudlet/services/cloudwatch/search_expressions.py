"""SEARCH's language: `{AWS/SQS, QueueName} MetricName="NumberOfMessagesSent" AND NOT test`."""

import re
from collections.abc import Callable, Iterator

from cloudlet.services.cloudwatch.math_syntax import MathError
from cloudlet.services.cloudwatch.metrics import MetricId

Matches = Callable[[MetricId], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<schema>\{[^}]*\})|(?P<text>"[^"]*"|'[^']*')|(?P<sign>[()=])|(?P<word>[^\s(){}="']+))"""
)
_DEEPEST = 30


def compile_search(text: str) -> Matches:
    """Whether a metric is meant. Raises MathError."""
    return _Search(text).compiled()


class _Search:
    """OR binds weakest, AND is also what stands between two terms without a word."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def compiled(self) -> Matches:
        if not self._tokens:
            raise MathError("SEARCH needs something to look for")
        found = self._either()
        if self._at < len(self._tokens):
            raise MathError(f"Unexpected '{self._tokens[self._at][1]}' in the search expression")
        return found

    def _either(self) -> Matches:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise MathError("The search expression is nested too deeply")
        choices = [self._all()]
        while self._word() == "OR":
            self._at += 1
            choices.append(self._all())
        self._depth -= 1
        return lambda metric: any(choice(metric) for choice in choices)

    def _all(self) -> Matches:
        terms = [self._term()]
        while self._at < len(self._tokens) and self._word() != "OR" and self._tokens[self._at] != ("sign", ")"):
            if self._word() == "AND":
                self._at += 1
            terms.append(self._term())
        return lambda metric: all(term(metric) for term in terms)

    def _term(self) -> Matches:
        if self._word() == "NOT":
            self._at += 1
            wanted = self._term()
            return lambda metric: not wanted(metric)
        kind, token = self._next()
        if kind == "schema":
            return _of_schema(token[1:-1])
        if (kind, token) == ("sign", "("):
            inner = self._either()
            if self._next() != ("sign", ")"):
                raise MathError("Expected ')' in the search expression")
            return inner
        if kind == "sign":
            raise MathError(f"Unexpected '{token}' in the search expression")
        if self._at < len(self._tokens) and self._tokens[self._at] == ("sign", "="):
            self._at += 1
            return _of_property(_bare(token), self._values())
        return _of_text(kind, token)

    def _values(self) -> list[tuple[str, str]]:
        """One value, or several in parentheses with OR between them."""
        kind, token = self._next()
        if (kind, token) != ("sign", "("):
            return [(kind, token)]
        values: list[tuple[str, str]] = []
        while (found := self._next()) != ("sign", ")"):
            if found != ("word", "OR"):
                values.append(found)
        return values

    def _word(self) -> str | None:
        if self._at == len(self._tokens):
            return None
        kind, token = self._tokens[self._at]
        return token if kind == "word" else None

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise MathError("Unexpected end of the search expression")
        self._at += 1
        return self._tokens[self._at - 1]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise MathError(f"Unexpected '{text[at:].strip()[:1]}' in the search expression")
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


def _of_schema(text: str) -> Matches:
    """A namespace, with the dimensions that a metric must have, no others."""
    parts = [_bare(part.strip()) for part in re.findall(r"""\s*("[^"]*"|'[^']*'|[^,]+)""", text)]
    if not parts:
        raise MathError("A schema names a namespace")
    namespace, names = parts[0], sorted(parts[1:])
    return lambda metric: metric.namespace == namespace and [name for name, _ in metric.dimensions] == names


def _of_property(name: str, values: list[tuple[str, str]]) -> Matches:
    wanted = [_text_match(*value) for value in values]

    def matches(metric: MetricId) -> bool:
        if name == "MetricName":
            found = metric.name
        elif name == "Namespace":
            found = metric.namespace
        elif name == ":aws.AccountId":
            found = metric.account
        else:
            found = dict(metric.dimensions).get(name)
        return found is not None and any(match(found) for match in wanted)

    return matches


def _of_text(kind: str, token: str) -> Matches:
    match = _text_match(kind, token)

    def matches(metric: MetricId) -> bool:
        texts = [metric.name, metric.namespace, *(text for pair in metric.dimensions for text in pair)]
        return any(match(text) for text in texts)

    return matches


def _text_match(kind: str, token: str) -> Callable[[str], bool]:
    """A text in double quotes is meant exactly; other words need only occur, in any case."""
    if kind == "text" and token.startswith('"'):
        exact = token[1:-1]
        return lambda text: text == exact
    part = _bare(token).lower()
    return lambda text: part in text.lower()


def _bare(token: str) -> str:
    return token[1:-1] if len(token) > 1 and token[0] in "\"'" and token[-1] == token[0] else token
