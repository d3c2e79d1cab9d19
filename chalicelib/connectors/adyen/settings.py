"""Settings of an Adyen merchant account."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from chalicelib.contracts.credential import Credential
from chalicelib.contracts.validation import worded

MERCHANT_ACCOUNT = worded(
    r"^[A-Za-z0-9._-]+$", "must be the account's name as the Customer Area shows it: letters, digits, dots, _ and -"
)
LIVE_URL_PREFIX = worded(
    r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$",
    "must be the prefix alone and no address, such as 1797a841fbb37ca7-YourCompany: letters, digits, and - between them",
)
_HMAC_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,64}")


def _hexadecimal(secret: SecretStr) -> SecretStr:
    """Raises ValueError, in words that do not show the secret."""
    if not _HMAC_KEY.fullmatch(secret.get_secret_value()):
        raise ValueError("must be the HMAC key as Adyen shows it: 64 hexadecimal digits")
    return secret


HmacKey = Annotated[SecretStr, AfterValidator(_hexadecimal)]


class AdyenSettings(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)
    account_fields: ClassVar[frozenset[str]] = frozenset({"merchant_account", "live_url_prefix"})
    webhook_fields: ClassVar[frozenset[str]] = frozenset({"hmac_key", "hmac_key_previous"})

    merchant_account: str = Field(min_length=1, max_length=80, pattern=MERCHANT_ACCOUNT)
    """The merchant account's name, such as `YourCompanyECOM`; webhooks of another one are refused."""
    api_key: Credential = Field(min_length=12, max_length=1024)
    """The API key of a web service user with the roles for Checkout and Pay by Link."""
    live_url_prefix: str | None = Field(default=None, max_length=50, pattern=LIVE_URL_PREFIX)
    """The account's own prefix of the live addresses, such as `1797a841fbb37ca7-YourCompany`. Without it, the account is one
    of the test environment."""
    hmac_key: HmacKey | None = None
    """The HMAC key of the standard webhook, 64 hexadecimal digits. Without it every webhook is refused."""
    hmac_key_previous: HmacKey | None = None
    """The HMAC key before, while it is being replaced."""
    page_minutes: int = Field(default=60, ge=10, le=10_080)
    """How long a shopper can pay on a page, in minutes."""
    captures_in_parts: bool = False
    """Whether the account has multiple partial captures. Without them Adyen gives back what a first capture leaves."""
