"""The rules of a bus: those that an index finds are those whose patterns match."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.event_patterns import fields_of
from cloudlet.services.events.json_paths import JsonPath
from cloudlet.services.events.matching import RuleIndex
from cloudlet.services.events.rules import Rule

BUS = "arn:aws:events:us-east-1:000000000000:event-bus/default"
texts = st.sampled_from(["a", "b", "c"])
conditions = st.lists(
    texts | st.sampled_from([{"prefix": "a"}, {"anything-but": "b"}, {"exists": False}]), min_size=1, max_size=2
)
patterns = st.dictionaries(st.sampled_from(["source", "detail-type"]), conditions, max_size=2).flatmap(
    lambda known: st.fixed_dictionaries({"detail": st.fixed_dictionaries({"x": conditions})}).map(
        lambda rest: {**known, **rest}
    )
)


def rule(number: int, pattern: dict[str, Any], state: str = "ENABLED") -> Rule:
    settings = json.dumps({"EventPattern": json.dumps(pattern), "State": state})
    arn = f"arn:aws:events:us-east-1:000000000000:rule/r{number}"
    return Rule.of_row((number, arn, BUS, settings, "{}", "000000000000", None), ())


@given(st.lists(patterns, max_size=6), texts, texts, st.dictionaries(st.just("x"), texts))
def test_the_index_finds_what_a_search_of_all_rules_finds(
    wanted: list[dict[str, Any]], source: str, kind: str, detail: dict[str, str]
) -> None:
    rules = [rule(number, pattern) for number, pattern in enumerate(wanted)]
    event = {"source": source, "detail-type": kind, "detail": detail}
    fields = fields_of(event)
    matching = [each for each in rules if each.pattern is not None and each.pattern.matches(fields)]
    assert RuleIndex(rules).matching(event) == matching


def test_rules_that_are_disabled_are_not_found() -> None:
    pattern = {"source": ["a"]}
    index = RuleIndex([rule(1, pattern, "DISABLED"), rule(2, pattern)])
    assert [found.id for found in index.matching({"source": "a", "detail-type": "t"})] == [2]


@given(st.text(st.sampled_from("$.[]*'\"ab0 -"), max_size=12))
def test_a_text_is_a_path_or_is_refused(text: str) -> None:
    try:
        path = JsonPath(text)
    except ValueError:
        return
    path.find({"a": [{"b": 1}], "b": {"a": None}})
