"""What targets get: the event, a part of it, a constant, a template."""

import json
from typing import Any

import pytest

from cloudlet.services.events.inputs import Matched, input_for

RULE = "arn:aws:events:us-east-1:000000000000:rule/bus/my-rule"
EVENT = {
    "version": "0",
    "id": "1",
    "time": "2026-01-02T03:04:05Z",
    "resources": ["arn:one", "arn:two"],
    "detail": {
        "name": 'say "hi"',
        "count": 3,
        "ok": True,
        "nothing": None,
        "dashed-name": "d",
        "items": [{"sku": "A"}, {"sku": "B"}],
    },
}


def given(**form: Any) -> str:
    return input_for({"Id": "t", "Arn": "a", **form}, Matched(json.dumps(EVENT), RULE, 1_700_000_000.25))


def filled(template: str, **paths: str) -> str:
    return given(InputTransformer={"InputTemplate": template, "InputPathsMap": paths})


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("$", EVENT),
        ("$.detail.count", 3),
        ("$.detail.dashed-name", "d"),
        ("$['detail']['name']", 'say "hi"'),
        ('$["time"]', "2026-01-02T03:04:05Z"),
        ("$.resources[1]", "arn:two"),
        ("$.resources[2]", None),
        ("$.detail.items[*].sku", ["A", "B"]),
        ("$.detail.items[0]", {"sku": "A"}),
        ("$.nowhere", None),
    ],
)
def test_a_path_leads_to_a_part(path: str, wanted: Any) -> None:
    assert json.loads(given(InputPath=path)) == wanted


def test_without_more_the_event_is_given() -> None:
    assert json.loads(given()) == EVENT


def test_a_constant_is_given_as_it_is() -> None:
    assert given(Input='{"a" : 1}') == '{"a" : 1}'


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ('{"n": <n>, "count": <count>, "ok": <ok>}', '{"n": "say \\"hi\\"", "count": 3, "ok": true}'),
        ('{"text": "<n> x<count>"}', '{"text": "say \\"hi\\" x3"}'),
        ('{"nothing": <nothing>, "missing": <missing>}', '{"nothing": null, "missing": ""}'),
        ('{"missing": "a<missing>b"}', '{"missing": "ab"}'),
        ('{"items": <items>}', '{"items": [{"sku":"A"},{"sku":"B"}]}'),
        ('["<count>", <count>]', '["3", 3]'),
        ('"<count> things"', '"3 things"'),
        ('"one <count>"\n"two <ok>"', '"one 3"\n"two true"'),
        ("<count> things called <n>", '3 things called say "hi"'),
        ("<items>", '[{"sku":"A"},{"sku":"B"}]'),
        ('{"a<b": 1, "escaped": "\\"<count>\\""}', '{"a<b": 1, "escaped": "\\"3\\""}'),
    ],
)
def test_a_template_is_filled(template: str, wanted: str) -> None:
    detail = ("count", "ok", "nothing", "missing", "items")
    paths = {name: f"$.detail.{name}" for name in detail} | {"n": "$.detail.name"}
    assert filled(template, **paths) == wanted


def test_variables_that_are_always_there() -> None:
    names = ("rule-arn", "rule-name", "event.ingestion-time", "event", "event.json")
    template = "{" + ", ".join(f'"{name}": <aws.events.{name}>' for name in names) + "}"
    assert json.loads(filled(template)) == {
        "rule-arn": RULE,
        "rule-name": "my-rule",
        "event.ingestion-time": "2023-11-14T22:13:20.250Z",
        "event": {name: value for name, value in EVENT.items() if name != "detail"},
        "event.json": EVENT,
    }
