"""An expression's text in tokens."""

import re
from dataclasses import dataclass

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb.errors import validation

LONGEST = 4096

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z][A-Za-z0-9_]*)|(?P<index>[0-9]+)|(?P<reference>[#:][A-Za-z0-9_]+)"
    r"|(?P<symbol><>|<=|>=|[=<>()\[\],.+\-]))",
    re.ASCII,
)
END = "<EOF>"


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is name, index, #, :, the symbol itself or <EOF>; `upper` the text of a name in capitals."""

    kind: str
    text: str
    start: int
    end: int
    upper: str = ""


def tokens_of(text: str, what: str) -> list[Token]:
    """The tokens, closed by one of kind <EOF>. `what` is the parameter's name, for errors (`FilterExpression`)."""
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise validation(
            f"Invalid {what}: Expression size has exceeded the maximum allowed size; expression size: {len(text)}"
        )
    tokens: list[Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise syntax_error(what, text, text[start], tokens[-1].start if tokens else 0, start + 2)
        group = str(match.lastgroup)
        token = match[group]
        kind = {"reference": token[0], "symbol": token}.get(group, group)
        tokens.append(Token(kind, token, match.start(group), match.end(), token.upper() if kind == "name" else ""))
        at = match.end()
    if not tokens:
        raise validation(f"Invalid {what}: The expression can not be empty;")
    tokens.append(Token(END, END, end, end))
    return tokens


def syntax_error(what: str, text: str, token: str, start: int, end: int) -> AwsError:
    return validation(f'Invalid {what}: Syntax error; token: "{token}", near: "{text[start:end].strip()}"')
