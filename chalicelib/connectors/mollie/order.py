"""The payment that a checkout asks for (docs.mollie.com/reference/create-payment)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from chalicelib.connectors.mollie.amounts import amount_of
from chalicelib.connectors.mollie.facts import ATTEMPT, OURS
from chalicelib.connectors.mollie.methods import BY_MAIL, METHODS, locale_of
from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.contracts.email import ordinary
from chalicelib.domain.money import Money
from chalicelib.domain.order import Address, CaptureMode, Customer

DESCRIPTION_MAX, SKU_MAX = 255, 64
METADATA_CHARACTERS_MAX = 900  # Mollie takes about 1 kB, and a cancellation adds its name
QUANTITY_MAX = 2_147_483_647
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
Json = dict[str, Any]


def payment_of(order: CheckoutOrder) -> Json:
    """Raises Unwritable."""
    wanted = order.order
    method = METHODS[wanted.payment_method] if wanted.payment_method is not None else None
    fields: Json = {
        "amount": amount_of(wanted.amount),
        "description": description_of(order),
        "redirectUrl": order.return_url,
        "cancelUrl": order.cancel_url,
        "captureMode": "manual" if wanted.capture is CaptureMode.MANUAL else "automatic",
        "lines": _lines(order),
        "metadata": metadata_of(order),
    }
    email = None if method == BY_MAIL else ordinary(wanted.customer.email if wanted.customer else None)
    besides = {
        "webhookUrl": order.webhook_url if is_reachable(order.webhook_url) else None,
        "method": method,
        "locale": locale_of(wanted.locale),
        "billingAddress": _address(wanted.billing_address, wanted.customer, email),
        "shippingAddress": _address(wanted.shipping_address, wanted.customer, None),
    }
    return fields | {name: value for name, value in besides.items() if value}


def description_of(order: CheckoutOrder) -> str:
    """What the shopper reads on her bank's statement. Mollie takes no blank."""
    told = (_text(order.order.description or "", DESCRIPTION_MAX), _text(order.order.order_reference, DESCRIPTION_MAX))
    return next(filter(None, told), order.attempt_id)


def is_reachable(url: str) -> bool:
    """Whether Mollie would take it for a webhook: it refuses a payment whose webhook leads to nowhere in the Internet."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host.rstrip(".") and not host.rstrip(".").endswith((".localhost", ".local", ".internal", ".test"))


def metadata_of(order: CheckoutOrder) -> dict[str, str]:
    """Our names, which decide whose a movement is and are ours alone, and as much of the merchant's own as Mollie has room
    for."""
    wanted = order.order
    kept = {ATTEMPT: order.attempt_id, "order_reference": wanted.order_reference}
    given = dict(wanted.metadata or {})
    if wanted.customer is not None and wanted.customer.id:
        given.setdefault("customer_id", wanted.customer.id)
    for name, text in given.items():
        if (
            name not in kept
            and not name.startswith(OURS)
            and len(json.dumps(kept | {name: text})) <= METADATA_CHARACTERS_MAX
        ):
            kept[name] = text
    return kept


def _lines(order: CheckoutOrder) -> list[Json]:
    """The order's lines where they come to its amount, otherwise the whole as one: several methods want lines."""
    wanted, whole = order.order, description_of(order)
    total = sum(line.quantity * line.unit_amount.value for line in wanted.lines)
    fit = all(line.quantity <= QUANTITY_MAX for line in wanted.lines)
    if not wanted.lines or total != wanted.amount.value or not fit:
        return [_line(whole, 1, wanted.amount, None)]
    return [_line(_text(one.name) or whole, one.quantity, one.unit_amount, one.reference) for one in wanted.lines]


def _line(name: str, quantity: int, unit: Money, sku: str | None) -> Json:
    line: Json = {
        "description": _text(name, DESCRIPTION_MAX),
        "quantity": quantity,
        "unitPrice": amount_of(unit),
        "totalAmount": amount_of(Money(quantity * unit.value, unit.currency)),
    }
    return line | ({"sku": sku} if sku and len(sku) <= SKU_MAX else {})


def _address(address: Address | None, customer: Customer | None, email: str | None) -> Json | None:
    """None where there is neither an e-mail address nor a whole postal one, which Mollie wants one of."""
    postal = _postal(address) if address is not None else {}
    if not postal and not email:
        return None
    return {**_person(customer), **({"email": email} if email else {}), **postal}


def _postal(address: Address) -> Mapping[str, str]:
    lines = {
        "streetAndNumber": _text(address.line1 or ""),
        "streetAdditional": _text(address.line2 or ""),
        "postalCode": _text(address.postal_code or ""),
        "city": _text(address.city or ""),
        "region": _text(address.region or ""),
        "country": address.country or "",
    }
    kept = {name: text for name, text in lines.items() if text}
    return kept if {"streetAndNumber", "postalCode", "city", "country"} <= kept.keys() else {}


def _person(customer: Customer | None) -> Mapping[str, str]:
    """Names of two letters and more; a telephone number with its country."""
    if customer is None:
        return {}
    given, _, family = _text(customer.name or "").rpartition(" ")
    known: dict[str, str] = {}
    if all(len(part) > 1 and not part.isdigit() for part in (given, family)):
        known = {"givenName": given, "familyName": family}
    phone = re.sub(r"[ ()./-]", "", customer.phone or "")
    return known | ({"phone": phone} if _PHONE.fullmatch(phone) else {})


def _text(text: str, most: int | None = None) -> str:
    """On one line, without blanks around it, and no longer than Mollie takes."""
    return " ".join(text.split())[:most].strip()
