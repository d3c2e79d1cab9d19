"""The functions' policies say no more than what is written down, and no wildcard stands without a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.services.kinds import KINDS
from infra import grants, keys
from infra.names import FUNCTIONS, LOG_GROUPS
from infra.stages import CONFIG

REASONS = json.loads(grants.REASONS.read_text())
TABLE = ":table/${TablePrefix}-"


def _policy(function: str) -> Any:
    return json.loads((grants.FOLDER / f"{function}.json").read_text())


def test_each_function_has_a_policy_of_its_own() -> None:
    assert grants.functions() == sorted(name.removesuffix("_handler") for name in FUNCTIONS)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_each_function_is_given_its_own_policy(stage: str) -> None:
    functions = json.loads(CONFIG.read_text())["stages"][stage]["lambda_functions"]
    given = {name: one["iam_policy_file"] for name, one in functions.items()}
    assert given == {name: f"../infra/policies/{name.removesuffix('_handler')}.json" for name in FUNCTIONS}


@pytest.mark.parametrize("function", grants.functions())
def test_a_policy_only_ever_allows_and_names_its_statements_once(function: str) -> None:
    statements = grants.statements_of(function)
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    assert len({statement["Sid"] for statement in statements}) == len(statements)


@pytest.mark.parametrize("function", grants.functions())
def test_a_policy_names_what_it_allows(function: str) -> None:
    for statement in grants.statements_of(function):
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert statement["Action"] == sorted(set(statement["Action"]))


@pytest.mark.parametrize("function", grants.functions())
def test_a_wildcard_has_a_written_reason(function: str) -> None:
    assert {sid for sid, _ in grants.wildcards_in(_policy(function))} <= set(REASONS["functions"])


def test_a_wildcard_of_a_key_has_a_written_reason() -> None:
    found = {
        name
        for name, resource in keys.keys().items()
        if "KeyPolicy" in resource["Properties"] and list(grants.wildcards_in(resource["Properties"]["KeyPolicy"]))
    }
    assert found == set(REASONS["keys"])


@pytest.mark.parametrize("name", keys.KEYS)
def test_whoever_manages_a_key_can_not_let_himself_use_it_without_changing_its_policy(name: str) -> None:
    """A grant would let anybody decrypt, beside the policy and beside the roles that it names."""
    manage, use = keys.keys()[name]["Properties"]["KeyPolicy"]["Statement"]
    using = {
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateMac",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    }
    assert not {"kms:CreateGrant", "kms:*", *using} & set(manage["Action"])
    assert "ArnLike" in use["Condition"]


def test_no_reason_outlives_its_wildcard() -> None:
    found = {sid for function in grants.functions() for sid, _ in grants.wildcards_in(_policy(function))}
    assert found == set(REASONS["functions"])


def test_an_action_with_a_wildcard_is_found() -> None:
    document = {"Statement": [{"Sid": "All", "Action": ["dynamodb:*"], "Resource": [{"Fn::Sub": "arn:x"}]}]}
    assert list(grants.wildcards_in(document)) == [("All", "dynamodb:*")]


@pytest.mark.parametrize("function", grants.functions())
def test_a_policy_names_tables_and_indexes_that_exist(function: str) -> None:
    tables = {f"{TABLE}{kind.name}" for kind in KINDS}
    indexes = {f"{TABLE}{kind.name}/index/{index.name}" for kind in KINDS for index in kind.indexes}
    for statement in grants.statements_of(function):
        for text in grants.texts_in(statement["Resource"]):
            if TABLE in text:
                assert TABLE + text.partition(TABLE)[2] in tables | indexes


@pytest.mark.parametrize("function", grants.functions())
def test_a_function_writes_to_its_own_log_alone(function: str) -> None:
    group = LOG_GROUPS.get(function, "ApiHandlerLogGroup")
    (written,) = [one for one in grants.statements_of(function) if any("logs:" in act for act in one["Action"])]
    assert written["Resource"] == [{"Fn::GetAtt": [group, "Arn"]}]


def test_the_webhook_function_may_read_what_verifies_open_webhook_secrets_sign_links_and_queue_and_nothing_else() -> (
    None
):
    may = {
        (action, text)
        for statement in grants.statements_of("webhooks")
        for action in statement["Action"]
        for text in grants.texts_in(statement["Resource"])
        if statement["Sid"] not in ("WriteOwnLog", "SendTraces") and text != "Arn"
    }
    table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TablePrefix}-"
    assert may == {
        ("dynamodb:GetItem", f"{table}connections"),
        ("dynamodb:GetItem", f"{table}public_documents"),
        ("kms:Decrypt", "WebhookSecretsKey"),
        ("kms:GenerateMac", "LinkKey"),
        ("sqs:SendMessage", "InboundQueue"),
    }
