"""Settings of a merchant account at Paytrail."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.contracts.credential import Credential
from chalicelib.contracts.email import CHARACTERS_MAX, PLAUSIBLE
from chalicelib.contracts.validation import worded

MERCHANT_ID = worded(r"^[1-9][0-9]{0,9}$", "must be the merchant ID: a number such as 375917, as text")


class PaytrailSettings(BaseModel):
    """Paytrail has one key for everything: what signs our requests also signs its answers and callbacks."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)
    account_fields: ClassVar[frozenset[str]] = frozenset({"merchant_id"})
    webhook_fields: ClassVar[frozenset[str]] = frozenset({"secret_key", "secret_key_previous"})

    merchant_id: str = Field(pattern=MERCHANT_ID)
    """The merchant ID, a number; it never changes. Paytrail publishes one for tests."""
    secret_key: Credential = Field(min_length=8, max_length=255)
    """The merchant account's secret key."""
    secret_key_previous: Credential | None = Field(default=None, min_length=8, max_length=255)
    """The key before, while it is being replaced: callbacks and answers may still be signed with it."""
    email: str | None = Field(default=None, pattern=PLAUSIBLE, max_length=CHARACTERS_MAX)
    """An address of the merchant's own, for payments without one of the shopper's: Paytrail wants one with each. Without it
    such payments are refused here."""
