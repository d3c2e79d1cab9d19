"""Settings of a business at Paystack."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from chalicelib.contracts.credential import Credential
from chalicelib.contracts.email import CHARACTERS_MAX, PLAUSIBLE


class PaystackSettings(BaseModel):
    """Paystack has one key for everything: what calls its API also verifies its webhooks."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)
    account_fields: ClassVar[frozenset[str]] = frozenset({"business", "mode"})
    webhook_fields: ClassVar[frozenset[str]] = frozenset({"secret_key", "secret_key_previous"})

    business: str = Field(min_length=1, max_length=60)
    """The business's name or number at Paystack, for people: it never changes."""
    mode: Literal["live", "test"]
    """Whether money moves. Both modes have one address; the key decides, so it is held to this."""
    secret_key: Credential = Field(min_length=16, max_length=255)
    """The secret key of that mode, `sk_live_…` or `sk_test_…`."""
    secret_key_previous: Credential | None = Field(default=None, min_length=16, max_length=255)
    """The key before, while it is being replaced: webhooks may still be signed with it."""
    email: str | None = Field(default=None, pattern=PLAUSIBLE, max_length=CHARACTERS_MAX)
    """An address of the merchant's own, for payments without one of the shopper's: Paystack wants one with each."""

    @field_validator("secret_key", "secret_key_previous")
    @classmethod
    def _is_of_the_mode(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        start = f"sk_{info.data['mode']}_" if "mode" in info.data else ""
        if key is not None and not key.get_secret_value().startswith(start):
            raise ValueError(f"must be a secret key of the connection's mode: it starts with {start}")
        return key
