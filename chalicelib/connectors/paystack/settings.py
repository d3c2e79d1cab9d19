"""Settings of a business at Paystack."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class PaystackSettings(BaseModel):
    """Paystack has one key for everything: what calls its API also verifies its webhooks."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)
    account_fields: ClassVar[frozenset[str]] = frozenset({"business", "mode"})
    webhook_fields: ClassVar[frozenset[str]] = frozenset({"secret_key", "secret_key_previous"})

    business: str = Field(min_length=1, max_length=60)
    """The business's name or number at Paystack, for people: it never changes."""
    mode: Literal["live", "test"]
    """Whether money moves. Both modes have one address; the key decides, so it is held to this."""
    secret_key: SecretStr = Field(min_length=16, max_length=255)
    """The secret key of that mode, `sk_live_…` or `sk_test_…`."""
    secret_key_previous: SecretStr | None = Field(default=None, min_length=16, max_length=255)
    """The key before, while it is being replaced: webhooks may still be signed with it."""
    email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)
    """An address of the merchant's own, for payments without one of the shopper's: Paystack wants one with each."""

    @model_validator(mode="after")
    def _keys_are_of_the_mode(self) -> Self:
        for key in (self.secret_key, self.secret_key_previous):
            if key is not None and not key.get_secret_value().startswith(f"sk_{self.mode}_"):
                raise ValueError(f"the secret key of this mode starts with sk_{self.mode}_")
        return self
