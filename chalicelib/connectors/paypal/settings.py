"""Settings of a PayPal REST app."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from chalicelib.contracts.credential import Credential
from chalicelib.contracts.validation import LINE, worded

CLIENT_ID = worded(
    r"^[A-Za-z0-9_.-]+$", "must be the client id as the app's page shows it: letters, digits, dots, _ and -"
)
WEBHOOK_ID = worded(
    r"^[a-zA-Z0-9]{1,50}$",
    "must be the id that the app's page shows beside the webhook, and no address: letters and digits",
)


class PayPalSettings(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)
    account_fields: ClassVar[frozenset[str]] = frozenset({"environment", "client_id"})
    webhook_fields: ClassVar[frozenset[str]] = frozenset()  # a certificate of PayPal's verifies, and no secret

    environment: Literal["sandbox", "live"]
    """Which of PayPal's two worlds the app is of. It never changes."""
    client_id: str = Field(min_length=8, max_length=255, pattern=CLIENT_ID)
    """The app's client id. It never changes; the secret may."""
    client_secret: Credential = Field(min_length=8, max_length=255)
    """The app's secret."""
    webhook_id: str | None = Field(default=None, pattern=WEBHOOK_ID)
    """The id that PayPal gave the webhook, a part of what it signs. Without it every webhook is refused."""
    webhook_id_previous: str | None = Field(default=None, pattern=WEBHOOK_ID)
    """The id of the webhook before, while it is being replaced."""
    webhook_verification: Literal["certificate", "postback"] = "certificate"
    """`certificate` checks PayPal's signature here, with the certificate that the webhook names; `postback` asks PayPal about
    each webhook. PayPal's simulator passes only the former."""
    intermediate_certificates: str | None = Field(default=None, max_length=20_000)
    """Certificates (PEM) between PayPal's and a public root, where PayPal's own file should lack them."""
    brand_name: str | None = Field(default=None, min_length=1, max_length=127, pattern=LINE)
    """The shop's name on PayPal's page, instead of the account's."""
    order_life_minutes: int = Field(default=180, ge=15, le=180)
    """How long the shopper may take to approve. PayPal does not say how long it keeps an order; three hours are usual."""
    pass_addresses: bool = True
    """Whether addresses are passed on, where they are complete. PayPal refuses an order whose address it finds wrong."""
    instant_payments_only: bool = False
    """Whether ways to pay that take days, such as an eCheck, are kept off the page."""

    @field_validator("intermediate_certificates")
    @classmethod
    def _are_certificates(cls, pem: str | None) -> str | None:
        from chalicelib.connectors.paypal.certificate import certificates_in

        if pem is not None:
            try:
                certificates_in(pem)
            except ValueError:
                raise ValueError("must be certificates in PEM") from None
        return pem
