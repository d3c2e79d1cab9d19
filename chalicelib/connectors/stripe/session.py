"""The Checkout Session that an order asks for (docs.stripe.com/api/checkout/sessions/create)."""

from __future__ import annotations

from typing import Any

from chalicelib.connectors.stripe.amounts import AMOUNTS
from chalicelib.connectors.stripe.facts import ATTEMPT, OURS
from chalicelib.connectors.stripe.methods import METHODS, locale_of
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.contracts.email import ordinary
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Order

NAME_MAX = 250
BRACKETS = str.maketrans("[]", "()")  # Stripe's metadata keys have none
WITH_OPTIONS = {"wechat_pay": {"client": "web"}}


def session_of(order: CheckoutOrder) -> dict[str, Any]:
    """Raises Unwritable. The amount is kept from Stripe's own conversions, promotions and taxes: it is what was asked."""
    wanted = order.order
    metadata = _metadata(order)
    intent: dict[str, Any] = {"metadata": metadata, "description": _words(order)}
    if wanted.capture is CaptureMode.MANUAL:
        intent["capture_method"] = "manual"
    shipping = _shipping(wanted)
    if shipping is not None:
        intent["shipping"] = shipping
    fields: dict[str, Any] = {
        "mode": "payment",
        "client_reference_id": order.attempt_id,
        "success_url": order.return_url,
        "cancel_url": order.cancel_url,
        "line_items": _lines(order),
        "locale": locale_of(wanted.locale),
        "adaptive_pricing": {"enabled": False},
        "metadata": metadata,
        "payment_intent_data": intent,
    }
    email = ordinary(wanted.customer.email if wanted.customer else None)
    if email is not None:
        fields["customer_email"] = email
    if wanted.payment_method is not None:
        method = METHODS[wanted.payment_method]
        fields["allowed_payment_method_types"] = [method]
        if method in WITH_OPTIONS:
            fields["payment_method_options"] = {method: WITH_OPTIONS[method]}
    return fields


def _metadata(order: CheckoutOrder) -> dict[str, str]:
    """The merchant's own beside ours, on the page and on the payment. What our names say decides whose a movement is, so
    they are ours alone."""
    wanted = order.order
    named = {key.translate(BRACKETS): text for key, text in (wanted.metadata or {}).items() if text}
    given = {key: text for key, text in named.items() if not key.startswith(OURS)}
    if wanted.customer is not None and wanted.customer.id:
        given.setdefault("customer_id", wanted.customer.id)
    return {**given, "order_reference": wanted.order_reference, ATTEMPT: order.attempt_id}


def _words(order: CheckoutOrder) -> str:
    """What it is for. Stripe takes no blank."""
    wanted = order.order
    told = ((wanted.description or "").strip(), wanted.order_reference.strip())
    return next(filter(None, told), order.attempt_id)


def _lines(order: CheckoutOrder) -> list[dict[str, Any]]:
    """The order's lines where they come to the amount and can be written, otherwise the whole as one."""
    wanted, whole = order.order, _words(order)
    total = sum(line.quantity * line.unit_amount.value for line in wanted.lines)
    if wanted.lines and total == wanted.amount.value:
        try:
            return [_line(line.name.strip() or whole, line.quantity, line.unit_amount) for line in wanted.lines]
        except Unwritable:
            pass
    return [_line(whole, 1, wanted.amount)]


def _line(name: str, quantity: int, unit_amount: Money) -> dict[str, Any]:
    """Raises Unwritable."""
    price = {
        "currency": unit_amount.currency.lower(),
        "product_data": {"name": name[:NAME_MAX]},
        "unit_amount": AMOUNTS.written(unit_amount),
    }
    return {"price_data": price, "quantity": quantity}


def _shipping(wanted: Order) -> dict[str, Any] | None:
    """Stripe takes an address only with a street and somebody's name."""
    address, customer = wanted.shipping_address, wanted.customer
    if address is None or not address.line1 or customer is None or not customer.name:
        return None
    lines = {
        "line1": address.line1,
        "line2": address.line2,
        "city": address.city,
        "postal_code": address.postal_code,
        "state": address.region,
        "country": address.country,
    }
    shipping: dict[str, Any] = {
        "name": customer.name,
        "address": {name: text for name, text in lines.items() if text},
    }
    if customer.phone:
        shipping["phone"] = customer.phone
    return shipping
