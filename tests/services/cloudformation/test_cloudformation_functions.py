"""What surrounds functions in templates: URLs, versions with environments of their own, failures, code signing."""

import io
import json
import time
import zipfile
from typing import Any

import pytest
import requests

SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Failures: {Type: AWS::SQS::Queue}
  Letters: {Type: AWS::SQS::Queue}
  Orders: {Type: AWS::SQS::Queue}
  Shop:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      AutoPublishAlias: live
      AutoPublishAliasAllProperties: true
      ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}
      RecursiveLoop: Allow
      RuntimeManagementConfig: {UpdateRuntimeOn: FunctionUpdate}
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Letters.Arn}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failures.Arn}}
      FunctionUrlConfig:
        AuthType: NONE
        Cors: {AllowOrigins: ["https://shop.example"]}
      Policies: [{SQSPollerPolicy: {QueueName: !GetAtt Orders.QueueName}}]
      InlineCode: |
        import os
        def handler(event, context):
            return f"ANSWER {os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']} {context.function_version}"
      Events:
        Order:
          Type: SQS
          Properties:
            Queue: !GetAtt Orders.Arn
            BatchSize: 5
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 2}
Outputs:
  Url: {Value: !GetAtt ShopUrl.FunctionUrl}
  Function: {Value: !Ref Shop}
"""
SIGNED = {
    "Resources": {
        "Signing": {
            "Type": "AWS::Lambda::CodeSigningConfig",
            "Properties": {
                "AllowedPublishers": {
                    "SigningProfileVersionArns": [
                        "arn:aws:signer:us-east-1:000000000000:/signing-profiles/shop/abcdefghij"
                    ]
                },
                "Tags": [{"Key": "team", "Value": "shop"}],
            },
        },
    },
    "Outputs": {"Arn": {"Value": {"Ref": "Signing"}}, "Id": {"Value": {"Fn::GetAtt": "Signing.CodeSigningConfigId"}}},
}


def deploy(server: Any, name: str, change: str, template: str) -> dict[str, str]:
    """`change` is create or update; returns the outputs."""
    client = server.client("cloudformation")
    getattr(client, f"{change}_stack")(
        StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    )
    client.get_waiter(f"stack_{change}_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    found = client.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in found}


def eventually(url: str, text: str) -> None:
    deadline = time.monotonic() + 30
    while (answer := requests.get(url, timeout=30)).text != text:
        if time.monotonic() > deadline:
            pytest.fail(f"it still answers {answer.status_code}: {answer.text}")
        time.sleep(0.1)


def test_a_function_with_all_that_sam_puts_around_it(server: Any) -> None:
    template = SAM.replace("ANSWER", "first")
    made = deploy(server, "shop", "create", template)
    lambda_, name = server.client("lambda"), made["Function"]
    eventually(made["Url"], "first provisioned-concurrency 1")
    assert lambda_.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    management = lambda_.get_runtime_management_config(FunctionName=name)
    assert management["UpdateRuntimeOn"] == "FunctionUpdate"
    config = lambda_.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    assert (config["MaximumRetryAttempts"], "sqs" in config["DestinationConfig"]["OnFailure"]["Destination"]) == (
        0,
        True,
    )
    [mapping] = lambda_.list_event_source_mappings(FunctionName=f"{name}:live")["EventSourceMappings"]
    assert (mapping["BatchSize"], mapping["ScalingConfig"]) == (5, {"MaximumConcurrency": 2})
    changed = deploy(server, "shop", "update", SAM.replace("ANSWER", "second").replace("MaximumConcurrency: 2", ""))
    assert changed["Url"] == made["Url"]
    eventually(made["Url"], "second provisioned-concurrency 2")
    client = server.client("cloudformation")
    client.delete_stack(StackName="shop")
    client.get_waiter("stack_delete_complete").wait(StackName="shop", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    assert requests.get(made["Url"], timeout=30).status_code == 404


def test_code_signing(server: Any) -> None:
    made = deploy(server, "signed", "create", json.dumps(SIGNED))
    lambda_ = server.client("lambda")
    assert made["Arn"].endswith(made["Id"])
    assert lambda_.list_tags(Resource=made["Arn"])["Tags"]["team"] == "shop"
    changed = json.loads(json.dumps(SIGNED))
    changed["Resources"]["Signing"]["Properties"]["CodeSigningPolicies"] = {"UntrustedArtifactOnDeployment": "Enforce"}
    deploy(server, "signed", "update", json.dumps(changed))
    config = lambda_.get_code_signing_config(CodeSigningConfigArn=made["Arn"])["CodeSigningConfig"]
    assert config["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}


def test_a_gradual_deployment_is_refused(server: Any) -> None:
    gradual = SAM.replace("      RecursiveLoop: Allow", "      DeploymentPreference: {Type: Canary10Percent5Minutes}")
    client = server.client("cloudformation")
    with pytest.raises(client.exceptions.ClientError, match="UpdatePolicy"):
        client.create_stack(
            StackName="gradual", TemplateBody=gradual, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        )


def test_the_policy_of_a_layer_version(server: Any) -> None:
    layers, content = server.client("lambda"), io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("python/shared.py", "x = 1")
    version = layers.publish_layer_version(LayerName="shared", Content={"ZipFile": content.getvalue()})
    permission = {
        "Type": "AWS::Lambda::LayerVersionPermission",
        "Properties": {
            "Action": "lambda:GetLayerVersion",
            "LayerVersionArn": version["LayerVersionArn"],
            "Principal": "123456789012",
        },
    }
    deploy(server, "layer", "create", json.dumps({"Resources": {"Permission": permission}}))
    policy = layers.get_layer_version_policy(LayerName="shared", VersionNumber=version["Version"])["Policy"]
    assert json.loads(policy)["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}


def test_what_templates_say_without_meaning_anything(server: Any) -> None:
    """SAM and CDK write out what is empty or the default; `Tracing: Active` and `arm64` are everywhere."""
    template = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.11, Handler: index.handler, Tracing: Active, Architectures: [arm64]}
Resources:
  Shop:
    Type: AWS::Serverless::Function
    Properties:
      EphemeralStorage: {Size: 512}
      LoggingConfig: {LogFormat: JSON}
      InlineCode: |
        import os
        def handler(event, context): return os.environ["_X_AMZN_TRACE_ID"]
  Plain:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt ShopRole.Arn
      Code:
        ZipFile: |
          import os
          def handler(event, context): return os.environ["_X_AMZN_TRACE_ID"]
      TracingConfig: {}
      LoggingConfig: {LogFormat: Text}
      VpcConfig: {SubnetIds: [], SecurityGroupIds: []}
      DeadLetterConfig: {}
      Environment: {}
      FileSystemConfigs: []
      ImageConfig: {}
      KmsKeyArn: ""
      Layers: []
      PackageType: Zip
      SnapStart: {ApplyOn: None}
      Tags: []
  Topic: {Type: AWS::SNS::Topic, Properties: {TracingConfig: Active}}
Outputs:
  Shop: {Value: !Ref Shop}
  Plain: {Value: !Ref Plain}
"""
    made = deploy(server, "defaults", "create", template)
    lambda_ = server.client("lambda")
    for name, sampled in ((made["Shop"], "1"), (made["Plain"], "0")):
        assert f";Sampled={sampled};" in lambda_.invoke(FunctionName=name)["Payload"].read().decode()
    configuration = lambda_.get_function_configuration(FunctionName=made["Shop"])
    assert (configuration["Architectures"], configuration["TracingConfig"]) == (["arm64"], {"Mode": "Active"})
