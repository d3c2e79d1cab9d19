"""A document that a PSP publishes for everybody, such as the certificate that its webhooks are signed by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PublicDocument:
    """`had_at`: when the PSP gave it. A genuine webhook was verified by it then."""

    url: str
    body_base64: str
    had_at: datetime
