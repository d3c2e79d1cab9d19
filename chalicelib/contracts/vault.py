"""The vault port: secrets at rest."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Use(StrEnum):
    """What a secret is for. A cloud's vault has a key for each, so that the function which faces the Internet can check
    signatures and nothing more."""

    CREDENTIALS = "credentials"  # API credentials, and the secrets that deliveries are signed with
    WEBHOOKS = "webhooks"  # what PSPs' webhooks are verified with


class Vault(Protocol):
    """Raises VaultFault when a secret can not be sealed or opened; the message never holds the secret."""

    def seal(self, secret: str, *, context: str, use: Use = Use.CREDENTIALS) -> str:
        """An opaque token for storage. `context` names what the secret belongs to (merchant, object, field) and must be
        given again to open it: a token copied to another place does not open there."""

    def open(self, token: str, *, context: str) -> str: ...

    def is_current(self, token: str, *, use: Use = Use.CREDENTIALS) -> bool:
        """Whether the token was sealed with the newest key of that use; rotation seals the others again."""

    def rotate(self) -> str:
        """Secrets are sealed with new keys from now on; those before still open. What the audit log calls the new key."""

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose alone, the same for ever."""
