"""The sandbox accounts: their fixed development credentials, in one table. They are worth nothing anywhere else."""

from __future__ import annotations

from dataclasses import dataclass, field

WEBHOOK_BASE = "http://localhost:8000"


@dataclass(frozen=True, slots=True)
class Account:
    """`webhook_url` is where its events go until `PUT /{name}/webhook` says otherwise."""

    name: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    webhook_url: str


def accounts_at(webhook_base: str = WEBHOOK_BASE) -> dict[str, Account]:
    """The accounts by name, their webhooks going below `webhook_base`."""
    base = webhook_base.rstrip("/")
    return {
        f"sandbox-{letter}": Account(
            name=f"sandbox-{letter}",
            api_key=f"sk_sandbox_{letter}_development",
            webhook_secret=f"whs_sandbox_{letter}_development",
            webhook_url=f"{base}/webhooks/default/sandbox-{letter}",
        )
        for letter in "abc"
    }


ACCOUNTS = accounts_at()
