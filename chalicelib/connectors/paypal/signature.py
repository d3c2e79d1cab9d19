"""PayPal's webhook signature, checked here (developer.paypal.com/api/rest/webhooks/rest).

RSA with SHA-256 over ``transmission id|transmission time|webhook id|CRC-32 of the body in decimal``, by the key of a
certificate that the webhook names. PayPal signs no more of the body than its CRC-32, for which who has a genuine webhook's
headers easily finds another body: so what a webhook says is never taken from it, but asked for (`events`). No tolerance is
prescribed. PayPal repeats a webhook for three days, and whether a repeat is signed anew is not documented: so a time counts for
a day more. A webhook that is sent again makes us ask again, no more.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from chalicelib.domain.errors import SignatureInvalid

ALGORITHM = "SHA256withRSA"
HEADERS = frozenset(
    {
        "paypal-auth-algo",
        "paypal-cert-url",
        "paypal-transmission-id",
        "paypal-transmission-sig",
        "paypal-transmission-time",
    }
)
OLD_AFTER, EARLY_FROM = timedelta(days=4), timedelta(minutes=10)  # clocks differ
_HOST = {
    "sandbox": r"api(-m)?\.sandbox\.paypal\.com",
    "live": r"api(-m)?\.paypal\.com",
}
_CERTIFICATE = r"/v1/notifications/certs/CERT-[A-Za-z0-9-]{1,80}"
_TRANSMISSION_ID = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9][A-Za-z0-9-]{7,49}")
_TIME = re.compile(
    r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{340,700}={0,2}")


@dataclass(frozen=True, slots=True)
class Transmission:
    """What a webhook's headers hold, each of the form that PayPal gives it."""

    id: str
    time: str
    signature: str
    certificate_url: str


def transmission_in(headers: Mapping[str, str], environment: str, received_at: datetime) -> Transmission:
    """Raises SignatureInvalid and nothing else. The certificate is on a host of PayPal's own for this environment, at the
    path that PayPal keeps its certificates under, and nowhere else."""
    if not headers.keys() >= HEADERS:
        raise SignatureInvalid("The webhook lacks a header of PayPal's.")
    url, signature = headers["paypal-cert-url"], headers["paypal-transmission-sig"]
    id, time = headers["paypal-transmission-id"], headers["paypal-transmission-time"]
    if headers["paypal-auth-algo"] != ALGORITHM:
        raise SignatureInvalid(f"The webhook is not signed by {ALGORITHM}.")
    if not re.fullmatch(f"https://{_HOST[environment]}{_CERTIFICATE}", url):
        raise SignatureInvalid("The webhook's certificate is not at PayPal's.")
    if not _TRANSMISSION_ID.fullmatch(id) or not _TIME.fullmatch(time) or not _SIGNATURE.fullmatch(signature):
        raise SignatureInvalid("The webhook has no usable PayPal-Transmission headers.")
    if not received_at - OLD_AFTER <= _time_in(time) <= received_at + EARLY_FROM:
        raise SignatureInvalid("The webhook was sent days ago, or is of a time to come.")
    return Transmission(id, time, signature, url)


def _time_in(text: str) -> datetime:
    """Raises SignatureInvalid for a day or an hour that there is not."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise SignatureInvalid("The webhook was sent at no time.") from None


def check(sent: Transmission, body: bytes, webhook_ids: list[str], key: RSAPublicKey) -> None:
    """Raises SignatureInvalid where the signature is for none of `webhook_ids`."""
    try:
        signature = base64.b64decode(sent.signature)  # of its letters alone: `transmission_in`
    except binascii.Error:
        raise SignatureInvalid("The PayPal-Transmission-Sig header is no base64.") from None
    for webhook_id in webhook_ids:
        signed = f"{sent.id}|{sent.time}|{webhook_id}|{zlib.crc32(body)}"
        try:
            key.verify(signature, signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            continue
        return
    raise SignatureInvalid("The webhook's signature fits neither its body nor a webhook id of ours.")
