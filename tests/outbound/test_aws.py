"""What passes is tried again inside a budget, and what does not is told in words without anything secret."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.outbound import aws
from tests.servers.aws import ScriptedAws, scripted_aws
from tests.storage.children import exit_code, fork

ASKED = {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q", "MessageBody": "sk_live_secret"}


@pytest.fixture
def scripted() -> Iterator[ScriptedAws]:
    with scripted_aws() as scripted:
        yield scripted


def send(budget_s: float = 5) -> dict[str, object]:
    return aws.call("sqs", "send_message", ASKED, has="MessageId", budget_s=budget_s)


def fault(budget_s: float = 0) -> aws.AwsFault:
    with pytest.raises(aws.AwsFault) as raised:
        send(budget_s)
    return raised.value


@pytest.mark.parametrize(
    ("code", "status"),
    [("ThrottlingException", 400), ("RequestThrottled", 403), ("InternalFailure", 500), ("ServiceUnavailable", 503)],
)
def test_throttling_and_errors_of_aws_are_tried_again(scripted: ScriptedAws, code: str, status: int) -> None:
    for _ in range(2):
        scripted.refuse(code, status)
    scripted.answer({"MessageId": "m"})
    assert send()["MessageId"] == "m"
    assert [asked for _, asked in scripted.asked] == [ASKED] * 3


def test_a_call_that_is_cut_off_is_tried_again(scripted: ScriptedAws) -> None:
    scripted.say(-1, b"")
    scripted.say(200, b'{"MessageId": ')
    scripted.say(200, b"")
    scripted.answer({"MessageId": "m"})
    assert send()["MessageId"] == "m"


def test_what_goes_on_failing_ends_with_the_budget(scripted: ScriptedAws) -> None:
    for _ in range(100):
        scripted.refuse("ThrottlingException", message="Rate exceeded")
    began = time.monotonic()
    told = fault(budget_s=1.0)
    assert (told.code, told.told, told.passing) == ("ThrottlingException", "Rate exceeded", True)
    assert time.monotonic() - began < 5
    assert 2 <= len(scripted.asked) < 40


@pytest.mark.parametrize("code", ["AccessDeniedException", "QueueDoesNotExist", "InvalidParameterValue"])
def test_what_is_refused_for_good_is_not_tried_again(scripted: ScriptedAws, code: str) -> None:
    scripted.refuse(code, message="no")
    told = fault(budget_s=5)
    assert (told.code, told.told, told.passing, told.status) == (code, "no", False, 400)
    assert len(scripted.asked) == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredTokenException", "the credentials have expired"),
        ("InvalidSignatureException", "the secret access key is wrong"),
        ("SomeSignatureFault", "it was refused"),
    ],
)
def test_what_aws_says_of_credentials_is_put_in_our_words(scripted: ScriptedAws, code: str, words: str) -> None:
    scripted.refuse(code, message="the string to sign was sk_live_secret")
    told = fault()
    assert words in told.told
    assert "sk_live_secret" not in str(told)


def test_the_page_of_a_proxy_is_told_by_its_status(scripted: ScriptedAws) -> None:
    scripted.say(403, b"<html>sk_live_secret</html>")
    told = fault()
    assert (told.status, told.passing, "sk_live" in str(told)) == (403, False, False)


def test_nobody_at_the_other_end_is_a_passing_fault(scripted: ScriptedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws.forget()
    told = fault()
    assert (told.code, told.passing, told.status) == ("EndpointConnectionError", True, None)


def test_missing_credentials_and_a_missing_region_are_told_at_once(
    scripted: ScriptedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    aws.forget()
    assert "there are no AWS credentials" in fault(budget_s=5).told
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    aws.forget()
    assert "there is no AWS region" in fault(budget_s=5).told


def test_a_client_is_made_once_for_each_service_and_region(scripted: ScriptedAws) -> None:
    assert aws.client("sqs") is aws.client("sqs")
    assert aws.client("sqs", "eu-west-2") is not aws.client("sqs")
    assert aws.client("sqs", "eu-west-2").meta.region_name == "eu-west-2"


def test_a_forked_process_has_connections_of_its_own(scripted: ScriptedAws) -> None:
    before = aws.client("sqs")
    assert exit_code(fork(lambda: int(aws.client("sqs") is before))) == 0
    assert aws.client("sqs") is before


def test_a_process_that_was_forked_while_a_client_was_made_makes_its_own(scripted: ScriptedAws) -> None:
    with aws._lock:
        assert exit_code(fork(lambda: int(aws.client("sqs") is None))) == 0


def test_nothing_of_aws_is_imported_before_the_first_call() -> None:
    code = "import sys, chalicelib.outbound.aws; sys.exit(any(name.startswith('botocore') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-central-1.amazonaws.com", "eu-central-1"),
        ("sqs-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("vpce-0a-b.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs.eu-central-1.amazonaws.com.example.org", None),
        ("127.0.0.1", None),
    ],
)
def test_a_host_of_sqs_names_its_region(host: str, region: str | None) -> None:
    assert aws.region_of(host) == region
