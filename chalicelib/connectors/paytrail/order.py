"""What Paytrail is told of a payment and of a refund (specification: schemas/PaymentRequest, schemas/Refund).

Our ids are the stamps, and the attempt's is every reference: by these two, which its callbacks repeat and sign, a payment and
its refunds are told apart.
"""

from __future__ import annotations

import re
from typing import Any

from chalicelib.connectors.paytrail.tables import AMOUNTS, CURRENCY
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.calls import CheckoutOrder, MoneyOrder
from chalicelib.contracts.email import ordinary
from chalicelib.domain.order import Address, Order

URL_CHARACTERS_MAX = 300  # schemas/Callbacks
LINE_PRICE_MAX, LINE_UNITS_MAX = 99_999_999, 10_000_000  # schemas/Item
ORDER_ID_CHARACTERS_MAX = 60
GROUPS = {"card": "creditcard", "pay_by_bank": "bank"}  # schemas/PaymentRequest/groups: those of one method alone
_LANGUAGES = {"fi": "FI", "sv": "SV"}
_POSTAL_CODE = re.compile(r"[0-9A-Za-z -]{1,15}")


def payment_of(order: CheckoutOrder, email: str | None) -> dict[str, Any]:
    """The body that opens a page. `email` is the merchant's own. Raises Unwritable for what Paytrail can not take."""
    wanted = order.order
    body: dict[str, Any] = {
        "stamp": order.attempt_id,
        "reference": order.attempt_id,
        "amount": AMOUNTS.written(wanted.amount),
        "currency": CURRENCY,
        "language": _LANGUAGES.get((wanted.locale or "").replace("_", "-").split("-")[0].lower(), "EN"),
        "customer": _customer_of(wanted, email),
        "items": _items_of(wanted),
        "redirectUrls": _urls(order.return_url, order.cancel_url),
        "callbackUrls": _urls(order.webhook_url, order.webhook_url),
    }
    if len(wanted.order_reference) <= ORDER_ID_CHARACTERS_MAX:
        body["orderId"] = wanted.order_reference
    if wanted.payment_method in GROUPS:
        body["groups"] = [GROUPS[wanted.payment_method]]
    for name, address in (("deliveryAddress", wanted.shipping_address), ("invoicingAddress", wanted.billing_address)):
        if (written := _address_of(address)) is not None:
            body[name] = written
    return body


def refund_of(order: MoneyOrder) -> dict[str, Any]:
    """Raises Unwritable."""
    assert order.amount is not None, "a refund has an amount"
    url = order.attempt.checkout.webhook_url
    return {
        "amount": AMOUNTS.written(order.amount),
        "refundStamp": order.operation_id,
        "refundReference": order.attempt.attempt_id,
        "callbackUrls": _urls(url, url),
    }


def _urls(success: str, cancel: str) -> dict[str, str]:
    for url in (success, cancel):
        if len(url) > URL_CHARACTERS_MAX:
            raise Unwritable(f"Paytrail takes addresses of {URL_CHARACTERS_MAX} characters at most")
    return {"success": success, "cancel": cancel}


def _customer_of(order: Order, own: str | None) -> dict[str, str]:
    email = ordinary(order.customer.email if order.customer else None) or own
    if email is None:
        raise Unwritable(
            "Paytrail wants an e-mail address with each payment: the shopper's, or the connection's `email`"
        )
    phone = order.customer.phone if order.customer else None
    return {"email": email, **({"phone": phone} if phone else {})}


def _items_of(order: Order) -> list[dict[str, Any]]:
    """The lines where they come to the amount, as Paytrail requires, else one item. What VAT is in a price is not known here,
    so none is shown."""
    lines = [
        _item(line.unit_amount.value, line.quantity, line.reference or line.name, line.name) for line in order.lines
    ]
    fit = all(one["unitPrice"] <= LINE_PRICE_MAX and one["units"] <= LINE_UNITS_MAX for one in lines)
    if lines and fit and sum(one["unitPrice"] * one["units"] for one in lines) == order.amount.value:
        return lines
    return [_item(order.amount.value, 1, order.order_reference, order.description or order.order_reference)]


def _item(price: int, units: int, code: str, description: str) -> dict[str, Any]:
    return {
        "unitPrice": price,
        "units": units,
        "vatPercentage": 0,
        "productCode": code[:100],
        "description": description[:1000],
    }


def _address_of(address: Address | None) -> dict[str, str] | None:
    """Only a whole one: Paytrail refuses the payment over a part that is not there."""
    if address is None or not (address.line1 and address.city and address.country and address.postal_code):
        return None
    if not _POSTAL_CODE.fullmatch(address.postal_code):
        return None
    street = ", ".join(one for one in (address.line1, address.line2) if one)
    written = {
        "streetAddress": street[:200],
        "postalCode": address.postal_code,
        "city": address.city[:200],
        "country": address.country,
    }
    return {**written, "county": address.region[:200]} if address.region else written
