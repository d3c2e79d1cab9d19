"""A webhook is the PSP's only with its own fresh signature; whatever else comes is invalid, and nothing worse."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from chalicelib.connectors.sandbox.signature import check
from chalicelib.domain.errors import SignatureInvalid

BODY, SECRETS, AT = b'{"id": "evt_1"}', ("a-secret", "an-older-secret"), 1_772_366_400


def signature(secret: str = SECRETS[0], at: int | str = AT, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def header(secret: str = SECRETS[0], at: int | str = AT) -> str:
    return f"t={at},v1={signature(secret, at)}"


@pytest.mark.parametrize("secret", SECRETS)
def test_either_live_secret_will_do(secret: str) -> None:
    check(header(secret), BODY, SECRETS, AT)


@pytest.mark.parametrize("age_s", [-300, 0, 300, 300.0])
def test_a_signature_counts_for_five_minutes(age_s: float) -> None:
    check(header(), BODY, SECRETS, AT + age_s)


@pytest.mark.parametrize("age_s", [-300.5, 300.5, 301, 86_400])
def test_an_older_signature_or_one_of_the_future_does_not(age_s: float) -> None:
    with pytest.raises(SignatureInvalid, match=OLD):
        check(header(), BODY, SECRETS, AT + age_s)


def test_one_of_several_signatures_must_fit() -> None:
    check(f"t={AT},v1=00,v1={signature()}", BODY, SECRETS, AT)
    check(f"v1=00,v2=00,v1={signature()},t={AT}", BODY, SECRETS, AT)


OLD = r"^The webhook.s signature is more than 300 s old\.$"
UNUSABLE = r"^The webhook has no usable Sandbox-Signature header\.$"
TIMELESS = r"^The Sandbox-Signature header has no time\.$"
FORGED = r"^No signature of the webhook fits its body and the account's secret\.$"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, UNUSABLE),
        ("", UNUSABLE),
        ("t=é", UNUSABLE),
        (header() + "," + "x" * 1024, UNUSABLE),
        (f"v1={signature()}", TIMELESS),
        (f"t={AT},t={AT},v1={signature()}", TIMELESS),
        (f"t={AT},t=1={AT},v1={signature()}", TIMELESS),
        (f"t=,v1={signature('')}", TIMELESS),
        (f"t=-5,v1={signature()}", TIMELESS),
        (f"t=now,v1={signature()}", TIMELESS),
        ("t=" + "1" * 13 + ",v1=00", TIMELESS),
        (f"t={AT}", FORGED),
        (f"t={AT},v1=", FORGED),
        (f"t={AT},v1=x={signature()}", FORGED),
        (f"t=x={AT},v1={signature()}", TIMELESS),
        (f"t={AT},v0={signature()}", FORGED),
        (f"t={AT},v1={signature(at=AT - 1)}", FORGED),
        (f"t={AT},v1={signature(body=BODY + b' ')}", FORGED),
        (f"t={AT},v1={signature('a-guess')}", FORGED),
        (f"t={AT},v1={signature().upper()}", FORGED),
    ],
)
def test_anything_else_is_invalid(given: str | None, why: str) -> None:
    with pytest.raises(SignatureInvalid, match=why):
        check(given, BODY, SECRETS, AT)


@pytest.mark.parametrize("fits", [1024, 1025])
def test_a_header_has_1024_characters_at_most(fits: int) -> None:
    given = header().ljust(fits, ",")
    if fits == 1024:
        check(given, BODY, SECRETS, AT)
    else:
        with pytest.raises(SignatureInvalid, match=UNUSABLE):
            check(given, BODY, SECRETS, AT)


def test_a_time_of_twelve_digits_is_read() -> None:
    check(header(at="0" + str(AT) + ""), BODY, SECRETS, AT)
    check(header(at=100_000_000_000), BODY, SECRETS, 100_000_000_000)


def test_without_a_secret_nothing_fits() -> None:
    with pytest.raises(SignatureInvalid, match=FORGED):
        check(header(), BODY, (), AT)
