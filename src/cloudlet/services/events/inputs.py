"""What a target gets of an event: the event, a part of it, a constant text, or a template filled from it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from cloudlet.core.timestamps import to_iso8601
from cloudlet.services.events.faults import invalid
from cloudlet.services.events.json_paths import MISSING, compile_path
from cloudlet.services.events.names import rule_name
from cloudlet.services.events.rules import Target

_FORMS = ("Input", "InputPath", "InputTransformer")
_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")
# A quoted text of a template, a variable, or what lies between.
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|<[A-Za-z0-9_.-]+>|[^"<]+|.', re.DOTALL)
_RESERVED = frozenset(
    f"aws.events.{name}" for name in ("rule-arn", "rule-name", "event", "event.json", "event.ingestion-time")
)


@dataclass(frozen=True, slots=True)
class Matched:
    """An event under a rule that it matched: what inputs are made of. `text` is the event as JSON."""

    text: str
    rule: str
    ingested: float

    def reserved(self, name: str) -> Any:
        """The value of a variable that EventBridge provides; MISSING for others."""
        if name == "aws.events.rule-arn":
            return self.rule
        if name == "aws.events.rule-name":
            return rule_name(self.rule)
        if name == "aws.events.event.ingestion-time":
            return to_iso8601(self.ingested, always_milliseconds=True)
        if name == "aws.events.event.json":
            return orjson.loads(self.text)
        if name == "aws.events.event":
            event = orjson.loads(self.text)
            return {member: value for member, value in event.items() if member != "detail"}
        return MISSING


def check_input(target: Target) -> None:
    """Raises ValidationException."""
    forms = [form for form in _FORMS if form in target]
    if len(forms) > 1:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}.")
    if "Input" in target and not _is_json(target["Input"]):
        raise invalid(f"JSON syntax error in input for target {target['Id']}.")
    if "InputPath" in target:
        _check_path(target, "InputPath", target["InputPath"])
    if "InputTransformer" in target:
        _check_transformer(target)


def input_for(target: Target, matched: Matched) -> str:
    """The text that the target gets."""
    if "Input" in target:
        return target["Input"]
    if "InputPath" in target:
        found = compile_path(target["InputPath"]).find(orjson.loads(matched.text))
        return _json(None if found is MISSING else found)
    if "InputTransformer" in target:
        return _filled(target["InputTransformer"], matched)
    return matched.text


def _check_path(target: Target, name: str, path: str) -> None:
    try:
        compile_path(path)
    except ValueError:
        raise invalid(f"Invalid {name} for target {target['Id']}.") from None


def _check_transformer(target: Target) -> None:
    transformer = target["InputTransformer"]
    paths: Mapping[str, str] = transformer.get("InputPathsMap", {})
    for name, path in paths.items():
        if name.upper().startswith("AWS."):
            raise invalid(f"Invalid InputPathsMap key {name} for target {target['Id']}: keys cannot start with AWS.")
        _check_path(target, "InputPathsMap", path)
    for name in _VARIABLE.findall(transformer["InputTemplate"]):
        if name not in paths and name not in _RESERVED:
            raise invalid(f"InputTemplate for target {target['Id']} contains invalid placeholder {name}.")
    template = transformer["InputTemplate"]
    if _is_document(template) and not _is_json(_rendered(template, dict.fromkeys(_variables(template)))):
        raise invalid(f"Invalid InputTemplate for target {target['Id']}: it is not valid JSON.")


def _filled(transformer: Mapping[str, Any], matched: Matched) -> str:
    template = transformer["InputTemplate"]
    paths: Mapping[str, str] = transformer.get("InputPathsMap", {})
    event: Any = orjson.loads(matched.text) if paths else None
    values: dict[str, Any] = {}
    for name in _variables(template):
        path = paths.get(name)
        values[name] = compile_path(path).find(event) if path is not None else matched.reserved(name)
    return _rendered(template, values)


@lru_cache(maxsize=256)
def _variables(template: str) -> frozenset[str]:
    return frozenset(_VARIABLE.findall(template))


def _rendered(template: str, values: Mapping[str, Any]) -> str:
    """Within quotes a value is text; outside it is JSON in a template that is JSON, else text as well."""
    as_json = _is_document(template)
    parts: list[str] = []
    for piece in _PIECE.findall(template):
        if piece.startswith('"'):
            parts.append(_VARIABLE.sub(lambda match: _quoted(values.get(match[1], match[0])), piece))
        elif piece.startswith("<") and piece[1:-1] in values:
            value = values[piece[1:-1]]
            parts.append(_json("" if value is MISSING else value) if as_json else _plain(value))
        else:
            parts.append(piece)
    return "".join(parts)


def _is_document(template: str) -> bool:
    """Whether a template is a JSON object or array, or nothing but a variable."""
    text = template.strip()
    return text.startswith(("{", "[")) or _VARIABLE.fullmatch(text) is not None


def _quoted(value: Any) -> str:
    """A value within a text of a template, escaped as JSON has it."""
    return _json(_plain(value))[1:-1]


def _plain(value: Any) -> str:
    if value is MISSING:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
