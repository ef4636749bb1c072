"""The intrinsic functions, and the graph that references make."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.graph import dependencies
from cloudlet.services.cloudformation.intrinsics import UNKNOWN, Evaluator
from cloudlet.services.cloudformation.template import read

QUEUE = {"Type": "AWS::SQS::Queue"}
WORDS = st.text(alphabet=st.characters(exclude_characters="${}", exclude_categories=("Cs",)), max_size=12)


class Existing:
    """Resources that answer with their names."""

    def ref(self, logical_id: str) -> Any:
        return UNKNOWN if logical_id == "New" else f"{logical_id}-id"

    def attribute(self, logical_id: str, name: str) -> Any:
        return UNKNOWN if logical_id == "New" else f"{logical_id}.{name}"


def evaluator(parameters: dict[str, Any] | None = None, **sections: Any) -> Evaluator:
    template = read({"Resources": {"Queue": QUEUE, "New": QUEUE}, **sections})
    values = {"AWS::Region": "eu-central-1", "AWS::StackName": "shop", **(parameters or {})}
    return Evaluator(template, values, Existing(), lambda name: f"export of {name}")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Ref": "Queue"}, "Queue-id"),
        ({"Ref": "AWS::Region"}, "eu-central-1"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "Queue.Arn"),
        ({"Fn::GetAtt": "Queue.Arn"}, "Queue.Arn"),
        ({"Fn::Sub": "${AWS::StackName}/${Queue}/${Queue.Arn}/${!Kept}"}, "shop/Queue-id/Queue.Arn/${Kept}"),
        ({"Fn::Sub": ["${Own}-${AWS::StackName}", {"Own": {"Ref": "Queue"}}]}, "Queue-id-shop"),
        ({"Fn::Join": [",", ["a", 1, True, {"Ref": "Queue"}]]}, "a,1,true,Queue-id"),
        ({"Fn::Select": ["1", ["a", "b"]]}, "b"),
        ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "eu-central-1a"),
        ({"Fn::Split": [",", "a,b,,c"]}, ["a", "b", "", "c"]),
        ({"Fn::Base64": "hello"}, "aGVsbG8="),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::ImportValue": {"Fn::Sub": "${AWS::StackName}-url"}}, "export of shop-url"),
        ({"Fn::ToJsonString": {"a": [1, {"Ref": "Queue"}]}}, '{"a":[1,"Queue-id"]}'),
        ({"Fn::Length": [1, 2, 3]}, 3),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
    ],
)
def test_functions(expression: Any, value: Any) -> None:
    assert evaluator().value(expression) == value


def test_conditions() -> None:
    found = evaluator(
        {"Stage": "prod"},
        Conditions={
            "Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "Test": {"Fn::Not": [{"Condition": "Prod"}]},
            "Either": {"Fn::Or": [{"Condition": "Prod"}, {"Condition": "Test"}]},
            "Both": {"Fn::And": [{"Condition": "Prod"}, {"Condition": "Test"}]},
        },
    )

    assert [found.condition(name) for name in ("Prod", "Test", "Either", "Both")] == [True, False, True, False]
    assert found.value({"Fn::If": ["Prod", "big", {"Ref": "Nobody"}]}) == "big"


def test_maps() -> None:
    found = evaluator(Mappings={"Sizes": {"eu-central-1": {"memory": 512}}})

    assert found.value({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "memory"]}) == 512
    with pytest.raises(AwsError, match="Unable to get mapping for Sizes::eu-central-1::disk"):
        found.value({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "disk"]})


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({"Ref": "Nobody"}, r"Unresolved resource dependencies \[Nobody\] in the Resources block of the template"),
        ({"Fn::GetAtt": ["Nobody", "Arn"]}, "instance of Fn::GetAtt references undefined resource Nobody"),
        ({"Fn::Select": [5, ["a"]]}, "cannot select nonexistent value at index 5"),
        ({"Fn::Join": ["-", "text"]}, "every Fn::Join object requires two parameters"),
        ({"Fn::If": ["Nothing", 1, 2]}, "Unresolved condition dependency Nothing"),
        ({"Fn::Nonsense": 1}, "Unrecognized intrinsic function Fn::Nonsense"),
        ({"Fn::Transform": {"Name": "Own"}}, "does not implement the transform Own"),
    ],
)
def test_what_cannot_be_evaluated(expression: Any, message: str) -> None:
    with pytest.raises(AwsError, match=message):
        evaluator().value(expression)


@given(st.lists(WORDS), WORDS)
def test_join_and_split_are_inverse(words: list[str], separator: str) -> None:
    separator = f"|{separator}|"
    clean = [word.replace("|", "") for word in words] or [""]
    joined = {"Fn::Join": [separator, clean]}
    assert evaluator().value({"Fn::Split": [separator, joined]}) == clean


@given(WORDS, WORDS, WORDS)
def test_sub_replaces_variables_and_nothing_else(before: str, value: str, after: str) -> None:
    expression = {"Fn::Sub": [f"{before}${{Word}}{after}", {"Word": value}]}
    assert evaluator().value(expression) == before + value + after


@given(st.lists(st.sampled_from(["Queue", "New"]), max_size=5))
def test_what_is_unknown_makes_the_whole_text_unknown(names: list[str]) -> None:
    expression = {"Fn::Join": ["-", [{"Ref": name} for name in names]]}
    found = evaluator().value(expression)
    assert (found is UNKNOWN) == ("New" in names)


def graph(resources: dict[str, Any], **sections: Any) -> dict[str, frozenset[str]]:
    template = read({"Resources": resources, **sections})
    return dependencies(template, Evaluator(template, {}, Existing(), lambda name: name))


def queue(**properties: Any) -> dict[str, Any]:
    return {**QUEUE, "Properties": properties}


def test_references_of_all_kinds_make_the_graph() -> None:
    found = graph(
        {
            "A": QUEUE,
            "B": queue(QueueName={"Fn::Sub": "${A}-x"}),
            "C": queue(QueueName={"Fn::Sub": ["${Own}", {"Own": {"Fn::GetAtt": "B.Arn"}}]}),
            "D": {**QUEUE, "DependsOn": ["A", "C"]},
        }
    )

    assert found == {"A": frozenset(), "B": {"A"}, "C": {"B"}, "D": {"A", "C"}}


def test_only_the_branch_taken_counts() -> None:
    found = graph(
        {"A": queue(QueueName={"Fn::If": ["Yes", "x", {"Ref": "B"}]}), "B": queue(QueueName={"Ref": "A"})},
        Conditions={"Yes": {"Fn::Equals": ["1", "1"]}},
    )

    assert found == {"A": frozenset(), "B": {"A"}}


def test_what_a_condition_leaves_out_is_not_in_the_graph() -> None:
    no = {"No": {"Fn::Equals": ["1", "2"]}}
    assert graph({"A": {**QUEUE, "Condition": "No"}, "B": {**QUEUE, "DependsOn": "A"}}, Conditions=no) == {
        "B": frozenset()
    }


def test_circles_are_refused() -> None:
    with pytest.raises(AwsError, match=r"Circular dependency between resources: \[A, B\]"):
        graph({"A": queue(QueueName={"Ref": "B"}), "B": queue(QueueName={"Ref": "A"}), "C": QUEUE})
