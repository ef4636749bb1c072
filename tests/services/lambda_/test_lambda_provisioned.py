"""Provisioned concurrency: environments that are there before anybody calls, within what is reserved."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from function_making import Functions, make_role

from waiting import eventually

KIND = "import os\nkind = os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\ndef handler(event, context): return kind"


def ready(lambda_: Any, name: str, qualifier: str) -> dict[str, Any]:
    def found() -> Any:
        config = lambda_.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
        return config if config["Status"] != "IN_PROGRESS" else None

    config: dict[str, Any] = eventually(found)
    return config


def published(functions: Functions, code: str = KIND) -> str:
    name = functions.make(code)
    functions.client.publish_version(FunctionName=name)
    return name


def test_environments_are_ready_before_they_are_asked_for(functions: Functions, lambda_: Any) -> None:
    name = published(functions)
    assert functions.call(name, Qualifier="1") == "on-demand"
    put = lambda_.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2
    )
    assert (put["Status"], put["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)
    config = ready(lambda_, name, "1")
    assert (config["Status"], config["AvailableProvisionedConcurrentExecutions"]) == ("READY", 2)
    assert functions.call(name, Qualifier="1") == "provisioned-concurrency"
    [listed] = lambda_.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"]
    assert listed["FunctionArn"].endswith(f":{name}:1")
    lambda_.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    with pytest.raises(lambda_.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        lambda_.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    assert eventually(lambda: functions.call(name, Qualifier="1") == "on-demand")


def test_an_alias_takes_them_along(functions: Functions, lambda_: Any) -> None:
    name = published(functions)
    lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    lambda_.put_provisioned_concurrency_config(FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=1)
    assert ready(lambda_, name, "live")["Status"] == "READY"
    with pytest.raises(lambda_.exceptions.InvalidParameterValueException, match="pointed by a Provisioned"):
        lambda_.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    lambda_.update_function_configuration(FunctionName=name, Description="second")
    lambda_.update_function_configuration(FunctionName=name, Timeout=9)
    assert lambda_.publish_version(FunctionName=name)["Version"] == "2"
    lambda_.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert eventually(lambda: functions.call(name, Qualifier="2") == "provisioned-concurrency")
    assert ready(lambda_, name, "live")["Status"] == "READY"


def test_a_function_that_does_not_load(functions: Functions, lambda_: Any) -> None:
    name = published(functions, "raise ValueError")
    lambda_.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    config = ready(lambda_, name, "1")
    assert (config["Status"], config["AllocatedProvisionedConcurrentExecutions"]) == ("FAILED", 0)
    assert config["StatusReason"]


@pytest.mark.parametrize(
    ("qualifier", "wanted", "message"),
    [
        ("$LATEST", 1, "unpublished function versions"),
        ("1", 901, "below its minimum value of .100."),
        ("2", 1, "Function not found"),
    ],
)
def test_what_cannot_be_provisioned(
    functions: Functions, lambda_: Any, qualifier: str, wanted: int, message: str
) -> None:
    name = published(functions)
    with pytest.raises(ClientError, match=message):
        lambda_.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=wanted
        )


def test_within_what_is_reserved(functions: Functions, lambda_: Any) -> None:
    name = published(functions)
    before = lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    with pytest.raises(lambda_.exceptions.InvalidParameterValueException, match="should not be greater"):
        lambda_.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=3)
    lambda_.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2)
    with pytest.raises(lambda_.exceptions.InvalidParameterValueException, match="should not be lower"):
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == before - 2
    lambda_.delete_function_concurrency(FunctionName=name)
    assert lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == before - 2


def test_after_a_restart_they_are_there_again(own_server: Any) -> None:
    lambda_ = own_server.client("lambda")
    functions = Functions(lambda_, make_role(own_server, "provisioned"))
    name = published(functions)
    lambda_.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    own_server.restart()
    functions.client = own_server.client("lambda")
    assert ready(functions.client, name, "1")["Status"] == "READY"
    assert functions.call(name, Qualifier="1") == "provisioned-concurrency"
