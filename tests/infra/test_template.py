"""The template that is merged with Chalice's: made of what the code declares, and safe against mistakes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.api.problem import PROBLEMS
from chalicelib.contracts.queue import RECEIVES_MAX, Topic
from chalicelib.services.kinds import KINDS
from chalicelib.settings import Settings
from infra.api import RESPONSES
from infra.functions import SETTINGS
from infra.names import CONSUMER_OF, FUNCTIONS, dead_letters_id, queue_id, table_id
from infra.stages import stage_of
from infra.template import merge_template

TEMPLATE = merge_template("prod")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_table_of_each_kind_survives_the_stack_and_can_be_restored_to_any_second(kind: Any) -> None:
    table = RESOURCES[table_id(kind.name)]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = table["Properties"]
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    indexes = {one["IndexName"] for one in properties.get("GlobalSecondaryIndexes", ())}
    assert indexes == {index.name for index in kind.indexes}


@pytest.mark.parametrize("function", FUNCTIONS.values())
def test_new_code_runs_only_once_the_tables_and_indexes_that_it_asks_are_there(function: str) -> None:
    """CloudFormation would update them side by side else: building an index takes minutes to hours, code a second."""
    assert set(RESOURCES[function]["DependsOn"]) >= {table_id(kind.name) for kind in KINDS}


@pytest.mark.parametrize("topic", Topic)
def test_a_queue_gives_a_message_again_only_when_its_function_has_certainly_ended(topic: Topic) -> None:
    visible_s = RESOURCES[queue_id(topic)]["Properties"]["VisibilityTimeout"]
    assert visible_s >= 6 * stage_of("prod").timeout_s(CONSUMER_OF[topic])


@pytest.mark.parametrize("topic", Topic)
def test_what_a_queue_gives_up_is_kept_for_two_weeks(topic: Topic) -> None:
    queue, dead = RESOURCES[queue_id(topic)]["Properties"], RESOURCES[dead_letters_id(topic)]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == RECEIVES_MAX
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [dead_letters_id(topic), "Arn"]}
    assert dead["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["SqsManagedSseEnabled"] is True
    assert dead["SqsManagedSseEnabled"] is True


def test_queues_and_dead_letters_are_called_as_the_queue_adapter_calls_them() -> None:
    names = {RESOURCES[queue_id(topic)]["Properties"]["QueueName"]["Fn::Sub"] for topic in Topic}
    dead = {RESOURCES[dead_letters_id(topic)]["Properties"]["QueueName"]["Fn::Sub"] for topic in Topic}
    assert names == {f"${{AWS::StackName}}-{topic}" for topic in Topic}
    assert dead == {f"${{AWS::StackName}}-{topic}-dead" for topic in Topic}


@pytest.mark.parametrize("function", CONSUMER_OF.values())
def test_a_queue_gives_its_function_no_more_batches_than_may_run(function: str) -> None:
    (source,) = RESOURCES[FUNCTIONS[function]]["Properties"]["Events"].values()
    condition, reserved, unreserved = source["Properties"]["ScalingConfig"]["MaximumConcurrency"]["Fn::If"]
    assert (condition, reserved) == ("ReservesConcurrency", stage_of("prod").reserved(function))
    assert unreserved * len(CONSUMER_OF) < 10, "a new account runs 10 at a time, the API among them"
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("stage", ["dev", "prod"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_stage_says_what_each_function_gets(stage: str, function: str) -> None:
    config = stage_of(stage)
    assert config.of(function, "lambda_memory_size") >= 256
    assert 10 <= config.timeout_s(function) <= 300
    assert config.reserved(function)
    assert config.of(function, "xray") is True
    assert config.of(function, "log_retention_in_days") >= 14
    assert config.of(function, "autogen_policy") is False


def test_an_account_with_its_quota_of_executions_keeps_a_tenth_of_it_free() -> None:
    reserved = [stage_of("prod").reserved(function) for function in FUNCTIONS]
    assert sum(one or 0 for one in reserved) <= 900


def test_the_api_answers_before_api_gateway_gives_it_up() -> None:
    settings = Settings()
    timeout_s = stage_of("prod").timeout_s("api_handler")
    assert settings.checkout_budget_s + settings.psp_call_timeout_s < timeout_s <= 29


@pytest.mark.parametrize("setting", [*SETTINGS, "INTERNET_URL"])
def test_a_function_is_told_only_settings_that_exist(setting: str) -> None:
    assert setting.lower() in Settings.model_fields


def test_the_webhook_function_is_not_told_its_own_address_which_would_be_a_circle() -> None:
    told = RESOURCES["Webhooks"]["Properties"]["Environment"]["Variables"]
    assert "WebhooksUrl" not in json.dumps(told)


@pytest.mark.parametrize("answer", RESPONSES.values(), ids=RESPONSES)
def test_api_gateways_own_errors_are_problems_with_a_page(answer: tuple[int, str, str]) -> None:
    _, slug, _ = answer
    assert (PROBLEMS / f"{slug}.md").exists()


@pytest.mark.parametrize("name", RESPONSES)
def test_api_gateways_own_errors_are_json_once_filled_in(name: str) -> None:
    responses = RESOURCES["RestAPI"]["Properties"]["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]
    text, _ = responses[name]["responseTemplates"]["application/json"]["Fn::Sub"]
    document = json.loads(text.replace("${Here}", "https://payments.example"))
    assert document["status"] == responses[name]["statusCode"]
    assert document["type"].startswith("https://payments.example/problems/")
    assert document["request_id"] == "$context.requestId"


def test_alarms_and_the_dashboard_watch_the_tables_in_use_after_a_restore_too() -> None:
    watched = {
        name: json.dumps(resource) for name, resource in RESOURCES.items() if "AWS/DynamoDB" in json.dumps(resource)
    }
    assert len(watched) == 2 * len(KINDS) + 1
    assert all("${TablePrefix}-" in text for text in watched.values())


def test_no_alarm_adds_up_more_metrics_than_cloudwatch_allows() -> None:
    added = [len(one["Properties"].get("Metrics", ())) for one in RESOURCES.values() if "Properties" in one]
    assert max(added) <= 10 + 1  # and the sum itself


def test_a_stage_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        merge_template("elsewhere")
