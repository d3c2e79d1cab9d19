"""Settings of a Mollie account's website profile."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.contracts.credential import Credential


class MollieSettings(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)
    account_fields: ClassVar[frozenset[str]] = frozenset()  # the key alone says which profile it is
    webhook_fields: ClassVar[frozenset[str]] = frozenset({"webhook_secret", "webhook_secret_previous"})

    api_key: Credential = Field(min_length=12, max_length=255)
    """The profile's API key (`test_…`, `live_…`). It decides between test and live."""
    webhook_secret: Credential | None = Field(default=None, min_length=8, max_length=255)
    """The signing secret of a webhook that was entered in Mollie's Dashboard. The webhooks that each payment asks for need
    none, so this is for a second way alone."""
    webhook_secret_previous: Credential | None = Field(default=None, min_length=8, max_length=255)
    """The secret before, while it is being replaced."""

    @property
    def livemode(self) -> bool | None:
        """None where the key does not tell, as one that is masked."""
        return {"live_": True, "test_": False}.get(self.api_key.get_secret_value()[:5])
