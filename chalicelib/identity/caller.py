"""Who calls: what a verified access token says, and nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Caller:
    """`subject` is a person's or a client's own id at the identity provider, `client_id` the client that calls."""

    subject: str
    client_id: str
    merchant_id: str
    scopes: frozenset[str]

    def require(self, scope: str) -> None:
        """Raises Forbidden without the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"The access token does not carry the scope {scope}.", scope)
