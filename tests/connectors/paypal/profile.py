"""What the conformance kit needs to know of PayPal's connector."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from chalicelib.connectors.paypal import PayPalConnector
from chalicelib.connectors.paypal.certificate import Certificate
from chalicelib.contracts.conversation import HttpResponse
from tests.conformance.connectors.profile import Profile
from tests.connectors.paypal.signing import CERTIFICATE_URL, chain, paypal, signed

WEBHOOK_ID, PREVIOUS = "8PT597110X687430L", "1JE4291016473214C"
TOKEN = "A21AAKitAccessTokenOfNobody"


def prepare(connector: PayPalConnector) -> None:
    """With a token that it keeps, and PayPal's certificate believed, which no public root vouches for."""
    answer = HttpResponse(200, {}, f'{{"access_token": "{TOKEN}", "expires_in": 32400}}'.encode())
    connector._session._keep(answer)
    found, key = paypal().certificate, paypal().certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    connector._certificates._known.put(chain(), Certificate(key, found.not_valid_before_utc, found.not_valid_after_utc))


PROFILE = Profile(
    settings={
        "environment": "sandbox",
        "client_id": "AKitClientIdOfNobody",
        "client_secret": "EKitClientSecretOfNobody",
        "webhook_id": WEBHOOK_ID,
        "webhook_id_previous": PREVIOUS,
    },
    sign=signed,
    psp_reference="5O190127TN364715T",
    secret=WEBHOOK_ID,
    previous_secret=PREVIOUS,
    tolerance_s=None,
    own_words=("purchase_unit", "paypal-", "INSTRUMENT_DECLINED", "payer-action"),
    prepare=prepare,
    documents={CERTIFICATE_URL: chain()},
)
