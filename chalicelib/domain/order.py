"""What the merchant asked to be paid for; it never changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.money import Money


class CaptureMode(StrEnum):
    AUTOMATIC = "automatic"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Customer:
    id: str | None = None
    email: str | None = None
    name: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    postal_code: str | None = None
    region: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    quantity: int
    unit_amount: Money
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What the merchant asked for; it never changes."""

    amount: Money
    order_reference: str
    return_url: str
    cancel_url: str
    route: str = "default"
    payment_method: str | None = None
    capture: CaptureMode = CaptureMode.AUTOMATIC
    description: str | None = None
    locale: str | None = None
    country: str | None = None
    customer: Customer | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    lines: tuple[Line, ...] = ()
    metadata: dict[str, str] | None = None
