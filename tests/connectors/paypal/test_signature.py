"""PayPal's signature, cross-checked with the official SDK both ways; none of PayPal's own webhooks is public."""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import crypto
from paypalrestsdk.notifications import WebhookEvent

from chalicelib.connectors.paypal.signature import HEADERS, check, transmission_in
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import SignatureInvalid
from tests.connectors.paypal.signing import paypal, signed

ROUNDS = 1_000
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def a_verify_for_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK calls what pyOpenSSL has dropped since; it did no more than this."""

    def verify(certificate: crypto.X509, signature: bytes, text: bytes, digest: str) -> None:
        assert digest == "sha256WithRSAEncryption"
        key: Any = certificate.to_cryptography().public_key()
        key.verify(signature, text, PKCS1v15(), SHA256())

    monkeypatch.setattr(crypto, "verify", verify, raising=False)


def key() -> RSAPublicKey:
    found = paypal().certificate.public_key()
    assert isinstance(found, RSAPublicKey)
    return found


def payloads(seed: int) -> Iterator[tuple[str, str, str]]:
    """Bodies of any length and script, webhook ids and transmission ids."""
    chance = random.Random(seed)
    alphabet = 'abcXYZ019 {}[]":,.\\/\n\r\t é ß 漢字 😀 \u202e \x00 \x7f'
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
    for _ in range(ROUNDS):
        body = "".join(chance.choices(alphabet, k=chance.randrange(0, 400)))
        webhook_id = "".join(chance.choices(letters, k=chance.randrange(1, 50)))
        yield body, webhook_id, f"a{chance.getrandbits(120):030x}"


def sdk_takes(delivery: Delivery, body: str, webhook_id: str) -> bool:
    headers = delivery.headers
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, paypal().pem)
    found: bool = WebhookEvent._verify_signature(
        headers["paypal-transmission-id"],
        headers["paypal-transmission-time"],
        webhook_id,
        body,
        certificate,
        headers["paypal-transmission-sig"],
        "sha256WithRSAEncryption",
    )
    return found


def takes(delivery: Delivery, *webhook_ids: str) -> bool:
    try:
        check(transmission_in(delivery.headers, "sandbox", AT), delivery.body, list(webhook_ids), key())
    except SignatureInvalid:
        return False
    return True


def test_what_is_signed_is_valid_for_the_sdk_and_for_us() -> None:
    for body, webhook_id, transmission_id in payloads(1):
        delivery = signed(body.encode(), webhook_id, AT, transmission_id=transmission_id)
        assert sdk_takes(delivery, body, webhook_id)
        assert takes(delivery, "8PT597110X687430L", webhook_id)


def test_what_signs_the_sdks_text_is_valid() -> None:
    private: Any = paypal().key
    for body, webhook_id, transmission_id in payloads(2):
        delivery = signed(b"another", "ANOTHER", AT, transmission_id=transmission_id)
        text = WebhookEvent._get_expected_sig(
            transmission_id, delivery.headers["paypal-transmission-time"], webhook_id, body
        )
        signature = base64.b64encode(private.sign(text.encode(), PKCS1v15(), SHA256())).decode()
        headers = {**delivery.headers, "paypal-transmission-sig": signature}
        assert takes(Delivery(headers, body.encode(), AT), webhook_id)


def test_what_the_sdk_refuses_is_invalid(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is changed: the body, an id, the time, the signature."""
    chance = random.Random(3)
    for body, webhook_id, transmission_id in payloads(3):
        delivery = signed(body.encode(), webhook_id, AT, transmission_id=transmission_id)
        what = chance.choice(["body", "webhook_id", "transmission-id", "transmission-time", "transmission-sig"])
        headers = dict(delivery.headers)
        if what == "body":
            body += chance.choice(" x\n")
        elif what == "webhook_id":
            webhook_id = webhook_id[:-1] + ("A" if webhook_id[-1] != "A" else "B")
        else:
            name = f"paypal-{what}"
            place = chance.randrange(len(headers[name]))
            headers[name] = headers[name][:place] + chance.choice("0aZ9") + headers[name][place + 1 :]
            if headers == delivery.headers:
                continue
        changed = Delivery(headers, body.encode(), AT)
        if not sdk_takes(changed, body, webhook_id):
            assert not takes(changed, webhook_id), what
    capsys.readouterr()  # the SDK prints what it catches


def test_a_body_with_the_same_checksum_is_as_good_as_the_genuine_one() -> None:
    """Which is why nothing is ever taken from a webhook but where to look."""
    genuine, claim = b'{"event_type": "PAYMENT.CAPTURE.PENDING"}', b'{"event_type": "PAYMENT.CAPTURE.COMPLETED"}  '
    delivery = signed(genuine, "8PT597110X687430L", AT)
    forged = claim + patch_of(claim, zlib.crc32(genuine))
    assert zlib.crc32(forged) == zlib.crc32(genuine)
    assert takes(Delivery(delivery.headers, forged, AT), "8PT597110X687430L")


def patch_of(body: bytes, wanted: int) -> bytes:
    """Four bytes that bring the checksum of `body` to what is wanted: a checksum is linear in every bit."""
    base = zlib.crc32(body + bytes(4)) ^ wanted
    columns = [zlib.crc32(body + (1 << bit).to_bytes(4, "little")) ^ zlib.crc32(body + bytes(4)) for bit in range(32)]
    basis: dict[int, tuple[int, int]] = {}
    for bit, column in enumerate(columns):
        mask = 1 << bit
        while column:
            top = column.bit_length() - 1
            if top not in basis:
                basis[top] = (column, mask)
                break
            column, mask = column ^ basis[top][0], mask ^ basis[top][1]
    solution = 0
    while base:
        column, mask = basis[base.bit_length() - 1]
        base, solution = base ^ column, solution ^ mask
    return solution.to_bytes(4, "little")


URLS = [
    "",
    "http://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
    "https://api.paypal.com/v1/notifications/certs/CERT-1",  # the other environment's
    "https://api.sandbox.paypal.com.example/v1/notifications/certs/CERT-1",
    "https://evil.sandbox.paypal.com/v1/notifications/certs/CERT-1",
    "https://www.paypal.com/v1/notifications/certs/CERT-1",
    "https://api.sandbox.paypal.com:444/v1/notifications/certs/CERT-1",
    "https://x@api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
    "https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/CERT-1",
    "https://evil.example#api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1?to=x",
    "https://api.sandbox.paypal.com/v1/notifications/certs/../../oauth2/CERT-1",
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-%2e%2e",
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1\n",
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-" + "1" * 200,
    "https://api.sandbox.paypaI.com/v1/notifications/certs/CERT-1",
    "https://api\u3002sandbox.paypal.com/v1/notifications/certs/CERT-1",
    "HTTPS://API.SANDBOX.PAYPAL.COM/v1/notifications/certs/CERT-1",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("url", URLS)
def test_a_certificate_is_at_paypals_own_host_and_nowhere_else(url: str) -> None:
    headers = {**signed(b"{}", "8PT597110X687430L", AT).headers, "paypal-cert-url": url}
    with pytest.raises(SignatureInvalid):
        transmission_in(headers, "sandbox", AT)


@pytest.mark.parametrize("host", ["api.sandbox.paypal.com", "api-m.sandbox.paypal.com"])
def test_both_of_its_hosts_are_paypals(host: str) -> None:
    url = f"https://{host}/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
    headers = {**signed(b"{}", "8PT597110X687430L", AT).headers, "paypal-cert-url": url}
    assert transmission_in(headers, "sandbox", AT).certificate_url == url
    with pytest.raises(SignatureInvalid):
        transmission_in(headers, "live", AT)


@pytest.mark.parametrize("name", sorted(HEADERS))
@pytest.mark.parametrize("value", [None, "", "|", "a|b", "é", "\n", "0" * 5_000, "SHA1withRSA", "\ud800"])
def test_a_header_that_is_missing_or_odd_is_invalid(name: str, value: str | None) -> None:
    headers = dict(signed(b"{}", "8PT597110X687430L", AT).headers)
    headers.pop(name)
    if value is not None:
        headers[name] = value
    with pytest.raises(SignatureInvalid):
        check(transmission_in(headers, "sandbox", AT), b"{}", ["8PT597110X687430L"], key())


def test_without_a_webhook_id_nothing_fits() -> None:
    assert not takes(signed(b"{}", "", AT))


DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.mark.parametrize("ago", [timedelta(0), 3 * DAY, 4 * DAY, -10 * MINUTE])
def test_a_webhook_may_come_for_as_long_as_paypal_repeats_it(ago: timedelta) -> None:
    assert transmission_in(signed(b"{}", "8PT597110X687430L", AT - ago).headers, "sandbox", AT)


@pytest.mark.parametrize("ago", [4 * DAY + MINUTE, 365 * DAY, -11 * MINUTE, -365 * DAY])
def test_what_was_sent_long_ago_or_is_of_a_time_to_come_is_invalid(ago: timedelta) -> None:
    with pytest.raises(SignatureInvalid):
        transmission_in(signed(b"{}", "8PT597110X687430L", AT - ago).headers, "sandbox", AT)


@pytest.mark.parametrize(
    "time",
    [
        "2026-02-30T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-03-01T29:00:00Z",
        "2026-03-01T12:00:61Z",
        "2026-03-01T12:00:00+24:00",
        "2026-03-01T12:00:00+99:00",
    ],
)
def test_a_time_that_there_is_not_is_invalid(time: str) -> None:
    headers = {**signed(b"{}", "8PT597110X687430L", AT).headers, "paypal-transmission-time": time}
    with pytest.raises(SignatureInvalid):
        transmission_in(headers, "sandbox", AT)


@pytest.mark.parametrize(
    "time", ["2026-03-01T12:00:00.123456789Z", "2026-03-01T14:00:00+02:00", "2026-03-01T04:00:00-08:00"]
)
def test_paypals_ways_of_writing_a_time_are_read(time: str) -> None:
    headers = {**signed(b"{}", "8PT597110X687430L", AT).headers, "paypal-transmission-time": time}
    assert transmission_in(headers, "sandbox", AT).time == time


def told_of(**changes: str | None) -> str:
    """What an operator reads in the inbox of a webhook with other headers; None takes one away."""
    genuine = signed(b"{}", "8PT597110X687430L", AT).headers
    headers = {name: genuine[name] for name in HEADERS}
    for name, text in changes.items():
        header = f"paypal-{name.replace('_', '-')}"
        headers.pop(header) if text is None else headers.update({header: text})
    try:
        check(transmission_in(headers, "sandbox", AT), b"{}", ["8PT597110X687430L"], key())
    except SignatureInvalid as error:
        return error.detail
    return "genuine"


def test_an_operator_reads_why_a_webhook_was_rejected() -> None:
    assert told_of() == "genuine"
    assert told_of(auth_algo=None) == told_of(transmission_id=None) == "The webhook lacks a header of PayPal's."
    assert told_of(auth_algo="none") == "The webhook is not signed by SHA256withRSA."
    assert told_of(cert_url="https://evil.example/") == "The webhook's certificate is not at PayPal's."
    for odd in ({"transmission_id": "1234"}, {"transmission_time": "now"}, {"transmission_sig": "%" * 344}):
        assert told_of(**odd) == "The webhook has no usable PayPal-Transmission headers."
    assert told_of(transmission_time="2026-02-30T12:00:00Z") == "The webhook was sent at no time."
    assert (
        told_of(transmission_time="2026-01-01T12:00:00Z") == "The webhook was sent days ago, or is of a time to come."
    )
    assert told_of(transmission_sig="A" * 341) == "The PayPal-Transmission-Sig header is no base64."
    assert (
        told_of(transmission_sig="A" * 344) == "The webhook's signature fits neither its body nor a webhook id of ours."
    )
