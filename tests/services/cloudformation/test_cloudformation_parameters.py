"""Parameters: given, default, previous; checked against what the template declares."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation import capabilities, parameters
from cloudlet.services.cloudformation.naming import physical_name
from cloudlet.services.cloudformation.template import Template, read

QUEUE = {"Type": "AWS::SQS::Queue"}


def template(**declared: dict[str, Any]) -> Template:
    return read({"Parameters": declared, "Resources": {"Queue": QUEUE}})


def given_values(**values: str) -> list[dict[str, Any]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def test_values_come_from_the_caller_the_previous_deployment_or_the_default() -> None:
    declared = template(A={"Type": "String"}, B={"Type": "Number", "Default": 3}, C={"Type": "String"})
    given = [*given_values(A="x"), {"ParameterKey": "C", "UsePreviousValue": True}]

    assert parameters.resolve(declared, given, {"C": "old"}) == {"A": "x", "B": "3", "C": "old"}


def test_lists_are_lists_to_ref() -> None:
    declared = template(Names={"Type": "CommaDelimitedList"}, Plain={"Type": "String"})
    assert parameters.typed(declared, {"Names": "a, b", "Plain": "a, b"}) == {"Names": ["a", "b"], "Plain": "a, b"}


def test_what_has_no_echo_is_hidden() -> None:
    declared = template(Secret={"Type": "String", "NoEcho": True})
    assert parameters.shown(declared, {"Secret": "x"}) == [{"ParameterKey": "Secret", "ParameterValue": "****"}]


@pytest.mark.parametrize(
    ("declared", "value", "message"),
    [
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues: [a, b]"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", "Parameter 'P' must match pattern [a-z]+"),
        ({"Type": "String", "MinLength": 2}, "a", "Parameter 'P' must contain at least 2 characters"),
        ({"Type": "String", "MaxLength": "2"}, "abc", "Parameter 'P' must contain at most 2 characters"),
        ({"Type": "Number"}, "many", "Parameter 'P' must be a number"),
        ({"Type": "Number", "MaxValue": 5}, "6", "Parameter 'P' must be a number not greater than 5"),
        (
            {"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "small letters only"},
            "A",
            "Parameter P failed to satisfy constraint: small letters only",
        ),
        (
            {"Type": "AWS::SSM::Parameter::Value<String>"},
            "x",
            "Cloudlet does not implement the parameter type AWS::SSM::Parameter::Value<String> (parameter P).",
        ),
    ],
)
def test_values_against_the_declaration(declared: dict[str, Any], value: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        parameters.resolve(template(P=declared), given_values(P=value))
    assert caught.value.message == message


def test_missing_and_unknown_parameters() -> None:
    with pytest.raises(AwsError, match=r"Parameters: \[A\] must have values"):
        parameters.resolve(template(A={"Type": "String"}), [])
    with pytest.raises(AwsError, match=r"Parameters: \[B\] do not exist in the template"):
        parameters.resolve(template(), given_values(B="x"))


def test_roles_need_an_acknowledgement_and_named_ones_a_stronger_one() -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {}}
    named = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}}
    plain, custom = read({"Resources": {"R": role}}), read({"Resources": {"R": named}})

    assert str(capabilities.lacking(plain, [])).endswith("Requires capabilities : [CAPABILITY_IAM]")
    assert str(capabilities.lacking(custom, ["CAPABILITY_IAM"])).endswith("[CAPABILITY_NAMED_IAM]")
    assert capabilities.lacking(plain, ["CAPABILITY_NAMED_IAM"]) is None


@given(st.text("abcXYZ-", min_size=1, max_size=128), st.text("abcXYZ", min_size=1, max_size=255), st.integers(40, 255))
def test_names_keep_within_their_length(stack: str, logical: str, longest: int) -> None:
    name = physical_name(stack, logical, longest=longest)
    assert len(name) <= longest
    if len(stack) + len(logical) + 14 <= longest:
        assert name.startswith(f"{stack}-{logical}-")


def test_bucket_names_are_in_lower_case() -> None:
    name = physical_name("Shop", "UploadBucket", longest=63, lower=True)
    assert name.startswith("shop-uploadbucket-")
    assert name == name.lower()
