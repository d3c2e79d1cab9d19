"""Our references at Adyen, and what can be read from them.

Webhooks are signed over few fields, and only the reference among them is ours to write. So it says everything that decides
about money: which attempt it is, whether its capture is the merchant's own step, and which operation. Adyen takes 80
characters; the longest here has 70.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.domain.order import CaptureMode

_MANUAL = "-manual"
_OURS = re.compile(r"(att_[a-z2-7]{24}_[0-9]{2})(-manual|-(op_[a-z2-7]{24}_[a-z2-7]{10}))?")


@dataclass(frozen=True, slots=True)
class Reference:
    """`is_sale`: what is authorized is captured by Adyen itself. An operation's reference does not say; its movement has an
    id of its own."""

    attempt_id: str
    operation_id: str | None = None
    is_sale: bool = False


def reference_of(attempt_id: str, capture: CaptureMode) -> str:
    return attempt_id + (_MANUAL if capture is CaptureMode.MANUAL else "")


def modification_reference_of(attempt_id: str, operation_id: str) -> str:
    return f"{attempt_id}-{operation_id}"


def reference_in(text: str) -> Reference | None:
    """None for what is not ours."""
    found = _OURS.fullmatch(text)
    if found is None:
        return None
    attempt_id, rest, operation_id = found.groups()
    return Reference(attempt_id, operation_id, is_sale=rest is None)
