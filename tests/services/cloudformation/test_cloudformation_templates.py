"""Templates: JSON, YAML and its short forms; what is wrong with one is told in CloudFormation's words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.template import parse, read

QUEUE = {"Type": "AWS::SQS::Queue"}


def test_yaml_short_forms_are_functions() -> None:
    body = parse(
        """
        Resources:
          Queue:
            Type: AWS::SQS::Queue
            Properties:
              QueueName: !Sub "${AWS::StackName}-jobs"
              RedrivePolicy:
                deadLetterTargetArn: !GetAtt Dead.Arn
                maxReceiveCount: !If [Eager, 1, !Ref Count]
        """
    )

    properties = body["Resources"]["Queue"]["Properties"]
    assert properties["QueueName"] == {"Fn::Sub": "${AWS::StackName}-jobs"}
    assert properties["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["Dead", "Arn"]}
    assert properties["RedrivePolicy"]["maxReceiveCount"] == {"Fn::If": ["Eager", 1, {"Ref": "Count"}]}


def test_dates_stay_texts() -> None:
    assert parse("AWSTemplateFormatVersion: 2010-09-09\nResources: {}")["AWSTemplateFormatVersion"] == "2010-09-09"


def test_an_attribute_may_have_dots_of_its_own() -> None:
    assert parse("A: !GetAtt Nested.Outputs.Url")["A"] == {"Fn::GetAtt": ["Nested", "Outputs.Url"]}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_json_templates_are_read_as_they_are(value: object) -> None:
    assert parse(json.dumps({"Metadata": value})) == {"Metadata": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Template format error: JSON not well-formed."),
        ("a: }", "Template format error: YAML not well-formed. (line 1, column 4)"),
        ("- a\n- b", "Template format error: unsupported structure."),
        ("just text", "Template format error: unsupported structure."),
    ],
)
def test_text_that_is_no_template(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        parse(text)
    assert (caught.value.code, caught.value.message) == ("ValidationError", message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Template format error: At least one Resources member must be defined."),
        ({"Resources": {"A": QUEUE}, "Extra": 1}, "Invalid template property or properties [Extra]"),
        ({"Resources": {"A-b": QUEUE}}, "Template format error: Resource name A-b is non alphanumeric."),
        (
            {"Resources": {"A": {}}},
            "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
        ),
        ({"Resources": {"A": {**QUEUE, "Depends": "B"}}}, "Invalid template resource property 'Depends'"),
        (
            {"Resources": {"A": QUEUE}, "Outputs": {"O": {}}},
            "Template format error: Every Outputs member must contain a Value object. [/Outputs/O]",
        ),
    ],
)
def test_structures_that_are_wrong(body: dict[str, object], message: str) -> None:
    with pytest.raises(AwsError) as caught:
        read(body)
    assert caught.value.message == message


def test_what_a_template_declares() -> None:
    template = read(
        {
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {"A": {**QUEUE, "DependsOn": "B", "DeletionPolicy": "Retain"}, "B": QUEUE},
        }
    )

    assert template.transforms == ("AWS::Serverless-2016-10-31",)
    assert template.resources["A"].depends_on == ("B",)
    assert template.resources["A"].deletion_policy == "Retain"
    assert template.resources["B"].deletion_policy == "Delete"
