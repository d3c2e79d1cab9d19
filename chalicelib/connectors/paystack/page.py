"""What a page is asked for with: paystack.com/docs/api/transaction, "Initialize Transaction", and /docs/payments/metadata."""

from __future__ import annotations

from typing import Any

from chalicelib.connectors.paystack.reading import reference_of
from chalicelib.connectors.paystack.tables import AMOUNTS, METHODS
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.calls import CheckoutOrder, Refusal, RefusalKind
from chalicelib.contracts.email import ordinary
from chalicelib.domain.order import Order

# Names in metadata that Paystack acts upon: a merchant's metadata must not change who may pay, or where it leads.
RESERVED = frozenset({"cancel_action", "custom_fields", "custom_filters", "referrer"})


def page_of(checkout: CheckoutOrder, email: str | None) -> dict[str, Any] | Refusal:
    """The request's body, or why it is not sent. `email` is for shoppers who gave none."""
    order = checkout.order
    address = ordinary(order.customer.email if order.customer else None) or email
    if address is None:
        detail = "Paystack wants an e-mail address with each payment: the shopper's, or the connection's own."
        return Refusal(RefusalKind.MISCONFIGURED, detail)
    try:
        amount = AMOUNTS.written(order.amount)
    except Unwritable as error:
        return Refusal(RefusalKind.MISCONFIGURED, str(error))
    body: dict[str, Any] = {
        "email": address,
        "amount": amount,
        "currency": order.amount.currency,
        "reference": reference_of(checkout.attempt_id),
        "callback_url": checkout.return_url,
        "metadata": _metadata_of(checkout),
    }
    if order.payment_method in METHODS:
        body["channels"] = [METHODS[order.payment_method]]
    return body


def _metadata_of(checkout: CheckoutOrder) -> dict[str, Any]:
    """Custom fields are what the dashboard shows; `cancel_action` is where a shopper goes who gives up."""
    metadata = checkout.order.metadata or {}
    return {
        **{name: text for name, text in metadata.items() if name not in RESERVED},
        "paymentserver_attempt": checkout.attempt_id,
        "cancel_action": checkout.cancel_url,
        "custom_fields": _fields_of(checkout.order),
    }


def _fields_of(order: Order) -> list[dict[str, str]]:
    shown = {"Order": order.order_reference, "Description": order.description}
    return [
        {"display_name": name, "variable_name": name.lower(), "value": text} for name, text in shown.items() if text
    ]
