"""Nothing is granted that nobody uses, on the deployed stack or in the services' own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dev import demo
from dev.shop import Listener
from infra import grants
from tests import rights
from tests.aws.packages import ROOT
from tests.aws.shopping import Surroundings
from tests.aws.standin import NAME
from tests.aws.tour import tour

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(900)]

# What is granted for moments that no test here brings about on purpose.
SELDOM = {
    ("api", "dynamodb:DeleteItem", "endpoint_troubles"): "an operator's redelivery arrives at an endpoint in trouble",
    ("api", "dynamodb:PutItem", "endpoint_troubles"): "an operator's redelivery fails where nothing had failed before",
    ("api", "dynamodb:GetItem", "public_documents"): "an operator replays a webhook that was not verified",
    ("api", "dynamodb:PutItem", "public_documents"): "and it is verified now, by what the PSP gives",
    ("api", "dynamodb:GetItem", "health"): "another process wrote a connection's health first, and it is read again",
    ("api", "kms:Decrypt", "credentials"): "a process that did not seal a secret itself opens it",
    ("api", "kms:Decrypt", "webhooks"): "a process that did not seal a secret itself opens it",
    (
        "apply",
        "kms:GenerateMac",
        "links",
    ): "a webhook of a PSP that signs nothing came to the address made for its attempt",
    ("attend", "kms:GenerateMac", "links"): "such a webhook waited in the inbox, and is tried again",
    (
        "notify",
        "kms:Decrypt",
        "credentials",
    ): "a signing secret is opened; the shop here may be gone before its turn comes",
    ("apply", "sqs:SendMessage", "inbound"): "an outage: the message is sent again as a new one",
}
KEYS = {"CredentialsKey": "credentials", "WebhookSecretsKey": "webhooks", "LinkKey": "links"}


@pytest.fixture(scope="module")
def used(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str, str]]:
    """Function, action, and what it was done to."""
    tour(around)
    listener = Listener()
    around.shop.subscribe(listener.url)
    listener.wait_for(demo.third_order(around.shop), "payment.captured")
    around.shop.unsubscribe()
    listener.close()
    around.stack.call("measure", {})
    on_stack = {
        (name.removesuffix("_handler"), action, resource.removeprefix(f"{NAME}-"))
        for name, recorder in around.stack.recorders.items()
        for action, resource in recorder.used
    }
    return on_stack | _used_in_tests(tmp_path_factory.mktemp("used"))


def _used_in_tests(folder: Path) -> set[tuple[str, str, str]]:
    """Of these tests alone: others call services in no function's name."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not long", "tests/services", "tests/api"]
    environment = {**os.environ, "RIGHTS_USED": str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    return {(function, *right) for function, right in rights.used_in(folder)}


def _granted(function: str) -> set[tuple[str, str, str]]:
    found = {(function, *right) for right in rights.granted(function)}
    for statement in grants.statements_of(function):
        for text in grants.texts_in(statement["Resource"]):
            if text in KEYS:
                found |= {(function, action, KEYS[text]) for action in statement["Action"]}
    return found


@pytest.mark.parametrize("function", grants.functions())
def test_nothing_is_granted_that_is_not_used(used: set[tuple[str, str, str]], function: str) -> None:
    unused = _granted(function) - used - set(SELDOM)
    assert not unused, sorted(unused)


@pytest.mark.parametrize("function", grants.functions())
def test_nothing_is_used_that_is_not_granted(used: set[tuple[str, str, str]], function: str) -> None:
    beyond = {one for one in used - _granted(function) if one[0] == function}
    assert not beyond, sorted(beyond)


def test_what_is_said_to_be_used_seldom_is_granted() -> None:
    assert set(SELDOM) <= {one for function in grants.functions() for one in _granted(function)}


def test_the_private_network_s_subscribers_are_reached_by_roles_that_were_named(around: Surroundings) -> None:
    """Without any, no function may take a role on."""
    for role in around.stack.client("iam").list_roles()["Roles"]:
        for name in around.stack.client("iam").list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            policy: Any = around.stack.client("iam").get_role_policy(RoleName=role["RoleName"], PolicyName=name)
            actions = [action for one in policy["PolicyDocument"]["Statement"] for action in one["Action"]]
            assert "sts:AssumeRole" not in actions
