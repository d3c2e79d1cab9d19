"""Settings of a sandbox account."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.contracts.credential import Credential
from chalicelib.contracts.validation import worded

BASE_URL = worded(
    r"^https?://[^\s?#@]+$",
    "must be an http or https address without credentials and query, such as http://localhost:8002/sandbox-a",
)
ACCOUNT = worded(r"^[a-z0-9][a-z0-9-]*$", "must be lower-case letters, digits and -, such as sandbox-a")


class SandboxSettings(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)
    account_fields: ClassVar[frozenset[str]] = frozenset({"account"})
    webhook_fields: ClassVar[frozenset[str]] = frozenset({"webhook_secret", "webhook_secret_previous"})

    base_url: str = Field(max_length=500, pattern=BASE_URL)
    """The account's address, for example http://localhost:8002/sandbox-a."""
    account: str = Field(max_length=40, pattern=ACCOUNT)
    """The account's name at the sandbox; it never changes."""
    api_key: Credential = Field(min_length=8, max_length=200)
    """The account's API key."""
    webhook_secret: Credential = Field(min_length=8, max_length=200)
    """The secret that the account's webhooks are signed with."""
    webhook_secret_previous: Credential | None = Field(default=None, min_length=8, max_length=200)
    """The secret before, while it is being replaced."""
    capture_on_return: bool = False
    """Whether the account takes nothing until the shopper is back: she then comes back through PaymentServer."""
