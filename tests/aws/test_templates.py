"""Both templates as they are deployed: cfn-lint has nothing to say, and no right is wider than a reason is written for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra import grants
from infra.names import FUNCTIONS, LOG_GROUPS
from infra.stages import stage_of
from tests.aws.packages import Package, linted

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(600)]
REASONS: dict[str, dict[str, str]] = json.loads(grants.REASONS.read_text())
TEMPLATE_BYTES_MAX = 1_000_000
RESOURCES_MAX = 500


@pytest.mark.parametrize("template", ["sam.json", "stack.json"])
def test_cfn_lint_has_nothing_to_say_of_production(package: Package, template: str) -> None:
    assert linted(package.out / template) == ""


@pytest.mark.parametrize("template", ["sam.json", "stack.json"])
def test_cfn_lint_has_nothing_to_say_of_the_other_stage_and_processor(other_package: Package, template: str) -> None:
    assert linted(other_package.out / template) == ""


def test_cfn_lint_would_find_a_mistake(package: Package, tmp_path: Path) -> None:
    stack = package.stack
    stack["Resources"]["InboundQueue"]["Properties"]["VisibilityTimeout"] = "soon"
    (tmp_path / "stack.json").write_text(json.dumps(stack))
    assert "'soon' is not of type 'integer'" in linted(tmp_path / "stack.json")


def test_the_stack_is_within_cloudformations_limits(package: Package) -> None:
    assert (package.out / "stack.json").stat().st_size <= TEMPLATE_BYTES_MAX
    assert len(package.stack["Resources"]) <= RESOURCES_MAX


def _of_type(package: Package, type_: str) -> dict[str, Any]:
    return {name: one for name, one in package.stack["Resources"].items() if one["Type"] == type_}


def test_each_function_has_a_role_of_its_own_with_its_policy_alone(package: Package) -> None:
    roles = _of_type(package, "AWS::IAM::Role")
    functions = _of_type(package, "AWS::Lambda::Function")
    assert set(functions) == set(FUNCTIONS.values())
    used = {name: one["Properties"]["Role"]["Fn::GetAtt"][0] for name, one in functions.items()}
    assert sorted(used.values()) == sorted(roles)
    for function, resource in FUNCTIONS.items():
        properties = roles[used[resource]]["Properties"]
        assert "ManagedPolicyArns" not in properties
        (policy,) = properties["Policies"]
        written = grants.FOLDER / f"{function.removesuffix('_handler')}.json"
        assert policy["PolicyDocument"] == json.loads(written.read_text())
        assert properties["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
            "Service": "lambda.amazonaws.com"
        }


def test_whoever_may_be_called_by_everybody_has_a_written_reason(package: Package) -> None:
    permissions = _of_type(package, "AWS::Lambda::Permission").values()
    public = [one["Properties"] for one in permissions if one["Properties"]["Principal"] == "*"]
    assert {one["FunctionName"]["Ref"] for one in public} == set(REASONS["function_url"])
    assert all(one.get("FunctionUrlAuthType") == "NONE" or one.get("InvokedViaFunctionUrl") for one in public)


def test_whoever_else_may_call_a_function_is_one_service_for_one_resource(package: Package) -> None:
    permissions = _of_type(package, "AWS::Lambda::Permission").values()
    others = [one["Properties"] for one in permissions if one["Properties"]["Principal"] != "*"]
    assert {one["Principal"] for one in others} == {"apigateway.amazonaws.com", "events.amazonaws.com"}
    assert all("SourceArn" in one for one in others)


def test_the_private_api_s_wildcards_have_a_written_reason(package: Package) -> None:
    body = package.stack["Resources"]["RestAPI"]["Properties"]["Body"]
    condition, policy, _ = body["x-amazon-apigateway-policy"]["Fn::If"]
    assert condition == "IsPrivate"
    assert {sid for sid, _ in grants.wildcards_in(policy)} == set(REASONS["api"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_gets_what_its_stage_says(package: Package, function: str) -> None:
    stage, properties = stage_of("prod"), package.stack["Resources"][FUNCTIONS[function]]["Properties"]
    assert properties["MemorySize"] == stage.of(function, "lambda_memory_size")
    assert properties["Timeout"] == stage.timeout_s(function)
    assert properties["TracingConfig"] == {"Mode": "Active"}
    assert properties["Architectures"] == ["arm64"]
    reserved = properties["ReservedConcurrentExecutions"]
    assert reserved == {"Fn::If": ["ReservesConcurrency", stage.reserved(function), {"Ref": "AWS::NoValue"}]}
    log = package.stack["Resources"][LOG_GROUPS[function]]["Properties"]
    assert log["RetentionInDays"] == stage.of(function, "log_retention_in_days")
    assert log["LogGroupName"]["Fn::Sub"] == "/aws/lambda/" + properties["FunctionName"]["Fn::Sub"]


def test_what_holds_money_s_records_and_their_secrets_is_kept_when_the_stack_goes(package: Package) -> None:
    kept = {"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}
    lost = [
        name
        for name, one in package.stack["Resources"].items()
        if one["Type"] in kept and not one.get("DeletionPolicy", "").startswith("Retain")
    ]
    assert lost == []


def test_every_operation_of_the_api_calls_the_api_s_function(package: Package) -> None:
    paths = package.stack["Resources"]["RestAPI"]["Properties"]["Body"]["paths"]
    called = {
        json.dumps(operation["x-amazon-apigateway-integration"]["uri"])
        for operations in paths.values()
        for operation in operations.values()
    }
    (uri,) = called
    assert ":function:${AWS::StackName}-api/invocations" in uri


def test_the_stack_gives_away_what_merchants_and_psps_are_told(package: Package) -> None:
    assert {"ApiUrl", "WebhookUrl"} <= set(package.stack["Outputs"])
