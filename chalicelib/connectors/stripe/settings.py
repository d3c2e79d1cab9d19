"""Settings of a Stripe account."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.contracts.credential import Credential


class StripeSettings(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)
    account_fields: ClassVar[frozenset[str]] = frozenset()  # the key alone says which account it is
    webhook_fields: ClassVar[frozenset[str]] = frozenset({"webhook_secret", "webhook_secret_previous"})

    api_key: Credential = Field(min_length=12, max_length=255)
    """The secret key (`sk_test_…`, `sk_live_…`), or a restricted one (`rk_…`) that may write Checkout Sessions, Payment
    Intents and Refunds, and read Disputes. It decides between test and live."""
    webhook_secret: Credential | None = Field(default=None, min_length=8, max_length=255)
    """The signing secret of the webhook endpoint (`whsec_…`). Without it every webhook is refused."""
    webhook_secret_previous: Credential | None = Field(default=None, min_length=8, max_length=255)
    """The secret before, while it is being replaced."""

    @property
    def livemode(self) -> bool | None:
        """None where the key does not tell, as one that is masked."""
        return {"_live_": True, "_test_": False}.get(self.api_key.get_secret_value()[2:8])
