"""PayPal's certificates are believed where a public root vouches for them; one that was refused is not asked for again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from chalicelib.connectors.paypal import certificate
from chalicelib.connectors.paypal.certificate import (
    BELIEVED_MAX,
    KEPT_S,
    REFUSED_MAX,
    REFUSED_S,
    Believed,
    Certificates,
)
from chalicelib.contracts.conversation import HttpRequest, HttpResponse, ReadFailed
from chalicelib.domain.errors import SignatureInvalid
from tests.conformance.connectors.profile import connector_of
from tests.connectors.paypal.signing import NAME, chain, intermediate, issued, paypal, root, trusted

PUBLIC_ROOTS = certificate.public_roots
SECOND = timedelta(seconds=1)
URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1"


@pytest.fixture(autouse=True)
def our_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "public_roots", trusted)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def now() -> datetime:
    return datetime.now(UTC)


def asked(certificates: Certificates, pem: bytes, at: datetime | None = None, url: str = URL, status: int = 200) -> Any:
    """The key, and the request that was made for it."""
    conversation = certificates.key(url, at or now())
    request: HttpRequest | None = None
    try:
        request = next(conversation)
        conversation.send(HttpResponse(status, {}, pem))
    except StopIteration as stop:
        return stop.value, request
    raise AssertionError("one request is enough")


def test_a_certificate_is_asked_for_as_a_public_document() -> None:
    certificates = Certificates(None, Believed())
    for _ in range(2):
        key, request = asked(certificates, chain())
        assert key == paypal().certificate.public_key()
        assert request == HttpRequest("GET", URL, {"Accept": "*/*"}, operation="certificate", keeps_s=KEPT_S)


def test_a_file_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    believed = Believed()
    asked(Certificates(None, believed), chain())
    monkeypatch.setattr(certificate, "public_roots", PUBLIC_ROOTS)
    assert asked(Certificates(None, believed), chain(), url=f"{URL}2")[0] == paypal().certificate.public_key()
    with pytest.raises(SignatureInvalid):
        asked(Certificates(None, believed), chain() + b"#")


@pytest.mark.parametrize("days", [-31, 400])
def test_it_is_good_for_its_time_alone_also_when_it_was_read_before(days: int) -> None:
    certificates = Certificates(None, Believed())
    asked(certificates, chain())
    with pytest.raises(SignatureInvalid):
        asked(certificates, chain(), now() + timedelta(days=days))
    with pytest.raises(SignatureInvalid):
        asked(Certificates(None, Believed()), chain(), now() + timedelta(days=days))


def test_it_is_good_from_its_first_moment_to_its_last() -> None:
    certificates, found = Certificates(None, Believed()), paypal().certificate
    for at in (found.not_valid_before_utc, found.not_valid_after_utc):
        asked(certificates, chain())
        assert asked(certificates, chain(), at)[0] == found.public_key()
    for at in (found.not_valid_before_utc - SECOND, found.not_valid_after_utc + SECOND):
        with pytest.raises(SignatureInvalid, match=r"^The webhook's certificate was not valid then\.$"):
            asked(certificates, chain(), at)


def test_the_order_of_paypals_file_does_not_matter() -> None:
    assert (
        asked(Certificates(None, Believed()), intermediate().pem + paypal().pem)[0] == paypal().certificate.public_key()
    )


@pytest.mark.parametrize("pem", ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_settings_take_certificates_alone(pem: str) -> None:
    with pytest.raises(ValidationError, match="must be certificates in PEM"):
        connector_of("paypal", intermediate_certificates=pem)


def test_an_intermediate_that_paypals_file_lacks_may_be_in_the_settings() -> None:
    with pytest.raises(SignatureInvalid):
        asked(Certificates(None, Believed()), paypal().pem)
    assert (
        asked(Certificates(intermediate().pem.decode(), Believed()), paypal().pem)[0]
        == paypal().certificate.public_key()
    )


DAY = timedelta(days=1)


def below(name: str = NAME, **more: Any) -> bytes:
    return issued(NAME, intermediate(), names=(name,), **more).pem + intermediate().pem


UNFIT: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no certificate": lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "text": lambda: b"<html>hello</html>",
    "signed by itself": lambda: issued(NAME, names=(NAME,)).pem,
    "of a root that nobody trusts": lambda: issued(NAME, issued("Another Root"), names=(NAME,)).pem,
    "for another": lambda: below("example.com"),
    "for one that begins as PayPal": lambda: below("paypal.com.example"),
    "for no name below PayPal's": lambda: below("paypal.com"),
    "for one that ends nearly as PayPal": lambda: below("notpaypal.com"),
    "an authority itself": lambda: issued(NAME, intermediate()).pem + intermediate().pem,
    "that ran out": lambda: below(begins=now() - 40 * DAY, days=30),
    "that is not valid yet": lambda: below(begins=now() + DAY),
    "with an elliptic key": lambda: below(key=ec.generate_private_key(ec.SECP256R1())),
    "with a short key": lambda: below(key=rsa.generate_private_key(65537, 1024)),
    "below PayPal's own": lambda: issued(NAME, paypal(), names=(NAME,)).pem + chain(),
    "too large": lambda: chain() + b"#" * 70_000,
}


VOUCHES = r"^Nobody vouches for the webhook's certificate \((ValueError|StopIteration|VerificationError)\)\.$"
TOLD = {
    "with a short key": r"^(The webhook's certificate has no RSA key of a safe size\.|Nobody vouches .*)$",
    "with an elliptic key": r"^The webhook's certificate has no RSA key of a safe size\.$",
    "too large": r"^The webhook's certificate is too large\.$",
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_certificate_that_nobody_vouches_for_is_invalid_and_not_kept(what: str) -> None:
    clock = Clock()
    certificates = Certificates(None, Believed(), clock)
    with pytest.raises(SignatureInvalid, match=TOLD.get(what, VOUCHES)):
        asked(certificates, UNFIT[what]())
    clock.seconds += REFUSED_S
    assert asked(certificates, chain())[1] is not None


def refused_unasked(certificates: Certificates, url: str = URL) -> None:
    with pytest.raises(SignatureInvalid, match=r"^Nobody vouched for the webhook's certificate a moment ago\.$"):
        next(certificates.key(url, now()))


@pytest.mark.parametrize(("pem", "status"), [(b"", 404), (b"text", 200)])
def test_one_that_was_refused_is_not_fetched_again_for_a_while(pem: bytes, status: int) -> None:
    clock = Clock()
    certificates = Certificates(None, Believed(), clock)
    with pytest.raises(SignatureInvalid):
        asked(certificates, pem, status=status)
    clock.seconds += REFUSED_S - 1
    refused_unasked(certificates)
    assert asked(certificates, chain(), url=f"{URL}2")[1] is not None, "another one is"
    clock.seconds += 1
    assert asked(certificates, chain())[1] is not None


def test_another_setting_is_tried_at_once() -> None:
    """The operator has added the certificate that lacked."""
    kept = Believed()
    with pytest.raises(SignatureInvalid):
        asked(Certificates(None, kept), paypal().pem)
    assert asked(Certificates(intermediate().pem.decode(), kept), paypal().pem)[1] is not None


def test_where_paypal_did_not_say_it_is_fetched_again_at_once() -> None:
    certificates = Certificates(None, Believed())
    with pytest.raises(ReadFailed):
        asked(certificates, b"", status=403)
    assert asked(certificates, chain())[1] is not None


def test_what_was_refused_takes_no_more_than_its_room() -> None:
    certificates = Certificates(None, Believed(), Clock())
    for number in range(REFUSED_MAX + 1):
        with pytest.raises(SignatureInvalid):
            asked(certificates, b"", url=f"{URL}-{number}", status=404)
    refused_unasked(certificates, f"{URL}-{REFUSED_MAX}")
    assert len(certificates._refused) <= REFUSED_MAX


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_certificate_that_paypal_does_not_have_is_a_forgers(status: int) -> None:
    with pytest.raises(SignatureInvalid, match=r"^PayPal has no such certificate\.$"):
        asked(Certificates(None, Believed()), b"", status=status)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 401, 403, 429])
def test_where_paypal_does_not_say_it_is_tried_again_later(status: int) -> None:
    with pytest.raises(ReadFailed, match=rf"^the certificate could not be read \({status}\)$"):
        asked(Certificates(None, Believed()), chain(), status=status)


def test_the_largest_file_is_read() -> None:
    largest = chain().ljust(certificate.PEM_BYTES_MAX, b"#")
    assert asked(Certificates(None, Believed()), largest)[0] == paypal().certificate.public_key()


def test_only_so_many_files_are_remembered() -> None:
    believed = Believed()
    for number in range(BELIEVED_MAX + 1):
        asked(Certificates(None, believed), chain() + b"#" * number)
    assert len(believed._found) == 1
    asked(Certificates(None, believed), chain() + b"#" * BELIEVED_MAX)
    assert len(believed._found) == 1


def test_threads_share_what_is_believed() -> None:
    certificates, found = Certificates(None, Believed()), []
    threads = [threading.Thread(target=lambda: found.append(asked(certificates, chain())[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [paypal().certificate.public_key()] * 8


def test_of_public_roots_ours_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which only the tests have."""
    monkeypatch.setattr(certificate, "public_roots", PUBLIC_ROOTS)
    with pytest.raises(SignatureInvalid):
        asked(Certificates(None, Believed()), chain() + root().pem)
