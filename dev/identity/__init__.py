"""The development identity server: an OpenID Connect provider with known passwords, for a developer's machine alone."""

from dev.identity.app import create_app

__all__ = ["create_app"]
