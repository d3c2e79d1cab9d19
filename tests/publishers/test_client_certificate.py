"""Mutual TLS: what is refused when it is saved, and what a server that asks for a certificate sees."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chalicelib.contracts.publisher import Publication, Retry, Target
from chalicelib.publishers.client_certificate import objection_to
from chalicelib.publishers.webhook import WebhookPublisher, WebhookTarget
from tests.publishers.client_certificates import SERVER, Asking, Authority, asking, keys, pem_of

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
PUBLICATION = Publication("evt_1", "payment.captured", "pay_1", b"{}")
CLIENTS = Authority()
KEYS = keys()
KEY = pem_of(KEYS["ec"])
CERTIFICATE = CLIENTS.client("shop", KEYS["ec"])


def said_of(certificate: str | None, key: str | None) -> str | None:
    """The pointer and what it says."""
    objection = objection_to(certificate, key, datetime.now(UTC))
    return objection and f"{objection.pointer} {objection.detail}"


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_a_certificate_with_its_key_is_taken(kind: str) -> None:
    assert said_of(CLIENTS.client("shop", KEYS[kind]), pem_of(KEYS[kind])) is None


def test_a_certificate_without_a_stated_usage_and_with_its_authority_behind_it_is_taken() -> None:
    assert said_of(CLIENTS.client("shop", KEYS["ec"], usage=None) + CLIENTS.pem, KEY) is None


def test_no_certificate_is_needed() -> None:
    assert said_of(None, None) is None


DAY = "20[0-9]{2}-[01][0-9]-[0-3][0-9]"
FIRST = "/client_certificate must be certificates in PEM, the client's own first"


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        (CERTIFICATE, None, "/client_key is needed with client_certificate"),
        (None, KEY, "/client_certificate is needed with client_key"),
        ("", KEY, FIRST),
        ("hello", KEY, FIRST),
        (CERTIFICATE.replace("M", "A", 9), KEY, FIRST),
        ("\ud800", KEY, FIRST),
        (CERTIFICATE, "hello", "/client_key must be a private key in PEM"),
        (CERTIFICATE, CERTIFICATE, "/client_key must be a private key in PEM"),
        (
            CERTIFICATE,
            pem_of(KEYS["ec"], b"passphrase"),
            "/client_key is encrypted: send it without a passphrase, it is kept encrypted here",
        ),
        (
            CERTIFICATE,
            pem_of(ec.generate_private_key(ec.SECP256R1())),
            "/client_key is not the key of the first certificate of client_certificate",
        ),
        (
            CLIENTS.pem + CERTIFICATE,
            KEY,
            "/client_key is not the key of the first certificate of client_certificate",
        ),
        (
            CLIENTS.client("shop", KEYS["ec"], usage=SERVER),
            KEY,
            "/client_certificate begins with a certificate that is not for client authentication",
        ),
    ],
    ids=[
        *(
            "no key",
            "no certificate",
            "empty",
            "no PEM",
            "damaged",
            "no Unicode",
            "no key in PEM",
            "a certificate for a key",
        ),
        *("encrypted", "another's key", "authority first", "a server's"),
    ],
)
def test_what_can_not_work_is_refused_where_it_stands(certificate: str | None, key: str | None, said: str) -> None:
    assert said_of(certificate, key) == said


def test_a_key_in_the_certificate_is_refused_as_it_would_be_shown() -> None:
    said = said_of(CERTIFICATE + KEY, KEY)
    assert said is not None
    assert said.startswith("/client_certificate holds a private key")


@pytest.mark.parametrize(("from_days", "until_days", "what"), [(-9, -1, "expired on"), (1, 9, "is not valid before")])
def test_a_certificate_out_of_its_time_is_refused(from_days: int, until_days: int, what: str) -> None:
    out = CLIENTS.client("shop", KEYS["ec"], from_days=from_days, until_days=until_days)
    day = datetime.now(UTC) + timedelta(days=until_days if until_days < 0 else from_days, minutes=-1)
    said = f"/client_certificate holds a certificate that {what} {day:%Y-%m-%d}"
    assert said_of(out, KEY) == said
    assert said_of(CERTIFICATE + out, KEY) == said, "in the rest of the chain too"


def test_a_key_that_is_too_weak_for_tls_is_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    said = said_of(CLIENTS.client("shop", weak), pem_of(weak))
    assert said == "/client_key can not be used for TLS (EE_KEY_TOO_SMALL)"


def test_a_certificate_needs_an_address_with_tls() -> None:
    target = WebhookTarget(url="http://127.0.0.1/", client_certificate=CERTIFICATE)
    objection = WebhookPublisher(allowed_networks=("127.0.0.0/8",)).objection(target)
    assert objection is not None
    assert (objection.pointer, objection.detail) == ("/client_certificate", "needs an https address")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    with asking(tmp_path, CLIENTS) as serving:
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(serving.ca))
        yield serving


@pytest.fixture
def publisher() -> Iterator[WebhookPublisher]:
    made = WebhookPublisher(allowed_networks=("127.0.0.0/8", "::1/128"))
    yield made
    made.close()


def shown_as(server: Asking, name: str, key: Any, authority: Authority = CLIENTS) -> Target:
    given = {"url": server.url, "client_certificate": authority.client(name, key), "client_key": pem_of(key)}
    return Target(WebhookTarget.model_validate(given), (SECRET,))


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_a_server_that_asks_for_a_certificate_sees_it(server: Asking, publisher: WebhookPublisher, kind: str) -> None:
    publisher.publish(PUBLICATION, shown_as(server, f"shop with {kind}", KEYS[kind]))
    assert server.seen == [f"shop with {kind}"]


def test_connections_of_one_certificate_are_used_again_and_never_for_another(
    server: Asking, publisher: WebhookPublisher
) -> None:
    one, other = shown_as(server, "one", KEYS["ec"]), shown_as(server, "other", KEYS["ed25519"])
    for target in (one, other, one, other):
        publisher.publish(PUBLICATION, target)
    assert (server.seen, server.connections) == (["one", "other", "one", "other"], 2)


def refused(publisher: WebhookPublisher, target: Target) -> str:
    with pytest.raises(Retry) as failed:
        publisher.publish(PUBLICATION, target)
    return failed.value.detail


def test_without_a_certificate_it_is_refused_by_the_server(server: Asking, publisher: WebhookPublisher) -> None:
    told = refused(publisher, Target(WebhookTarget(url=server.url), (SECRET,)))
    assert "no answer from the target" in told
    assert server.seen == []


def test_a_certificate_of_a_stranger_is_refused_by_the_server(server: Asking, publisher: WebhookPublisher) -> None:
    told = refused(publisher, shown_as(server, "stranger", KEYS["ec"], Authority("strangers")))
    assert "no answer from the target" in told
    assert server.seen == []


def test_the_servers_own_certificate_is_still_verified(
    tmp_path_factory: pytest.TempPathFactory, publisher: WebhookPublisher
) -> None:
    with asking(tmp_path_factory.mktemp("untrusted"), CLIENTS) as untrusted:
        told = refused(publisher, shown_as(untrusted, "shop", KEYS["ec"]))
    assert (
        told
        == "no answer from the target (the server's certificate is not trusted: unable to get local issuer certificate)"
    )
    assert untrusted.seen == []


def test_a_pair_that_can_not_be_used_any_more_is_tried_again_later(publisher: WebhookPublisher) -> None:
    given = {"url": "https://127.0.0.1:9/", "client_certificate": "gone", "client_key": KEY}
    told = refused(publisher, Target(WebhookTarget.model_validate(given), (SECRET,)))
    assert told == "the client certificate and its key can not be used"


def test_the_key_is_in_no_file_but_encrypted_and_then_in_none(
    server: Asking, publisher: WebhookPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: list[tuple[Path, str, int]] = []
    load = ssl.SSLContext.load_cert_chain

    def watched(context: ssl.SSLContext, file: Path, *rest: Any, **more: Any) -> None:
        files.append((file, file.read_text(), file.stat().st_mode & 0o777))
        load(context, file, *rest, **more)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    publisher.publish(PUBLICATION, shown_as(server, "shop", KEYS["ec"]))
    ((file, text, mode),) = files
    assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    assert "BEGIN PRIVATE KEY" not in text
    assert (mode, file.exists(), file.parent.exists()) == (0o600, False, False)
