"""What the Pub/Sub channel sends, to whom it shows which credentials, and what it makes of each answer."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.contracts.publisher import DeliveryFailed, Publication, Retry, Target
from chalicelib.domain.configuration import Requested
from chalicelib.domain.errors import Pointer
from chalicelib.outbound.dial import ADDRESS_REFUSED, PLAIN_REFUSED
from chalicelib.publishers.pubsub import PubSubPublisher, PubSubTarget
from tests.conformance.certificates import authority_in, server_context
from tests.conformance.channel import LOOPBACK
from tests.conformance.channel_pubsub import ACCOUNT, PROJECT, PubSubServer, ServiceAccount, pubsub, target_of
from tests.conformance.wire import Wire
from tests.outbound.keeping import Keeping, keeping

BODY = b'{"id": "evt_1",  "source": "/paymentserver/default", "type": "payment.captured", "subject": "pay_1", "sequence": 4}'
PUBLICATION = Publication("evt_1", "payment.captured", "pay_1", BODY)
TAKEN = (200, {}, b'{"messageIds": ["7"]}')


@pytest.fixture(scope="module")
def account() -> ServiceAccount:
    return ServiceAccount()


@pytest.fixture
def google() -> Iterator[Keeping]:
    with keeping() as serving:
        serving.answers = [TAKEN]
        yield serving


@pytest.fixture
def publisher() -> Iterator[PubSubPublisher]:
    made = PubSubPublisher(allowed_networks=LOOPBACK)
    yield made
    made.close()


def settings_of(**given: Any) -> PubSubTarget:
    return PubSubTarget.model_validate({"project": PROJECT, "topic": "payments", **given})


def emulator(google: Keeping, **given: Any) -> Target:
    return Target(settings_of(endpoint=google.url, **given))


def sent(google: Keeping) -> tuple[str, dict[str, str], Any]:
    """The request line, the headers, the document."""
    (request,) = google.requests
    head, _, body = request.partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    return line, dict(one.split(": ", 1) for one in headers), json.loads(body)


def failure(google: Keeping, publisher: PubSubPublisher, status: int, answer: bytes = b"", **headers: str) -> Retry:
    google.answers = [(status, {name.replace("_", "-"): value for name, value in headers.items()}, answer)]
    with pytest.raises(Retry) as failed:
        publisher.publish(PUBLICATION, emulator(google))
    return failed.value


def test_a_message_is_one_call_of_publish(google: Keeping, publisher: PubSubPublisher) -> None:
    receipt = publisher.publish(PUBLICATION, emulator(google))
    assert (receipt.status, receipt.answer) == (200, '{"messageIds": ["7"]}')
    line, headers, document = sent(google)
    assert line == f"POST /v1/projects/{PROJECT}/topics/payments:publish HTTP/1.1"
    assert headers["Content-Type"] == "application/json"
    (message,) = document["messages"]
    assert base64.b64decode(message.pop("data")) == BODY
    assert message == {
        "orderingKey": "pay_1",
        "attributes": {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "ce-id": "evt_1",
            "ce-source": "/paymentserver/default",
            "ce-type": "payment.captured",
            "ce-subject": "pay_1",
            "ce-sequence": "4",
        },
    }


def test_the_delivery_log_is_told_what_was_asked(
    google: Keeping, publisher: PubSubPublisher, account: ServiceAccount
) -> None:
    address = f"{google.url}v1/projects/{PROJECT}/topics/payments:publish"
    asked = Requested("POST", address, ("Content-Type", "Accept", "Authorization"))
    target = emulator(google, service_account=account.json)
    assert publisher.publish(PUBLICATION, target).request == asked
    google.answers = [(500, {}, b"")]
    with pytest.raises(Retry) as failed:
        publisher.publish(PUBLICATION, target)
    assert failed.value.request == asked


def test_an_answer_that_repeats_the_access_token_keeps_none_of_it(
    google: Keeping, publisher: PubSubPublisher, account: ServiceAccount
) -> None:
    target = emulator(google, service_account=account.json)
    publisher.publish(PUBLICATION, target)
    token = sent(google)[1]["Authorization"].removeprefix("Bearer ")
    google.answers = [(401, {}, f"no such token: {token}.".encode())]
    with pytest.raises(Retry) as failed:
        publisher.publish(PUBLICATION, target)
    assert failed.value.answer == "no such token: ********."


def test_a_topic_stays_one_part_of_the_address(google: Keeping, publisher: PubSubPublisher) -> None:
    publisher.publish(PUBLICATION, emulator(google, topic="a%2Fb+c~d"))
    assert sent(google)[0].split()[1] == f"/v1/projects/{PROJECT}/topics/a%252Fb%2Bc~d:publish"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "the credentials are not accepted (401): give the JSON key of a service account that is live"),
        (
            403,
            f"the credentials may not publish to projects/{PROJECT}/topics/payments (403): "
            "grant roles/pubsub.publisher, and enable the Pub/Sub API",
        ),
        (404, f"the topic projects/{PROJECT}/topics/payments does not exist (404)"),
        (400, "Pub/Sub answered 400"),
        (302, "Pub/Sub answered 302"),
        (500, "Pub/Sub answered 500"),
        (204, "Pub/Sub answered 204"),
    ],
)
def test_each_failure_says_what_to_mend(google: Keeping, publisher: PubSubPublisher, status: int, said: str) -> None:
    failed = failure(google, publisher, status, b"why" if status != 204 else b"")
    assert (failed.detail, failed.status, failed.after_s) == (said, status, None)
    assert failed.answer == ("why" if status != 204 else "")


@pytest.mark.parametrize("status", [429, 503])
def test_pubsub_may_ask_for_a_pause(google: Keeping, publisher: PubSubPublisher, status: int) -> None:
    assert failure(google, publisher, status, Retry_After="120").after_s == 120.0


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b"[]", b'{"messageIds": []}', b'{"messageIds": "7"}', b"<html>", b"\xff"]
)
def test_an_answer_without_a_message_id_is_no_acknowledgement(
    google: Keeping, publisher: PubSubPublisher, answer: bytes
) -> None:
    assert failure(google, publisher, 200, answer).detail == "Pub/Sub's answer has no message id"


def test_a_lost_answer_is_tried_again(google: Keeping, publisher: PubSubPublisher) -> None:
    failed = failure(google, publisher, -1)
    reason = "the connection was closed before the answer was complete"
    assert (failed.detail, failed.status) == (f"no answer from Pub/Sub ({reason})", None)


def test_a_service_account_signs_a_token_of_its_own_and_uses_it_again(
    google: Keeping, publisher: PubSubPublisher, account: ServiceAccount
) -> None:
    google.answers = [TAKEN, TAKEN]
    for _ in range(2):
        publisher.publish(PUBLICATION, emulator(google, service_account=account.json))
    first, second = (one.split("Authorization: Bearer ")[1].split("\r\n")[0] for one in google.requests)
    assert first == second
    claims = json.loads(base64.urlsafe_b64decode(first.split(".")[1] + "=="))
    assert (claims["iss"], claims["scope"]) == (ACCOUNT, "https://www.googleapis.com/auth/pubsub")


def test_each_service_account_has_its_own_token(
    google: Keeping, publisher: PubSubPublisher, account: ServiceAccount
) -> None:
    google.answers = [TAKEN, TAKEN]
    for each in (account, ServiceAccount("other@shop-project.iam.gserviceaccount.com")):
        publisher.publish(PUBLICATION, emulator(google, service_account=each.json))
    first, second = (one.split("Authorization: Bearer ")[1].split("\r\n")[0] for one in google.requests)
    assert first != second


@pytest.fixture
def environment(account: ServiceAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PaymentServer itself runs as a service account."""
    (tmp_path / "account.json").write_text(account.json)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))


@pytest.mark.usefixtures("environment")
def test_the_environments_credentials_are_not_shown_to_an_emulator(google: Keeping, publisher: PubSubPublisher) -> None:
    publisher.publish(PUBLICATION, emulator(google))
    assert "Authorization" not in sent(google)[1]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("host", ["pubsub.googleapis.com", "europe-west3-pubsub.googleapis.com"])
def test_the_environments_credentials_are_shown_to_google(
    google: Keeping, publisher: PubSubPublisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    ca, certificate, key = authority_in(tmp_path, host)
    wire = Wire(("127.0.0.1", google.server_address[1]), server_context(certificate, key))
    resolve = socket.getaddrinfo

    def led_here(name: str, port: int, *rest: Any, **named: Any) -> Any:
        return resolve(*(("127.0.0.1", wire.port) if name == host else (name, port)), *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", led_here)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(ca))
    try:
        publisher.publish(PUBLICATION, Target(settings_of(endpoint=f"https://{host}")))
    finally:
        wire.close()
    assert sent(google)[1]["Authorization"].startswith("Bearer ey")


def test_an_environment_without_credentials_is_a_configuration_error(
    publisher: PubSubPublisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing"))
    with pytest.raises(Retry, match=r"^no access token from PaymentServer's environment \(DefaultCredentialsError\)$"):
        publisher.publish(PUBLICATION, Target(settings_of()))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PubSubServer]:
    with pubsub(tmp_path_factory.mktemp("pubsub")) as running:
        yield running


def test_another_account_may_not_publish(server: PubSubServer, publisher: PubSubPublisher) -> None:
    server.api.create("guarded")
    intruder = json.dumps({**json.loads(server.account.json), "client_email": "intruder@example.com"})
    with pytest.raises(DeliveryFailed) as failed:
        publisher.publish(PUBLICATION, target_of(f"http://127.0.0.1:{server.address[1]}", "guarded", intruder))
    assert failed.value.status == 403
    assert "PERMISSION_DENIED" in failed.value.answer
    assert server.api.pulled("guarded") == []


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"project": "P"}, "project"),
        ({"project": "shop/../other"}, "project"),
        ({"topic": "1"}, "topic"),
        ({"topic": "projects/p/topics/t"}, "topic"),
        ({"topic": "payments?x"}, "topic"),
        ({"service_account": "{}"}, "service_account"),
        ({"service_account": "no json"}, "service_account"),
        ({"service_account": '{"type": "external_account", "private_key": "x"}'}, "service_account"),
        (
            {"service_account": '{"type": "service_account", "private_key": "x", "client_email": "a@b"}'},
            "service_account",
        ),
        ({"endpoint": "pubsub.googleapis.com"}, "endpoint"),
        ({"endpoint": "ftp://pubsub.googleapis.com"}, "endpoint"),
        ({"endpoint": "https://me:word@pubsub.googleapis.com"}, "endpoint"),
        ({"endpoint": "https://pubsub.googleapis.com/v2"}, "endpoint"),
        ({"endpoint": "https://pubsub.googleapis.com?a"}, "endpoint"),
        ({"endpoint": "https://pubsub.googleapis.com:0"}, "endpoint"),
        ({"endpoint": "https://pubsub.googleapis.com:65536"}, "endpoint"),
        ({"endpoint": "https://[::1"}, "endpoint"),
        ({"endpoint": "https://a b"}, "endpoint"),
    ],
)
def test_a_target_that_can_not_be_is_refused(given: dict[str, str], at: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings_of(**given)
    assert [one["loc"] for one in refused.value.errors()] == [(at,)]


@pytest.mark.parametrize(
    ("endpoint", "allowed", "objection"),
    [
        ("https://pubsub.googleapis.com", (), None),
        ("http://127.0.0.1:8085", LOOPBACK, None),
        ("http://127.0.0.1:8085", (), Pointer("/endpoint", ADDRESS_REFUSED)),
        ("https://10.0.0.1", (), Pointer("/endpoint", ADDRESS_REFUSED)),
        ("http://pubsub.googleapis.com", (), Pointer("/endpoint", PLAIN_REFUSED)),
    ],
)
def test_what_speaks_against_a_target_is_said_when_it_is_made(
    endpoint: str, allowed: tuple[str, ...], objection: Pointer | None
) -> None:
    assert PubSubPublisher(allowed_networks=allowed).objection(settings_of(endpoint=endpoint)) == objection
