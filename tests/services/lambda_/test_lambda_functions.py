"""Functions and their versions: create, update, read, publish, delete."""

import base64
import hashlib
import io
import zipfile
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError
from function_making import Functions, zipped

ANSWER = "def handler(event, context):\n    return {}"


def test_a_function_runs_with_the_event_and_answers(functions: Functions) -> None:
    name = functions.make("def handler(event, context): return {'got': event, 'name': context.function_name}")
    assert functions.call(name, {"a": [1, "ü"]}) == {"got": {"a": [1, "ü"]}, "name": name}


def test_defaults_are_those_of_aws(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ANSWER.format(1))
    found = lambda_.get_function_configuration(FunctionName=name)
    assert (found["Timeout"], found["MemorySize"], found["EphemeralStorage"]) == (3, 128, {"Size": 512})
    assert (found["State"], found["LastUpdateStatus"], found["Version"]) == ("Active", "Successful", "$LATEST")
    assert found["FunctionArn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"


def test_waiters_end(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ANSWER.format(1))
    lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
    lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)


def test_the_package_can_be_downloaded(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ANSWER.format(1))
    found = lambda_.get_function(FunctionName=name)
    content = requests.get(found["Code"]["Location"], timeout=10).content
    assert base64.b64encode(hashlib.sha256(content).digest()).decode() == found["Configuration"]["CodeSha256"]
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["app.py"]
    tampered = found["Code"]["Location"].replace("expires=", "expires=9")
    assert requests.get(tampered, timeout=10).status_code == 403


def test_code_from_s3(server: Any, functions: Functions, lambda_: Any) -> None:
    s3 = server.client("s3")
    s3.create_bucket(Bucket="packages")
    s3.put_object(Bucket="packages", Key="f.zip", Body=zipped(app=ANSWER.format("'from s3'")))
    name = functions.make(ANSWER.format(1), Code={"S3Bucket": "packages", "S3Key": "f.zip"})
    assert functions.call(name) == "from s3"
    with pytest.raises(ClientError, match="S3 Error Code: NoSuchKey"):
        lambda_.update_function_code(FunctionName=name, S3Bucket="packages", S3Key="missing")


def test_new_code_and_configuration_take_effect_at_once(functions: Functions, lambda_: Any) -> None:
    name = functions.make("import os\ndef handler(event, context): return os.environ.get('GREETING')")
    assert functions.call(name) is None
    lambda_.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"GREETING": "it's 'me'\n$HOME"}}
    )
    assert functions.call(name) == "it's 'me'\n$HOME"
    lambda_.update_function_code(FunctionName=name, ZipFile=zipped(app=ANSWER.format(2)))
    assert functions.call(name) == 2


def test_published_versions_do_not_change(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ANSWER.format("'one'"))
    assert lambda_.publish_version(FunctionName=name)["Version"] == "1"
    assert lambda_.publish_version(FunctionName=name)["Version"] == "1"  # nothing has changed
    updated = lambda_.update_function_code(FunctionName=name, ZipFile=zipped(app=ANSWER.format("'two'")), Publish=True)
    assert updated["Version"] == "2"
    assert functions.call(name, Qualifier="1") == "one"
    assert functions.call(f"{name}:2") == "two"
    listed = lambda_.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in listed] == ["$LATEST", "1", "2"]


def test_lists_come_in_pages(functions: Functions, lambda_: Any) -> None:
    made = {functions.make(ANSWER.format(1)) for _ in range(3)}
    pages = list(lambda_.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
    assert all(len(page["Functions"]) <= 2 for page in pages)
    assert made <= {function["FunctionName"] for page in pages for function in page["Functions"]}


def test_a_deleted_function_is_gone(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ANSWER.format(1))
    functions.call(name)
    lambda_.delete_function(FunctionName=name)
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException, match=f"Function not found: .*:{name}"):
        lambda_.invoke(FunctionName=name)


def test_an_old_revision_changes_nothing(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ANSWER.format(1))
    with pytest.raises(lambda_.exceptions.PreconditionFailedException):
        lambda_.update_function_configuration(FunctionName=name, Timeout=9, RevisionId="other")
    assert lambda_.get_function_configuration(FunctionName=name)["Timeout"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Code": {"ZipFile": b"not a zip"}}, "Could not unzip uploaded file"),
        ({"Role": "arn:aws:iam::000000000000:role/nobody"}, "cannot be assumed by Lambda"),
        ({"Runtime": "python3.8"}, "no longer supported .* use the new runtime"),
        ({"Runtime": "dotnet8"}, "does not run .NET functions"),
        ({"MemorySize": 20480}, "less than or equal to 10240"),
        ({"Timeout": 901}, "less than or equal to 900"),
        ({"Environment": {"Variables": {"AWS_REGION": "mars"}}}, "reserved keys.*AWS_REGION"),
        ({"Environment": {"Variables": {"LARGE": "x" * 4096}}}, "4KB limit"),
        ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:none:1"]}, "does not exist"),
        ({"Layers": [f"arn:aws:lambda:us-east-1:000000000000:layer:one:{n}" for n in (1, 2)]}, "of the same layer"),
        ({"Layers": [f"arn:aws:lambda:us-east-1:000000000000:layer:l{n}:1" for n in range(6)]}, "more than 5 layers"),
        ({"FunctionName": "n" * 65}, "length less than or equal to 64"),
    ],
)
def test_what_aws_refuses(functions: Functions, lambda_: Any, options: dict[str, Any], message: str) -> None:
    before = len(lambda_.list_functions()["Functions"])
    with pytest.raises(ClientError, match=message):
        functions.make(ANSWER.format(1), **options)
    assert len(lambda_.list_functions()["Functions"]) == before


def test_runtime_and_handler_are_mandatory(lambda_: Any, role: str) -> None:
    with pytest.raises(ClientError, match="Runtime and Handler are mandatory"):
        lambda_.create_function(FunctionName="bare", Role=role, Code={"ZipFile": zipped(app="")})


def test_names_are_unique(functions: Functions) -> None:
    name = functions.make(ANSWER.format(1))
    with pytest.raises(functions.client.exceptions.ResourceConflictException, match=f"Function already exist: {name}"):
        functions.make(ANSWER.format(1), FunctionName=name)


def test_a_zip_cannot_reach_outside_its_folder(functions: Functions) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../outside.py", "")
    with pytest.raises(ClientError, match="Could not unzip uploaded file"):
        functions.make("", Code={"ZipFile": content.getvalue()})


def test_tags(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ANSWER.format(1), Tags={"team": "blue"})
    arn = lambda_.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    lambda_.tag_resource(Resource=arn, Tags={"stage": "test"})
    lambda_.untag_resource(Resource=arn, TagKeys=["team"])
    assert lambda_.list_tags(Resource=arn)["Tags"] == {"stage": "test"}
