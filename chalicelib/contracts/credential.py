"""A PSP's key or secret, as an operator pastes it into a connection's settings."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

_SHOWN = re.compile(r"[!-~]+")


def _as_it_is_shown(secret: SecretStr) -> SecretStr:
    """A line break that came along, or a letter of another alphabet, can not be sent in a header, and fits no signature.

    Raises ValueError, in words that do not show the secret.
    """
    if not _SHOWN.fullmatch(secret.get_secret_value()):
        raise ValueError("must be as the PSP shows it: ASCII letters, digits and signs, no blanks and no line breaks")
    return secret


Credential = Annotated[SecretStr, AfterValidator(_as_it_is_shown)]
"""Secrets of a connection's settings are of this type."""
