"""Every setting, its default and its meaning. The environment gives them, each as ``PAYMENTSERVER_<NAME>``.

Only `wiring` and `server` read settings; everything else is handed what it needs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal, Self, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chalicelib.outbound.guard import networks_of

PREFIX = "PAYMENTSERVER_"
LOOPBACK = ("127.0.0.0/8", "::1/128")


class Settings(BaseModel):
    """The environment's, but for those that are given. Raises pydantic's ValidationError."""

    model_config = ConfigDict(frozen=True)

    env: Literal["development", "production"] = Field(
        "production", description="`development` allows the sandbox connector, loopback webhook targets and `/docs`."
    )
    public_url: str = Field(
        "http://localhost:8000", description="Where merchants, shoppers and PSPs reach PaymentServer."
    )
    internet_url: str = Field(
        "",
        description="Where PSPs and shoppers reach PaymentServer, if not at the public URL: in the cloud the function URL.",
    )
    var: Path = Field(Path("var"), description="The folder of everything kept on this machine.")
    database_url: str = Field(
        "",
        description="A SQLAlchemy URL, or `dynamodb:PREFIX` for tables named PREFIX-payments and so on; by default the "
        "file `payments.db` in `var`.",
    )
    shards: int = Field(
        8,
        ge=1,
        le=128,
        description="Partitions that DynamoDB's busy indexes are spread over. Raise it; never lower it.",
    )
    create_tables: bool = Field(False, description="Create DynamoDB tables that are missing, on a developer's machine.")
    queue_url: str = Field(
        "", description="The SQS queues' URL up to `-inbound` and so on; by default the file `queue.db` in `var`."
    )
    vault_key: str = Field(
        "", description="The KMS key that credentials are sealed with; by default the file `keyring.json` in `var`."
    )
    webhook_vault_key: str = Field("", description="The KMS key that PSPs' webhook secrets are sealed with.")
    link_key: str = Field("", description="The KMS HMAC key that return links and webhook addresses are signed with.")
    issuer: str = Field("", description="The OpenID Connect issuer whose access tokens are accepted. Required.")
    audience: str = Field("paymentserver", description="The `aud` an access token must name.")
    token_types: tuple[str, ...] = Field(
        ("at+jwt",), description="Accepted `typ` headers, as a JSON list; many issuers send `JWT`."
    )
    merchant_claim: str = Field("merchant_id", description="The claim that names the merchant account.")
    default_merchant: str | None = Field(None, description="The merchant account of tokens without that claim.")
    docs: bool = Field(False, description="Serve `/docs` outside development too.")
    allowed_targets: tuple[str, ...] = Field(
        (), description="Private networks that webhook subscriptions may point at, as a JSON list of CIDR blocks."
    )
    psp_call_timeout_s: float = Field(8.0, gt=0, le=20, description="The longest one call to a PSP may take.")
    checkout_budget_s: float = Field(20.0, gt=0, le=25, description="The longest all PSP calls of a checkout may take.")
    configuration_ttl_s: float = Field(
        3.0, ge=0, le=4, description="How long a process may use configuration it has read; a change shows within 5 s."
    )
    trusted_proxies: int = Field(0, ge=0, le=5, description="Reverse proxies in front whose X-Forwarded-* count.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="The lowest level logged.")
    workers: int = Field(2, ge=1, le=64, description="Gateway processes.")
    threads: int = Field(8, ge=1, le=64, description="Threads of each gateway process.")
    dependencies: tuple[str, ...] = Field(
        (), description="URLs that must answer before `/health/ready` says so, as a JSON list."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_environment(cls, given: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            text = os.environ.get(PREFIX + name.upper())
            if text is not None:
                found[name] = _list_in(text, name) if get_origin(field.annotation) is tuple else text
        return {**found, **given}

    @field_validator("allowed_targets")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        networks_of(value)
        return value

    @model_validator(mode="after")
    def _keys_together(self) -> Self:
        keys = (self.vault_key, self.webhook_vault_key, self.link_key)
        if any(keys) and not all(keys):
            raise ValueError("vault_key, webhook_vault_key and link_key belong together: give all three, or none")
        return self

    @property
    def is_development(self) -> bool:
        return self.env == "development"

    @property
    def keeps_files(self) -> bool:
        """Whether anything is kept in `var`."""
        return not (self.database_url and self.queue_url and self.vault_key)

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite:///{self.var / 'payments.db'}"

    @property
    def reachable_networks(self) -> tuple[str, ...]:
        """Networks that webhook targets may be in although they are not public."""
        return (*LOOPBACK, *self.allowed_targets) if self.is_development else self.allowed_targets


def _list_in(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"{PREFIX}{name.upper()} must be a JSON list") from None
