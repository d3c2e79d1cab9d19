"""The vault port: secrets at rest."""

from __future__ import annotations

from typing import Protocol


class Vault(Protocol):
    """Raises VaultFault when a secret can not be sealed or opened; the message never holds the secret."""

    def seal(self, secret: str, *, context: str) -> str:
        """An opaque token for storage. `context` names what the secret belongs to (merchant, object, field) and must be
        given again to open it: a token copied to another place does not open there."""

    def open(self, token: str, *, context: str) -> str: ...

    def is_current(self, token: str) -> bool:
        """Whether the token was sealed with the newest key; rotation seals the others again."""
