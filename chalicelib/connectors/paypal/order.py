"""The order that a checkout asks for (developer.paypal.com/api/orders/v2, create order)."""

from __future__ import annotations

from typing import Any

from chalicelib.connectors.paypal.amounts import AMOUNTS
from chalicelib.connectors.paypal.methods import ANY_PAGE, METHODS, locale_of
from chalicelib.connectors.paypal.settings import PayPalSettings
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.contracts.email import ordinary
from chalicelib.domain.money import Money
from chalicelib.domain.order import Address, CaptureMode, Line, Order

NAME_MAX, LINE_MAX, NAME_PART_MAX, ADDRESS_LINE_MAX, CITY_MAX, POSTCODE_MAX = 127, 127, 140, 300, 120, 60
QUANTITY_MAX = 9_999_999_999
Json = dict[str, Any]


def order_of(order: CheckoutOrder, settings: PayPalSettings) -> Json:
    """Raises Unwritable."""
    wanted = order.order
    return {
        "intent": "AUTHORIZE" if wanted.capture is CaptureMode.MANUAL else "CAPTURE",
        "purchase_units": [_unit(order, settings)],
        "payment_source": {"paypal": _wallet(order, settings)},
    }


def amount_of(money: Money) -> Json:
    """Raises Unwritable."""
    return {"currency_code": money.currency, "value": AMOUNTS.written(money)}


def invoice_of(order_reference: str, id: str) -> str:
    """What both sides find the movement by: the shop's own reference, and our id of it, so that it is never a duplicate."""
    return f"{_text(order_reference, 80)} {id}".strip()


def _unit(order: CheckoutOrder, settings: PayPalSettings) -> Json:
    wanted = order.order
    unit: Json = {
        "custom_id": order.attempt_id,
        "invoice_id": invoice_of(wanted.order_reference, order.attempt_id),
        "description": _text(wanted.description or "", LINE_MAX) or _text(wanted.order_reference, LINE_MAX) or "-",
        "amount": amount_of(wanted.amount) | _breakdown(wanted),
    }
    if "breakdown" in unit["amount"]:
        unit["items"] = [_item(line) for line in wanted.lines]
    shipping = _address(wanted.shipping_address) if settings.pass_addresses else None
    if shipping is not None:
        unit["shipping"] = {"type": "SHIPPING", "address": shipping}
        name = _text((wanted.customer and wanted.customer.name) or "", ADDRESS_LINE_MAX)
        if name:
            unit["shipping"]["name"] = {"full_name": name}
    return unit


def _wallet(order: CheckoutOrder, settings: PayPalSettings) -> Json:
    wanted, customer = order.order, order.order.customer
    shipped = settings.pass_addresses and _address(wanted.shipping_address) is not None
    context: Json = {
        "return_url": order.return_url,
        "cancel_url": order.cancel_url,
        "user_action": "PAY_NOW",
        "landing_page": METHODS[wanted.payment_method] if wanted.payment_method else ANY_PAGE,
        "shipping_preference": "SET_PROVIDED_ADDRESS" if shipped else "NO_SHIPPING",
        "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED" if settings.instant_payments_only else "UNRESTRICTED",
    }
    locale = locale_of(wanted.locale)
    if locale is not None:
        context["locale"] = locale
    if settings.brand_name:
        context["brand_name"] = settings.brand_name
    wallet: Json = {"experience_context": context}
    billing = _address(wanted.billing_address) if settings.pass_addresses else None
    if billing is not None:
        wallet["address"] = billing
    email = ordinary(customer.email if customer else None)
    if email is not None:
        wallet["email_address"] = email
    given, _, surname = _text((customer and customer.name) or "", 2 * NAME_PART_MAX).rpartition(" ")
    if given and surname:
        wallet["name"] = {"given_name": given[:NAME_PART_MAX].strip(), "surname": surname[:NAME_PART_MAX]}
    return wallet


def _breakdown(wanted: Order) -> Json:
    """The lines' total, where they can all be written and come to the amount; else PayPal would refuse the order."""
    total = sum(line.quantity * line.unit_amount.value for line in wanted.lines)
    if not wanted.lines or total != wanted.amount.value or any(line.quantity > QUANTITY_MAX for line in wanted.lines):
        return {}
    try:
        for line in wanted.lines:
            AMOUNTS.written(line.unit_amount)
    except Unwritable:
        return {}
    return {"breakdown": {"item_total": amount_of(wanted.amount)}}


def _item(line: Line) -> Json:
    item: Json = {
        "name": _text(line.name, NAME_MAX) or _text(line.reference or "", NAME_MAX) or "-",
        "quantity": str(line.quantity),
        "unit_amount": amount_of(line.unit_amount),
    }
    return item | ({"sku": line.reference} if line.reference and len(line.reference) <= NAME_MAX else {})


def _address(address: Address | None) -> Json | None:
    """None for one that PayPal would refuse: it wants a street, a city and a country."""
    if address is None or not (address.line1 and address.city and address.country):
        return None
    lines = {
        "address_line_1": _text(address.line1, ADDRESS_LINE_MAX),
        "address_line_2": _text(address.line2 or "", ADDRESS_LINE_MAX),
        "admin_area_2": _text(address.city, CITY_MAX),
        "admin_area_1": _text(address.region or "", ADDRESS_LINE_MAX),
        "postal_code": _text(address.postal_code or "", POSTCODE_MAX),
        "country_code": address.country,
    }
    kept = {name: text for name, text in lines.items() if text}
    return kept if {"address_line_1", "admin_area_2"} <= kept.keys() else None


def _text(text: str, most: int) -> str:
    """On one line, without blanks around it, and no longer than PayPal takes."""
    return " ".join(text.split())[:most].strip()
