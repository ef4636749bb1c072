"""Templates as the command line reads them: functions spelled out, nothing else changed."""

from pathlib import Path

import pytest

from cloudlet.cli.errors import CommandError
from cloudlet.cli.stacks import parameter_values, stack_name_for, template_file
from cloudlet.cli.template import read_template


def read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return read_template(path)["Resources"]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("!Ref Table", {"Ref": "Table"}),
        ("!GetAtt Table.StreamArn", {"Fn::GetAtt": ["Table", "StreamArn"]}),
        ("!GetAtt Nested.Outputs.Name", {"Fn::GetAtt": ["Nested", "Outputs.Name"]}),
        ("!GetAtt [Table, Arn]", {"Fn::GetAtt": ["Table", "Arn"]}),
        ('!Sub "${Table}-x"', {"Fn::Sub": "${Table}-x"}),
        ("!Not [!Equals [!Ref Name, '']]", {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, ""]}]}),
        ("!Sub [a, {b: !Ref C}]", {"Fn::Sub": ["a", {"b": {"Ref": "C"}}]}),
        ("!Condition IsProduction", {"Condition": "IsProduction"}),
        ("!Transform {Name: Include}", {"Fn::Transform": {"Name": "Include"}}),
        ("2012-10-17", "2012-10-17"),
        ("on", True),
    ],
)
def test_short_functions_are_spelled_out(tmp_path: Path, short: str, long: object):
    assert read(tmp_path, f"Resources:\n  Value: {short}\n") == {"Value": long}


def test_json_is_read_too(tmp_path: Path):
    assert read(tmp_path, '{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}') == {
        "Bucket": {"Type": "AWS::S3::Bucket"}
    }


@pytest.mark.parametrize("text", ["Resources: [", "Parameters: {}", "just text", "Resources: text", ""])
def test_what_is_no_template_is_refused(tmp_path: Path, text: str):
    with pytest.raises(CommandError):
        read(tmp_path, text)


def test_a_missing_template_is_said_to_be_missing(tmp_path: Path):
    with pytest.raises(CommandError, match="cannot be read"):
        read_template(tmp_path / "template.yaml")


def test_a_stack_is_named_after_the_folder_or_the_file(tmp_path: Path):
    (tmp_path / "my shop").mkdir()
    assert stack_name_for(tmp_path / "my shop" / "template.yaml") == "my-shop"
    assert stack_name_for(tmp_path / "orders.yaml") == "orders"


def test_a_folder_stands_for_its_template(tmp_path: Path):
    with pytest.raises(CommandError):
        template_file(tmp_path)
    (tmp_path / "template.yml").touch()
    assert template_file(tmp_path) == tmp_path / "template.yml"


def test_parameters_are_keys_and_values():
    assert parameter_values(["Name=value", "Query=a=b", "Empty="]) == {"Name": "value", "Query": "a=b", "Empty": ""}
    for wrong in ("Name", "=value"):
        with pytest.raises(CommandError):
            parameter_values([wrong])
